"""How deep a JSON text nests, told before it is decoded.

The decoder recurses on the C stack, guarded only by Python's recursion limit, which any library
may raise: a deep text then ends the process. Whoever decodes what others wrote asks here first.
"""

import re
from typing import Final

DEPTH_MAX: Final = 32  # levels; nothing honest is deeper than a few
STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)
ALIKE: Final = bytes.maketrans(b"{}", b"[]")
OTHERS: Final = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(text: bytes) -> bool:
    """Tell whether the brackets of a JSON text nest deeper than DEPTH_MAX, outside of strings."""
    if text.count(b"[") + text.count(b"{") <= DEPTH_MAX:
        return False  # as nearly always
    brackets = STRING.sub(b"", text).translate(ALIKE, OTHERS)
    for _ in range(DEPTH_MAX):
        brackets = brackets.replace(b"[]", b"")  # takes the innermost level away
    return b"[]" in brackets or brackets.count(b"[") > DEPTH_MAX  # those that are never closed
