"""Tests of the verbs, on a real Postgres and a fake chain."""
