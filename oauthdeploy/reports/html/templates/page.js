"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;

  const theme = byId("theme");
  const themes = ["system", "light", "dark"];
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const next = themes[(themes.indexOf(root.dataset.theme || "system") + 1) % themes.length];
    root.dataset.theme = next;
    theme.textContent = `Theme: ${next}`;
  });

  const form = byId("filter");
  if (!form) return;
  form.hidden = false;
  const find = byId("find"), shown = byId("shown"), nothing = byId("nothing"), open = byId("open");
  const chips = Array.from(form.querySelectorAll(".chip"));
  const number = (value) => value.toLocaleString("en");
  const choice = (id) => { const select = byId(id); return select ? select.value : ""; };

  // Everything that is searched is read once; afterwards only rows whose state changes are written to.
  const columns = Array.from(byId("objects").tHead.querySelectorAll(".side"), (head) => head.textContent);
  const entries = Array.from(byId("objects").tBodies[0].rows, (row) => {
    const details = row.querySelector("details");
    return {
      row,
      shown: true,
      text: row.textContent.toLowerCase(),
      keys: row.dataset.keys.split(" "),
      kind: details.firstElementChild.textContent.split("/", 1)[0],
      risk: Number(row.dataset.risk || 0),
      servers: columns.filter((_name, place) => row.cells[place].firstElementChild.className !== "nothing"),
      details,
    };
  });

  function apply() {
    const words = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    const states = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.state);
    const server = choice("server"), kind = choice("kind"), risk = Number(choice("risk"));
    let count = 0;
    for (const entry of entries) {
      const fits = entry.risk >= risk
        && (!kind || entry.kind === kind)
        && (!server || entry.servers.includes(server))
        && (!states.length || states.some((state) => entry.keys.includes(state)))
        && words.every((word) => entry.text.includes(word));
      if (fits) count += 1;
      if (fits !== entry.shown) {
        entry.shown = fits;
        entry.row.hidden = !fits;
      }
    }
    const all = entries.length;
    const said = `${number(all)} ${all === 1 ? "row" : "rows"}`;
    shown.textContent = count === all ? said : `${number(count)} of ${said}`;
    nothing.hidden = count > 0;
  }

  let waiting = 0;
  const soon = () => { if (!waiting) waiting = requestAnimationFrame(() => { waiting = 0; apply(); }); };
  form.addEventListener("input", soon);
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const chip of chips) {
    chip.addEventListener("click", () => {
      chip.setAttribute("aria-pressed", String(chip.getAttribute("aria-pressed") !== "true"));
      soon();
    });
  }
  byId("clear").addEventListener("click", () => {
    form.reset();
    for (const chip of chips) chip.setAttribute("aria-pressed", "false");
    soon();
    find.focus();
  });
  open.addEventListener("click", () => {
    const visible = entries.filter((entry) => entry.shown);
    const close = visible.every((entry) => entry.details.open);
    for (const entry of visible) entry.details.open = !close;
    open.textContent = close ? "Open all" : "Close all";
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(?:input|select|textarea)$/i.test(event.target.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      find.focus();
      find.select();
    } else if (event.key === "Escape" && event.target === find) {
      find.value = "";
      soon();
    }
  });
})();
