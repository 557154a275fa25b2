"""Tests of the development environment: a real Postgres, a real anvil."""
