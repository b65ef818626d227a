"""Cut-offs: requests for immediate ones, and their audit records."""
