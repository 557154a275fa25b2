"""Whether an object of a JSON text has two members of one name.

RFC 8259 (section 4) leaves open which of the two counts, and whoever checks a request before
us may read the other one. So a text that has any is refused.
"""

import re
from json import loads
from typing import Any, Final

# What may be a name. It finds every one, and sometimes what is none, but of the names with an
# escape, or that begin with a colon, which are none of ours.
NAME: Final = re.compile(rb'"([^"\\]*)"\s*:')


class Twin(ValueError):
    """The name that is there twice."""


def twin_in(text: bytes) -> str:
    """Return a name that is said twice in one object of a valid JSON text, or nothing."""
    names = NAME.findall(text)
    if len(set(names)) == len(names) and b"\\" not in text:
        return ""  # as nearly always
    try:
        loads(text, object_pairs_hook=apart, parse_int=str, parse_float=str)
    except Twin as twin:
        return str(twin)
    except (ValueError, RecursionError):
        return ""  # the decoder says better what is wrong
    return ""


def apart(members: list[tuple[str, Any]]) -> None:
    """Raise Twin unless all names differ."""
    seen: set[str] = set()
    for name, _ in members:
        if name in seen:
            raise Twin(name)
        seen.add(name)
