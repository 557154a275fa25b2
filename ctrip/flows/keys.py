"""Make an API key. Here is the chance that one is made of."""

import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from ctrip.core.ids import KeyId
from ctrip.core.keys import (
    CHANCE_BYTES,
    PREFIX,
    PREFIX_SHOWN,
    ApiKey,
    digest_of,
    faults_in,
    network_in,
)
from ctrip.flows.register import Unfit


def make_key(
    name: str,
    scopes: Collection[str],
    now: datetime,
    *,
    allowed_cidrs: Collection[str] = (),
    lifetime: timedelta | None = None,
    key_id: UUID | None = None,
) -> tuple[str, ApiKey, bytes]:
    """Return a new key's text, which is shown once, its record and its digest; or raise Unfit."""
    if faults := faults_in(name, scopes, allowed_cidrs, lifetime):
        raise Unfit(faults)
    text = PREFIX + secrets.token_urlsafe(CHANCE_BYTES)
    record = ApiKey(
        id=KeyId(key_id or uuid4()),
        name=name,
        prefix=text[:PREFIX_SHOWN],
        scopes=frozenset(scopes),
        allowed_cidrs=tuple(str(network_in(cidr)) for cidr in allowed_cidrs),
        created_at=now,
        expires_at=None if lifetime is None else now + lifetime,
    )
    return text, record, digest_of(text)
