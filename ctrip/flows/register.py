"""What may be asked of which endpoint, and everything that is wrong with what was asked.

All faults are told at once, each by the name of its field, so that whoever fills in a form
or a body reads them once. What needs the guard or the signatures is checked here, because
the web layer knows neither.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec import UNSET, Struct, UnsetType

from ctrip.core.custom_headers import headers_fault
from ctrip.core.endpoints import (
    ANY,
    CONCURRENCY_DEFAULT,
    CONCURRENCY_MAX,
    Format,
    Kind,
    pattern_fault,
)
from ctrip.core.errors import RequestError
from ctrip.settings import Secret
from ctrip.store.endpoints import Endpoint
from ctrip.webhooks.guard import Guard
from ctrip.webhooks.signing import SecretKind, secret_fault

# Made over the API. Each event is written down for each of them that wants it, and each wears down
# its own receiver; who has more receivers than this wants one that passes events on.
ENDPOINTS_MAX: Final = 50
DESCRIPTION_SIZE_MAX: Final = 500  # characters
PATTERNS_MAX: Final = 50  # there are fewer types
RATE_MIN: Final = 0.01  # deliveries a second; less is a queue that only grows
RATE_MAX: Final = 10_000.0
SECRET_SIZE_MAX: Final = 500  # characters
OVERLAP_MAX: Final = timedelta(days=7)


class Unfit(RequestError):
    """Some fields cannot be what they were asked to be."""

    def __init__(self, faults: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{field}: {fault}" for field, fault in faults.items()))
        self.faults = faults


class UnfitUrl(Unfit):
    """The URL may not be called, whatever else is wrong."""

    code = "invalid_webhook_url"


class NoSuchEndpoint(RequestError):
    """There is no endpoint of this id."""

    status = 404
    code = "not_found"


class NoSuchEvent(RequestError):
    """One of the events does not exist, or is none that this endpoint can be sent."""

    status = 404
    code = "event_not_found"


class WrongKind(RequestError):
    """This cannot be done to an endpoint of this kind."""

    status = 409
    code = "wrong_endpoint_kind"


class IsDisabled(RequestError):
    """Nothing is sent to an endpoint that is disabled."""

    status = 409
    code = "endpoint_disabled"


class TooManyEndpoints(RequestError):
    """There are as many endpoints as there may be."""

    status = 409
    code = "too_many_endpoints"


class TooManySecrets(RequestError):
    """The endpoint has as many secrets as it may."""

    status = 409
    code = "too_many_secrets"


class New(Struct, frozen=True, kw_only=True):
    """An endpoint to be made."""

    url: str
    description: str = ""
    event_types: tuple[str, ...] = (ANY,)
    format: Format = Format.STANDARD
    headers: Mapping[str, Secret] = {}
    concurrency_max: int = CONCURRENCY_DEFAULT
    rate_max: float | None = None  # deliveries a second
    secret: Secret | None = None  # None: one is made
    signature: SecretKind = "hmac"  # of the secret that is made


class Change(Struct, frozen=True, kw_only=True):
    """What is to be changed; what is not said stays."""

    url: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    event_types: tuple[str, ...] | UnsetType = UNSET
    format: Format | UnsetType = UNSET
    headers: Mapping[str, Secret] | UnsetType = UNSET  # all of them
    concurrency_max: int | UnsetType = UNSET
    rate_max: float | UnsetType | None = UNSET


def there(endpoint: Endpoint | None) -> Endpoint:
    """Return an endpoint that exists; raise NoSuchEndpoint."""
    if endpoint is None:
        raise NoSuchEndpoint("No endpoint has this id")
    return endpoint


def own(endpoint: Endpoint | None) -> Endpoint:
    """Return an endpoint that may be changed; raise WrongKind for one that was not made here."""
    found = there(endpoint)
    if found.kind is Kind.CONFIG:
        raise WrongKind(
            "This endpoint is made from [webhooks] of the configuration: change it there"
        )
    if found.kind is Kind.SITE:
        raise WrongKind("This endpoint stands for what payments named as webhook_url")
    return found


def live_one(endpoint: Endpoint | None) -> Endpoint:
    """Return an endpoint that is sent to; raise IsDisabled."""
    found = there(endpoint)
    if not found.enabled:
        raise IsDisabled(f"This endpoint is disabled ({found.disabled_reason}): enable it first")
    return found


def room(made: int) -> None:
    """Raise TooManyEndpoints if no other may be made beside so many."""
    if made >= ENDPOINTS_MAX:
        raise TooManyEndpoints(
            f"There are {made} endpoints, and there may be {ENDPOINTS_MAX}: remove one that is not"
            " needed any more, disabled ones count too; or change one, which may name more types"
        )


def check(asked: New | Change, guard: Guard) -> None:
    """Raise Unfit, with all that is wrong."""
    faults = {
        "url": None if asked.url is UNSET else guard.check_url(asked.url),
        "description": None if asked.description is UNSET else text_fault(asked.description),
        "event_types": None if asked.event_types is UNSET else types_fault(asked.event_types),
        "headers": None if asked.headers is UNSET else headers_fault(revealed(asked.headers)),
        "concurrency_max": None
        if asked.concurrency_max is UNSET
        else concurrency_fault(asked.concurrency_max),
        "rate_max": None if asked.rate_max is UNSET else rate_fault(asked.rate_max),
        "secret": own_secret_fault(asked.secret) if isinstance(asked, New) else None,
    }
    refuse(faults)


def refuse(faults: Mapping[str, str | None]) -> None:
    """Raise Unfit if there is any fault."""
    if found := {field: fault for field, fault in faults.items() if fault}:
        raise UnfitUrl(found) if "url" in found else Unfit(found)


def text_fault(text: str) -> str | None:
    """Return what is wrong with a description, or None."""
    if len(text) > DESCRIPTION_SIZE_MAX:
        return f"may have {DESCRIPTION_SIZE_MAX} characters at most"
    return "must not contain U+0000" if "\0" in text else None


def types_fault(patterns: Sequence[str]) -> str | None:
    """Return what is wrong with a filter, or None."""
    if not 1 <= len(patterns) <= PATTERNS_MAX:
        return f"must name 1 to {PATTERNS_MAX} types, or '*'"
    return next(filter(None, map(pattern_fault, patterns)), None)


def concurrency_fault(count: int) -> str | None:
    """Return what is wrong with a number of deliveries at once, or None."""
    return None if 1 <= count <= CONCURRENCY_MAX else f"must be from 1 to {CONCURRENCY_MAX}"


def rate_fault(rate: float | None) -> str | None:
    """Return what is wrong with a number of deliveries a second, or None."""
    if rate is None or RATE_MIN <= rate <= RATE_MAX:
        return None
    return f"must be from {RATE_MIN:g} to {RATE_MAX:g} deliveries a second"


def own_secret_fault(secret: Secret | None) -> str | None:
    """Return what is wrong with a secret that somebody brought along, or None."""
    if secret is None:
        return None
    if len(secret.reveal()) > SECRET_SIZE_MAX:
        return f"may have {SECRET_SIZE_MAX} characters at most"
    return secret_fault(secret.reveal())


def overlap_fault(overlap: timedelta) -> str | None:
    """Return what is wrong with the time that two secrets sign, or None."""
    if timedelta(0) <= overlap <= OVERLAP_MAX:
        return None
    return f"must be from 0 to {OVERLAP_MAX.total_seconds():.0f} seconds"


def revealed(headers: Mapping[str, Secret]) -> dict[str, str]:
    """Return headers as they are sent."""
    return {name: value.reveal() for name, value in headers.items()}
