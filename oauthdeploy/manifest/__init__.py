"""Reads and writes manifests: YAML in, desired state and findings out."""
