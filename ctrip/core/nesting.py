"""How deep a JSON text nests, told before it is decoded.

The decoder recurses on the C stack, guarded only by Python's recursion limit, which any library
may raise: a deep text then ends the process. Whoever decodes what others wrote asks here first.
"""

import re
from typing import Final

DEPTH_MAX: Final = 32  # levels; nothing honest is deeper than a few
STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)


def is_too_deep(text: bytes) -> bool:
    """Tell whether a text nests deeper than DEPTH_MAX."""
    return depth_of(text) > DEPTH_MAX


def depth_of(body: bytes) -> int:
    """Return how deep the brackets of a JSON text nest, those inside of strings left out."""
    if body.count(b"[") + body.count(b"{") <= DEPTH_MAX:
        return 0  # as nearly always: it cannot be too deep
    depth = deepest = 0
    for mark in STRING.sub(b"", body):
        if mark in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in b"]}":
            depth -= 1
    return deepest
