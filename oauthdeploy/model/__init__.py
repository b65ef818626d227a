"""What an OAuth estate is, as frozen values; knows no YAML and no HTTP."""
