"""Payments made while an endpoint plays each of the faults of tests/support/rpc_faults.py."""
