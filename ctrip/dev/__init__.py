"""What a developer's machine stands in for: a Postgres, a chain with a test token.

Nothing here runs in production. A part that cannot start says in one ConfigError what to do.
"""
