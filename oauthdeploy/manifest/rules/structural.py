"""Rules that the loader raises while it reads. They have no function here; their severity cannot be changed."""

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
        reason="The file cannot be parsed. Inside {} and [], a reference ${env:NAME} needs quotes, because braces "
        "have a meaning in YAML.",
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
        reason="Parsers disagree about tags, merge keys and invisible characters, so a reviewer could see a "
        "different manifest from the one that is applied.",
        source="YAML 1.2.2 sections 5.1 and 6.8",
        fix="Write the value in full; strings need no tag.",
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
        "The file contains more than one YAML document",
        reason="Many parsers read the first document and silently ignore the rest.",
        source="YAML 1.2.2 section 9.2",
        fix="Write one document per file, and pass several files with -f.",
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
        reason="YAML requires unique keys. Parsers that do not check keep one of the two, and you cannot tell which.",
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
        reason="A few lines of aliases can expand to gigabytes. Size, nesting, expansion and the number of keys "
        "in one place are limited to keep parsing fast.",
        source="YAML 1.2.2 section 7.1; CWE-776",
        fix="Write out repeated parts, or split the manifest into several files.",
        bad="clients:\n  mobile: {options: {a: " + "[" * 70 + "x" + "]" * 70 + "}}",
        good="""
clients:
  mobile: {type: public}
""",
    ),
    _structural(
        "file-unreadable",
        "A file cannot be read",
        reason="A part of the manifest, or a value that it refers to, is missing. A plan without it would be wrong.",
        fix="Check the path, which is relative to the manifest's folder, and the permissions.",
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
        reason="In a later version, the same keys may have a different meaning.",
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
        "A key is not known",
        reason="If unknown keys were ignored, a misspelled setting would silently have no effect.",
        fix="Correct the spelling. Put settings specific to a server product under options.<driver>.",
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
        reason="The entry is incomplete without it.",
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
        "A value is not valid",
        reason="Values are parsed strictly: 007 never becomes 7, no never becomes false, and 10 never becomes ten "
        "minutes.",
        fix="Correct the value as described in the message.",
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
        "A value is not allowed",
        reason="The field accepts only certain values.",
        fix="Use one of the values listed in the message.",
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
        "A name is not defined",
        reason="A client, scope or server that is named but not defined is misspelled or was removed. For a "
        "revocation it is a warning, because the client may exist only on the servers.",
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
        reason="The driver knows what a server supports, so nothing about the server can be checked without it.",
        fix="Correct the name, or install the package that provides the driver.",
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
        reason="Which definition wins would depend on the order of the files, which nobody reviews.",
        fix="Keep one definition. Put differences between environments under environments.",
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
        reason="Without its overlay, the manifest would describe another environment.",
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
        reason="An empty value would be deployed as if you had written it: an empty secret, or an address without "
        "a host.",
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
        "The manifest runs a command",
        reason="Checking a manifest, for example one from somebody else's branch, must not run programs.",
        fix="Pass --allow-commands if you trust the manifest, or use another source.",
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
        "A secret is in a field that is shown",
        reason="Plans, reports and logs show the field, and so the secret. Values from the environment, a file, a "
        "keyring or a command are always secret.",
        source="CWE-532",
        fix="Write the value itself, or use a variable that the manifest declares sensitive: false: "
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
        "A secret comes from a variable that is not sensitive",
        reason="sensitive: false says that anyone may read the value, but a secret field uses it.",
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
        "A file outside the manifest's folder, or a keyring, is read where that is not allowed",
        reason="Anyone who edits the manifest could make oauthdeploy read any file on this machine.",
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
        "delivery-outside-folder",
        "A secret would be delivered outside the manifest's folder",
        reason="Anyone who edits the manifest could make oauthdeploy write to any file that its account may write.",
        source="CWE-22",
        fix="Name a file in the manifest's folder, or allow the other folder: --allow-delivery DIR.",
        bad="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: ../batch.env}}}
""",
        good="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: out/batch.env}}}
""",
    ),
    _structural(
        "delivery-over-own-file",
        "A secret would be delivered over a file of the manifest or of oauthdeploy",
        reason="The delivery would replace the manifest, a file that it reads, or a record of earlier runs, or it "
        "would become a part of the manifest.",
        source="CWE-73",
        fix="Name another file in deliver_to, best in a folder of its own: out/NAME.env.",
        bad="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: .oauthdeploy/batch.env}}}
""",
        good="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: out/batch.env}}}
""",
    ),
    _structural(
        "delivery-not-a-file",
        "A secret cannot be delivered to what stands at this path",
        reason="Only a regular file with one name is replaced. Folders, pipes, devices and links lead elsewhere.",
        source="CWE-59",
        fix="Name another file in deliver_to, or remove what stands there.",
        bad="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: out/}}}
""",
        good="""
clients:
  batch: {type: confidential, secret: {generate: true, deliver_to: {file: out/batch.env}}}
""",
    ),
    _structural(
        "env-not-allowed",
        "The manifest reads an environment variable that is not allowed",
        reason="The flag --allow-env limits which environment variables a manifest may read, so that an edit "
        "cannot read others.",
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
        "A comment that ignores needs a rule id and a reason",
        reason="Without a reason, nobody can later tell whether the finding may still be ignored.",
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
        reason="It would hide the next finding in this line, which nobody has reviewed.",
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
