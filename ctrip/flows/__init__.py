"""The verbs: each joins store, chain, wallet and webhooks in transactions, one pass at a time."""
