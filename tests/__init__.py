"""Tests of ctrip: the folders mirror ctrip/, the names are sentences."""
