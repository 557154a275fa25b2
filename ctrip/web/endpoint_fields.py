"""How the fields of endpoints look, told beforehand in the OpenAPI document.

The decoder lets pass what breaks these rules: flows/register.py and the guard refuse it, with
words of their own.
"""

from typing import Annotated, Final

from msgspec import Meta

from ctrip.core.custom_headers import HEADERS_MAX, VALUE_SIZE_MAX
from ctrip.core.endpoints import ANY, CONCURRENCY_MAX
from ctrip.core.events import EventType
from ctrip.flows.endpoints import RESENT_AT_ONCE_MAX
from ctrip.flows.register import (
    DESCRIPTION_SIZE_MAX,
    PATTERNS_MAX,
    RATE_MAX,
    RATE_MIN,
    SECRET_SIZE_MAX,
)

# What a filter may hold: pattern_fault of the core says the same.
PATTERNS: Final = sorted({ANY, *EventType, *(f"{kind.partition('.')[0]}.*" for kind in EventType)})

Url = Annotated[
    str, Meta(extra_json_schema={"format": "uri", "pattern": "^https?://", "maxLength": 2048})
]
Description = Annotated[
    str, Meta(extra_json_schema={"maxLength": DESCRIPTION_SIZE_MAX, "pattern": r"^[^\x00]*$"})
]
Pattern = Annotated[str, Meta(extra_json_schema={"enum": PATTERNS})]
Patterns = Annotated[
    tuple[Pattern, ...], Meta(extra_json_schema={"minItems": 1, "maxItems": PATTERNS_MAX})
]
Headers = Annotated[
    dict[str, str],
    Meta(
        extra_json_schema={
            "maxProperties": HEADERS_MAX,
            "propertyNames": {"pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$"},
            "additionalProperties": {
                "type": "string",
                "maxLength": VALUE_SIZE_MAX,
                "pattern": "^([!-~]([ -~\\t]*[!-~])?)?$",
            },
        }
    ),
]
Concurrency = Annotated[int, Meta(extra_json_schema={"minimum": 1, "maximum": CONCURRENCY_MAX})]
Rate = Annotated[float, Meta(extra_json_schema={"minimum": RATE_MIN, "maximum": RATE_MAX})]
OwnSecret = Annotated[
    str,
    Meta(
        extra_json_schema={
            "minLength": 16,
            "maxLength": SECRET_SIZE_MAX,
            "not": {"pattern": "^whpk_"},  # the half that is no secret
        }
    ),
]
KnownEventId = Annotated[
    str,
    Meta(
        pattern=r"^evt_[0-9a-f]{32}\Z",
        extra_json_schema={"examples": ["evt_7c21f1cfd52cfd2a9313148f4819eca9"]},
    ),
]
EventIds = Annotated[
    tuple[KnownEventId, ...],
    Meta(extra_json_schema={"minItems": 1, "maxItems": RESENT_AT_ONCE_MAX}),
]
State = Annotated[
    str, Meta(extra_json_schema={"enum": ["waiting", "sending", "delivered", "dead"]})
]
Type = Annotated[str, Meta(extra_json_schema={"enum": list(EventType)})]
