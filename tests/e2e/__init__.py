"""The gateway as its users have it: real processes, a real chain, a real database, real HTTP."""
