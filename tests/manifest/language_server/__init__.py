"""The YAML language server that editors use, and a client that asks it as they do."""
