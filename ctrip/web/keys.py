"""/api/v1/keys: make, show and end API keys, for administrators.

The text of a key is in the answer to the request that made it, and never again. A key that
was revoked stays on the list, because payments name it; so it is revoked, not deleted, and
doing it twice is doing it once. The last administrator's key may be revoked too, by itself if
need be: whoever has the database makes another with `ctrip keys create`.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from starlette.requests import Request
from starlette.responses import Response

from ctrip.clock import Clock
from ctrip.core.idempotency import AnswerLost
from ctrip.core.ids import KeyId
from ctrip.core.keys import (
    CIDR_LENGTH_MAX,
    CIDRS_MAX,
    LIFETIME_MAX,
    LIFETIME_MIN,
    NAME_LENGTH_MAX,
    SCOPES,
    SCOPES_DEFAULT,
    ApiKey,
    Scope,
)
from ctrip.flows.keybook import Keybook
from ctrip.flows.keyring import SecretsKeyMissing
from ctrip.flows.keys import make_key
from ctrip.store import accounts
from ctrip.store.pool import Pool, connection
from ctrip.web.auth import Caller
from ctrip.web.bodies import parse, parse_query, read_body
from ctrip.web.lists import PAGE_MAX, Cursor, Limit, Listed, answer, listed, read_cursor
from ctrip.web.operation import Operation
from ctrip.web.problems import FieldError, InvalidBody, NotFound
from ctrip.web.repeats import occasion_in

ALL: Final = "/api/v1/keys"
ONE: Final = ALL + "/{key_id}"
OF_THE_MADE_ONE: Final = {"key_id": "$response.body#/id"}
LAST: Final = (datetime(9999, 12, 31, tzinfo=UTC), KeyId(UUID(int=2**128 - 1)))  # after every key

Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=NAME_LENGTH_MAX,
        pattern=r"^[^\x00]*\Z",
        extra_json_schema={"examples": ["till"]},
    ),
]
Cidr = Annotated[
    str,
    Meta(
        max_length=CIDR_LENGTH_MAX,
        extra_json_schema={
            "pattern": r"^[0-9A-Fa-f:.]{2,45}(/[0-9]{1,3})?$",
            "examples": ["192.0.2.0/24"],
        },
    ),
]
Prefix = Annotated[str, Meta(extra_json_schema={"examples": ["ctrip_4fQ9xZ"]})]
Text = Annotated[str, Meta(extra_json_schema={"examples": ["ctrip_4fQ9xZ…"]})]
Lifetime = Annotated[
    int, Meta(ge=int(LIFETIME_MIN.total_seconds()), le=int(LIFETIME_MAX.total_seconds()))
]

operation = partial(Operation, scope="admin")


class CreateKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """POST /api/v1/keys."""

    name: Name
    scopes: Annotated[tuple[Scope, ...], Meta(min_length=1)] = SCOPES_DEFAULT
    expires_in: Lifetime | None = None  # seconds
    allowed_cidrs: Annotated[tuple[Cidr, ...], Meta(max_length=CIDRS_MAX)] = ()


class ListKeys(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The query of GET /api/v1/keys."""

    limit: Limit = PAGE_MAX
    cursor: str = ""


class KeyView(Struct, frozen=True, kw_only=True):
    """An API key, without its text."""

    id: KeyId
    name: Name
    prefix: Prefix
    scopes: list[Scope]
    allowed_cidrs: list[Cidr]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    key: Text | UnsetType = UNSET  # in the answer to whoever made it


CREATE: Final = msgspec.json.Decoder(CreateKey)


class KeyPages:
    """The routes of keys."""

    def __init__(self, book: Keybook, pool: Pool, clock: Clock) -> None:
        self._book = book
        self._pool = pool
        self._clock = clock

    def operations(self) -> list[Operation]:
        """Return what can be asked about keys."""
        return [
            operation(
                method="POST",
                path=ALL,
                page=self.create,
                name="create_key",
                says="Make an API key. Its text is in the answer, this once.",
                takes=CreateKey,
                status=201,
                gives=KeyView,
                refuses=(SecretsKeyMissing,),
                repeats="sealed",
                links={"get_key": OF_THE_MADE_ONE, "revoke_key": OF_THE_MADE_ONE},
            ),
            operation(
                method="GET",
                path=ALL,
                page=self.list_all,
                name="list_keys",
                says="List API keys, newest first, those that were revoked too.",
                asks=ListKeys,
                gives=Listed[KeyView],
            ),
            operation(
                method="GET",
                path=ONE,
                page=self.get,
                name="get_key",
                says="Show an API key.",
                gives=KeyView,
            ),
            operation(
                method="POST",
                path=f"{ONE}/revoke",
                page=self.revoke,
                name="revoke_key",
                says="End an API key within a second, for good.",
                gives=KeyView,
            ),
        ]

    async def create(self, request: Request, _caller: Caller) -> Response:
        """Make a key; 201, with its text."""
        asked = parse(await read_body(request), CREATE)
        text, record, digest = make_key(
            asked.name,
            asked.scopes,
            self._clock.now(),
            allowed_cidrs=asked.allowed_cidrs,
            lifetime=None if asked.expires_in is None else timedelta(seconds=asked.expires_in),
            key_id=occasion_in(request),
        )
        async with connection(self._pool) as conn:
            if not await accounts.add(conn, record, digest):
                raise AnswerLost(
                    f"An earlier try of this request made the key {record.id}, and its text cannot"
                    " be told again: revoke it, and make another with a new Idempotency-Key"
                )
        return answer(show_key(record, text=text), 201)

    async def list_all(self, request: Request, _caller: Caller) -> Response:
        """List keys, newest first."""
        asked = parse_query(request, ListKeys)
        cursor = read_cursor(asked.cursor, of=["keys"])
        before = LAST if cursor is None else (cursor.time, id_in(cursor))
        async with connection(self._pool) as conn:
            found = await accounts.page(conn, before=before, count_max=asked.limit + 1)
        page = found[: asked.limit]
        last = page[-1] if len(found) > asked.limit else None
        after_page = Cursor("keys", last.created_at, str(last.id)) if last else None
        return listed([show_key(one, last_used_at=one.last_used_at) for one in page], after_page)

    async def get(self, request: Request, _caller: Caller) -> Response:
        """Show a key."""
        return answer(await self._shown(key_in(request)))

    async def revoke(self, request: Request, _caller: Caller) -> Response:
        """End a key: here at once, elsewhere within a second."""
        wanted = key_in(request)
        async with connection(self._pool) as conn:
            await accounts.revoke(conn, wanted, now=self._clock.now())
        await self._book.run_once()
        return answer(await self._shown(wanted))

    async def _shown(self, key_id: KeyId) -> KeyView:
        async with connection(self._pool) as conn:
            found = await accounts.get(conn, key_id)
        if found is None:
            raise no_such_key()
        return show_key(found, last_used_at=found.last_used_at)


def key_in(request: Request) -> KeyId:
    """Return which key a path means."""
    try:
        return KeyId(UUID(request.path_params["key_id"]))
    except ValueError:
        raise no_such_key() from None


def id_in(cursor: Cursor) -> KeyId:
    """Return which key a cursor names."""
    try:
        return KeyId(UUID(cursor.id))
    except ValueError:
        raise InvalidBody([FieldError("cursor", "is not one that this list gave")]) from None


def no_such_key() -> NotFound:
    """Return the refusal to tell of a key that is not there."""
    return NotFound("No key has this id")


def show_key(
    key: ApiKey, *, last_used_at: datetime | None = None, text: str | UnsetType = UNSET
) -> KeyView:
    """Put a key into the words of the contract; its text only for whoever made it."""
    return KeyView(
        id=key.id,
        name=key.name,
        prefix=key.prefix,
        scopes=[scope for scope in SCOPES if scope in key.scopes],
        allowed_cidrs=list(key.allowed_cidrs),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=last_used_at,
        key=text,
    )
