"""The one Postgres: the only SQL and the only asyncpg.

One statement is one UPPER_CASE constant above the one function that runs it, in the
module that owns the table. Functions take a connection first, never open a transaction
and never decide anything.
"""
