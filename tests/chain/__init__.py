"""Tests of the chain adapter: against a real node, a fake one and a lying one."""
