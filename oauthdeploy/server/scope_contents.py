"""Which services a scope gives access to."""

from __future__ import annotations

from oauthdeploy.server.models import Scope


def opens(scope: Scope, folder: str, service: str, method: str) -> bool:
    """Whether a scope gives access to a service with a request of this method.

    It does if it names the service, its folder, or a folder above, or if it has a URL template
    `<METHOD>_<namespace>/<resource>` for this method whose part after the method is `<folder>/<service>`, segment by segment; a
    segment in braces matches any value.
    """
    whole = f"{folder}:{service}"
    if any(whole == entry or whole.startswith((entry + ".", entry + ":")) for entry in scope.resources):
        return True
    return any(_template_fits(template, folder, service, method) for template in scope.url_templates)


def _template_fits(template: str, folder: str, service: str, asked: str) -> bool:
    method, _, path = template.partition("_")
    segments = path.split("/")
    return (
        method == ("GET" if asked == "HEAD" else asked)
        and len(segments) == 2
        and all(
            part == given or (part.startswith("{") and part.endswith("}"))
            for part, given in zip(segments, (folder, service), strict=True)
        )
    )
