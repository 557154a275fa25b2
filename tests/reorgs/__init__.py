"""Reorgs of a real chain, of every depth above finality."""
