"""The OAuth objects as frozen values; knows no YAML and no HTTP."""
