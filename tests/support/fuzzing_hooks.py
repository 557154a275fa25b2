"""What schemathesis cannot know of us from a schema; it loads this file.

JSON Schema takes 195.0 for an integer, which we do not: other cases than that are made of it.
Waiting is worth a test, but not half a minute of every run. Links hand on deadlines that are good,
of which the narrowed document knows one only.
"""

import atexit
import json
import os
import re
from collections import Counter
from pathlib import Path
from typing import Any
from uuid import UUID

import schemathesis
from schemathesis import Case, HookContext, Response

from ctrip.core.custom_headers import headers_fault
from tests.support.fuzzing import COUNTS, DEADLINE, KEY_KEPT

WAIT_MAX = 30  # seconds
SOON = 100  # times faster than asked for
WAITS = re.compile(r"[0-9]+(\.[0-9]+)?", re.ASCII)
PLACES = re.compile(r"[1-9][0-9]{0,2}", re.ASCII)  # of a payment's events
TIME = re.compile(r"[0-9-]{10}T[0-9:]{8}(\.[0-9]{1,6})?Z", re.ASCII)  # as we tell it
BEHIND = 1_000  # a place behind the last one is answered at once


STATUSES: "Counter[int]" = Counter()


@schemathesis.hook
def after_call(_context: HookContext, _case: "Case[Any]", response: Response) -> None:
    """Count what was answered."""
    STATUSES[response.status_code] += 1


@atexit.register
def tell() -> None:
    """Write down the counts."""
    Path(os.environ[COUNTS]).write_text(json.dumps(STATUSES))


@schemathesis.hook
def map_body(_context: HookContext, body: Any) -> Any:
    """Write whole numbers as such."""
    return whole(body)


@schemathesis.hook
def filter_body(_context: HookContext, body: Any) -> bool:
    """Leave out headers that are refused for what they are called: no schema can say it."""
    headers = body.get("headers") if isinstance(body, dict) else None
    if not isinstance(headers, dict) or not all(isinstance(v, str) for v in headers.values()):
        return True
    fault = headers_fault(headers)
    return fault is None or not fault.endswith(("by HTTP", "twice"))


@schemathesis.hook
def before_call(_context: HookContext, case: "Case[Any]", _kwargs: dict[str, Any]) -> None:
    """Wait no longer than needed; leave alone the key that the requests bear, and deadlines."""
    body = case.body
    if isinstance(body, dict) and TIME.fullmatch(str(body.get("expires_at"))):
        body["expires_at"] = os.environ[DEADLINE]
    query, path = case.query or {}, case.path_parameters or {}
    wait, place = str(query.get("wait")), str(query.get("last_event_id"))
    if WAITS.fullmatch(wait) and float(wait) <= WAIT_MAX:
        query["wait"] = float(wait) / SOON
    if PLACES.fullmatch(place):
        query["last_event_id"] = str(int(place) + BEHIND)
    if path.get("key_id") == os.environ[KEY_KEPT]:
        path["key_id"] = str(UUID(int=0))


def whole(value: Any) -> Any:
    """Return a value whose whole numbers have no fraction."""
    match value:
        case float() if value.is_integer():
            return int(value)
        case dict():
            return {name: whole(one) for name, one in value.items()}
        case list():
            return [whole(one) for one in value]
        case _:
            return value
