"""Real counterparts for tests: receivers, databases, nodes."""
