"""The Administrator API: `/admin/...`, JSON with HTTP Basic, one module for each kind of resource."""
