"""The edge to the files: YAML in, desired state and diagnostics out."""
