"""Rules that the loader raises while it reads. They have no function here; their severity can't be changed."""

from __future__ import annotations

from oauthdeploy.core.diagnostics import Severity
from oauthdeploy.manifest.rules.base import Rule

_LANGUAGE = "oauthdeploy manifest, version 1"


def _structural(
    id: str,
    title: str,
    *,
    reason: str,
    fix: str,
    bad: str,
    good: str,
    source: str = _LANGUAGE,
    severity: Severity = Severity.ERROR,
) -> Rule:
    return Rule(id, severity, title, reason, source, fix, bad.strip("\n"), good.strip("\n"), structural=True)


_FILES = (
    _structural(
        "yaml-syntax",
        "The file is not YAML",
        reason="What can't be read can't be guessed. Inside {} and [] a reference ${env:NAME} needs quotes, since its "
        "braces mean "
        "something there.",
        source="YAML 1.2.2",
        fix="Correct the line; put quotes around ${...} inside {} and [].",
        bad="""
clients:
  batch: {type: confidential, secret: {value: ${env:BATCH_SECRET}}}
""",
        good="""
clients:
  batch: {type: confidential, secret: {value: "${env:BATCH_SECRET}"}}
""",
    ),
    _structural(
        "unsupported-yaml",
        "YAML feature is not part of the manifest language",
        reason="Tags, merge keys and invisible characters mean different things to different readers, so a reviewer "
        "could see another "
        "manifest than the one that is applied.",
        source="YAML 1.2.2 sections 5.1 and 6.8",
        fix="Write the value in full; texts need no tag.",
        bad="""
clients:
  mobile: {type: !!str public}
""",
        good="""
clients:
  mobile: {type: public}
""",
    ),
    _structural(
        "multiple-documents",
        "The file holds more than one YAML document",
        reason="Many readers take the first document and drop the rest without a word.",
        source="YAML 1.2.2 section 9.2",
        fix="Write one document to a file, and give several files with -f.",
        bad="""
clients:
  mobile: {type: public}
---
clients:
  web-shop: {type: public}
""",
        good="""
clients:
  mobile: {type: public}
  web-shop: {type: public}
""",
    ),
    _structural(
        "duplicate-key",
        "A key is written twice",
        reason="YAML wants keys to be unique; readers that don't check keep one of the two, and nobody knows which.",
        source="YAML 1.2.2 section 3.2.1.1",
        fix="Remove or rename one of them.",
        bad="""
clients:
  mobile: {type: public}
  mobile: {type: confidential}
""",
        good="""
clients:
  mobile: {type: public}
  tablet: {type: public}
""",
    ),
    _structural(
        "too-large",
        "The manifest is larger than can be read safely",
        reason="A few lines of aliases can stand for gigabytes. Size, nesting, expansion and keys in one place are bounded, so "
        "that reading stays cheap.",
        source="YAML 1.2.2 section 7.1; CWE-776",
        fix="Write repeated parts out, or split the manifest into several files.",
        bad="clients:\n  mobile: {options: {a: " + "[" * 70 + "x" + "]" * 70 + "}}",
        good="""
clients:
  mobile: {type: public}
""",
    ),
    _structural(
        "file-unreadable",
        "A file can't be read",
        reason="A part of the manifest, or a value that it refers to, is missing; planning without it would plan "
        "something else.",
        fix="Check the path, which starts at the manifest's folder, and the permissions.",
        bad="""
clients:
  batch:
    type: confidential
    secret: {value: "${file:secrets/missing.txt}"}
""",
        good="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
    ),
)

_SHAPE = (
    _structural(
        "unsupported-version",
        "The version of the manifest is not supported",
        reason="A later version may mean something else by the same words.",
        fix="Write version: 1, or install the release that reads this version.",
        bad="""
version: 2
""",
        good="""
version: 1
""",
    ),
    _structural(
        "unknown-key",
        "A key is not known here",
        reason="A key that is ignored silently is a setting that is not made, and everybody believes it is.",
        fix="Correct the spelling; what the model lacks goes under options.<driver>.",
        bad="""
clients:
  mobile: {type: public, redirect_uri: "https://mobile.example.com/callback"}
""",
        good="""
clients:
  mobile: {type: public, redirect_uris: ["https://mobile.example.com/callback"]}
""",
    ),
    _structural(
        "missing-key",
        "A required key is missing",
        reason="Without it the entry has no meaning.",
        fix="Write the key.",
        bad="""
revocations:
  - {id: INC-2041, tokens: all}
""",
        good="""
clients:
  mobile: {type: public}
revocations:
  - {id: INC-2041, client: mobile, block: [resource]}
""",
    ),
    _structural(
        "wrong-value",
        "A value is not right",
        reason="Values are read strictly: nothing turns 007 into 7, no into false, or 10 into ten minutes by accident.",
        fix="Write the value as the message says.",
        bad="""
settings:
  access_token_lifetime: one hour
""",
        good="""
settings:
  access_token_lifetime: 1h
""",
    ),
    _structural(
        "not-allowed-value",
        "A value is not among the allowed ones",
        reason="Only these words have a meaning here.",
        fix="Use one of the words that the message lists.",
        bad="""
clients:
  mobile: {type: private}
""",
        good="""
clients:
  mobile: {type: public}
""",
    ),
    _structural(
        "unknown-reference",
        "A name leads nowhere",
        reason="A client, scope or server that is named but not defined is a slip, or an entry that somebody removed. "
        "For a revocation "
        "it is a warning: the client may be on the servers only.",
        fix="Correct the name, or define it.",
        bad="""
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.raed]}
""",
        good="""
scopes:
  orders.read: {description: Read orders, resources: [orders.v1]}
clients:
  mobile: {type: public}
associations:
  - {client: mobile, scopes: [orders.read]}
""",
    ),
    _structural(
        "unknown-driver",
        "The driver is not known",
        reason="The driver decides what a server can hold, so nothing of the server can be checked without it.",
        fix="Correct the name, or install the package that offers the driver.",
        bad="""
servers:
  login:
    role: authorization
    driver: webmethod
    url: https://is-auth.example.com:5543
""",
        good="""
servers:
  login:
    role: authorization
    driver: webmethods
    url: https://is-auth.example.com:5543
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
""",
    ),
)

_COMPOSITION = (
    _structural(
        "conflicting-definition",
        "Two files define the same thing differently",
        reason="Which of the two counts would depend on the order of files, and nobody reviews that.",
        fix="Keep one definition; what differs from environment to environment goes under environments.",
        bad="""
# shop.yaml
clients:
  mobile: {type: public}
# team.yaml
clients:
  mobile: {type: confidential}
""",
        good="""
# shop.yaml
clients:
  mobile: {type: public}
# team.yaml
clients:
  tablet: {type: public}
""",
    ),
    _structural(
        "unknown-environment",
        "The environment is not defined",
        reason="A manifest without its overlay is the manifest of another environment.",
        fix="Correct the name given to --env, or define it under environments.",
        bad="""
# with --env production
environments:
  prod: {settings: {access_token_lifetime: 15m}}
""",
        good="""
# with --env prod
environments:
  prod: {settings: {access_token_lifetime: 15m}}
""",
    ),
    _structural(
        "undefined-variable",
        "A reference has no value",
        reason="An empty text in its place would be planned like a wish: an empty secret, an address without a host.",
        fix="Set it, or write a default: ${env:NAME:-default}.",
        bad="""
clients:
  batch: {type: confidential, secret: {value: "${env:NOT_SET}"}}
""",
        good="""
clients:
  batch: {type: confidential, secret: {value: "${env:BATCH_SECRET}"}}
""",
    ),
    _structural(
        "command-not-allowed",
        "The manifest wants to run a command",
        reason="A manifest from a branch of somebody else must not run programs where it is merely checked.",
        fix="Give --allow-commands where you trust the manifest, or use another source.",
        bad="""
clients:
  batch:
    type: confidential
    secret: {value: "${command:pass show batch}"}
""",
        good="""
clients:
  batch:
    type: confidential
    secret: {value: "${env:BATCH_SECRET}"}
""",
    ),
    _structural(
        "secret-in-plain-field",
        "A secret stands in a field that is shown",
        reason="Plans, reports and logs show the field, and the secret with it. What comes from the environment, a file, a "
        "keyring or a command is secret, wherever it stands.",
        source="CWE-532",
        fix="Write the text itself, or bring it by a variable that the manifest declares sensitive: false: "
        "variables: {words: {sensitive: false}}.",
        bad="""
clients:
  mobile: {type: public, description: "${env:LOGIN_PASSWORD}"}
""",
        good="""
variables:
  words: {sensitive: false, default: The shop on telephones}
clients:
  mobile: {type: public, description: "${var:words}"}
""",
    ),
    _structural(
        "public-variable-is-secret",
        "A variable that may be shown gives a secret",
        reason="sensitive: false tells reviewers that everybody may read the value, and a secret field uses it.",
        source="CWE-532",
        fix="Declare the variable sensitive: true, or use another source for the secret.",
        bad="""
variables:
  key: {sensitive: false, default: correct-horse-battery}
clients:
  batch: {type: confidential, secret: {value: "${var:key}"}}
""",
        good="""
variables:
  key: {sensitive: true}
clients:
  batch: {type: confidential, secret: {value: "${env:BATCH_SECRET}"}}
""",
    ),
    _structural(
        "file-not-allowed",
        "A file outside the manifest's folder is read into a field that is not secret",
        reason="Whoever edits the manifest would choose which file of this machine is read.",
        source="CWE-22",
        fix="Move the file into the manifest's folder, or allow its folder: --allow-files DIR.",
        bad="""
servers:
  billing:
    role: resource
    driver: webmethods
    url: "${file:/etc/hostname}"
    credentials: {username: deployer, password: "${env:LOGIN_PASSWORD}"}
    authorization_server: login
""",
        good="""
clients:
  batch: {type: confidential, secret: {value: "${env:BATCH_SECRET}"}}
""",
    ),
    _structural(
        "env-not-allowed",
        "The manifest reads an environment variable that it may not read",
        reason="The flag --allow-env bounds what a manifest may ask for, so that an edit of it reads nothing else.",
        source="CWE-526",
        fix="Remove the reference, or add the name to --allow-env.",
        bad="""
clients:
  batch: {type: confidential, secret: {value: "${env:BATCH_SECRET}"}}
""",
        good="""
clients:
  mobile: {type: public}
""",
    ),
)

_COMMENTS = (
    _structural(
        "ignore-without-reason",
        "A comment that ignores needs rule and reason",
        reason="A year later nobody knows why a finding was silenced, and nobody dares to look again.",
        fix="Write: # oauthdeploy: ignore[rule-id] the reason",
        bad="""
clients:
  legacy:
    type: confidential
    grants: [client_credentials]   # oauthdeploy: ignore[password-grant]
    secret: {value: "${env:LEGACY_SECRET}"}
""",
        good="""
clients:
  legacy:
    type: confidential
    grants: [password]   # oauthdeploy: ignore[password-grant] moves to code with PKCE in May
    secret: {value: "${env:LEGACY_SECRET}"}
""",
    ),
    _structural(
        "unused-ignore",
        "A comment ignores nothing",
        reason="It would silence the next finding in this line, which nobody has seen yet.",
        fix="Remove the comment.",
        severity=Severity.WARNING,
        bad="""
clients:
  mobile:
    type: public   # oauthdeploy: ignore[implicit-grant] old library
""",
        good="""
clients:
  mobile:
    type: public
""",
    ),
)

RULES: tuple[Rule, ...] = (*_FILES, *_SHAPE, *_COMPOSITION, *_COMMENTS)
