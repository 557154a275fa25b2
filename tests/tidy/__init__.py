"""The rules of the code's shape, which tests/test_tidy.py holds ctrip to."""
