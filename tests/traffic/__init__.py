"""Traffic while both sides change: every answer is judged by the manifest before the change and the one after it."""
