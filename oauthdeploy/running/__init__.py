"""Where the pure steps meet the servers."""
