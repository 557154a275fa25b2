"""Every failure belongs to one of four families; each family has one reaction.

    CtripError
    + RequestError     the caller is wrong            -> 4xx with a stable code, shown to them
    + OutageError      the outside failed for now     -> 503 for callers; tasks wait and try again
    + ConfigError      the operator must fix a file   -> refuse to start, say everything, exit 2
    + InvariantError   our own reasoning is wrong     -> this task stops, health turns red

Raise the leaf that names the cause; leaves live beside the code that raises them.
Catch families, and only in web/problems.py, flows/supervise.py and cli/main.py.
Texts are shown to people: never put a secret, an address of an endpoint or a
library's own words into one.
"""


class CtripError(Exception):
    """Base of every error ctrip raises on purpose."""


class RequestError(CtripError):
    """The caller asked for something impossible; safe to show to them."""

    status = 400  # HTTP status
    code = "invalid_request"  # stable, documented in docs/api.md


class OutageError(CtripError):
    """A dependency failed in a way that may pass."""


class ConfigError(CtripError):
    """The configuration cannot be used; the text lists every fault, one a line."""


class InvariantError(CtripError):
    """A rule that must hold did not. Continuing could lose money."""
