"""Keys: the only place that has seen a private one."""
