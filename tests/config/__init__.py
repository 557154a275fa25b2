"""Tests of what the operator writes: config.toml, variables, chains.yaml, and the page on them."""
