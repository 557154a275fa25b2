"""Tokens that pretend, lie and misbehave, as real contracts: what of it is money, what is not."""
