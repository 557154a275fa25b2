"""The chains, seen through JSON-RPC. The only place that speaks to a node."""
