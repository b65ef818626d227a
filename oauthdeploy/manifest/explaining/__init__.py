"""What the manifest's language and a manifest mean, for `explain`: rules, fields and objects as values without any form."""
