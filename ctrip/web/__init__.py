"""HTTP: requests become calls of flows and reads of the store, answers become JSON."""
