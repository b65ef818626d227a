"""Cut-offs: what is still to be cut off, cutting off now, and what is recorded of it."""
