"""Make payments: check what is asked, take a fresh address, write payment and event together.

Many creates are written in one statement: whoever is let in writes all that wait, and
those that come meanwhile are the next batch. A lone create waits for nobody.

An index is taken in a statement of its own before the payment is written, so the row of
the wallet is never locked while a payment is, and an index is never handed out twice,
whatever becomes of the payment.

When Postgres dies under a write, nobody knows whether it happened. Then the payments
are looked for by the ids they were given, and only what is missing is written, under the
same ids.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Final
from uuid import uuid4

from msgspec import Struct
from msgspec.structs import replace

from ctrip import logs
from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.core.endpoints import EndpointId, site_of
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.finality import confirmations_for, depth_for, needs_second_opinion
from ctrip.core.ids import NATIVE, Address, Amount, ChainName, PaymentId, TokenId
from ctrip.core.payment import Payment
from ctrip.settings import Network, Payments
from ctrip.store import births, blocks, endpoints, payments, wallets
from ctrip.store.pool import DatabaseOutage, Pool, connection
from ctrip.wallet.derive import Wallet
from ctrip.webhooks.guard import Guard

WRITERS: Final = 2  # one batch is drawn up while the other is written
BATCH_MAX: Final = 256  # payments; beyond it a transaction gets long for those who wait
BUSY_BATCH_MIN: Final = 4  # payments; smaller ones reserve what they need and leave no gaps
BATCHES_AHEAD: Final = 8  # what a busy batch reserves beyond its own need
PACE_AGE_MAX: Final = timedelta(minutes=1)  # of a chain's measured pace
TRIES: Final = 2  # a pool's idle connections die unnoticed when Postgres restarts

# Origins of webhook URLs, remembered so as not to be written again.
SITES_KNOWN_MAX: Final = 10_000

NO_ADDRESS: Final = Address("")

log = logs.get("ctrip.create")


class UnsupportedChain(RequestError):
    """The chain is not served here."""

    code = "unsupported_chain"


class TokenNotFound(RequestError):
    """The token is unknown, disabled, or of another chain."""

    code = "token_not_found"


class BadWebhookUrl(RequestError):
    """The webhook URL may not or cannot be called."""

    code = "invalid_webhook_url"


class ChainNotWatched(OutageError):
    """The chain was never read, so money on it would not be seen."""


class Interrupted(OutageError):
    """The writer of a batch was stopped before it knew the outcome."""


class Order(Struct, frozen=True, kw_only=True):
    """What a shop asks for; already well-formed, not yet possible."""

    chain: ChainName
    amount: Amount
    token_id: TokenId | None = None
    expires_in_seconds: int | None = None
    order_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    redirect_url: str | None = None
    webhook_url: str | None = None


class Waiting(Struct, frozen=True):
    """A payment to be written, and who waits for it."""

    payment: Payment
    written: "asyncio.Future[Payment]"


class Creator:
    """Makes payments on the networks served."""

    def __init__(
        self,
        networks: Sequence[Network],
        settings: Payments,
        wallet: Wallet,
        pool: Pool,
        clock: Clock,
        guard: Guard,
        news: asyncio.Event,
        *,
        on_open: Callable[[ChainName], None] = lambda _: None,
    ) -> None:
        self._chains = {network.chain.name: network.chain for network in networks}
        self._settings = settings
        self._wallet = wallet
        self._pool = pool
        self._clock = clock
        self._guard = guard
        self._news = news
        self._on_open = on_open
        self._watched: set[ChainName] = set()
        self._paces: dict[ChainName, float] = {}  # seconds from block to block, as measured
        self._paces_at = clock.now()
        self._indexes: deque[int] = deque()  # reserved, not yet used
        self._sites: set[EndpointId] = set()  # of webhook URLs, known to be written
        self._waiting: dict[PaymentId, Waiting] = {}
        self._writing = asyncio.Semaphore(WRITERS)

    async def create(self, order: Order) -> Payment:
        """Return a new payment with an address of its own, written and announced."""
        chain = self._chains.get(order.chain)
        if chain is None:
            raise UnsupportedChain(f"Unsupported chain: {order.chain}")
        token = find_token(chain, order.token_id)
        if order.webhook_url and (fault := self._guard.check_url(order.webhook_url)):
            raise BadWebhookUrl(f"webhook_url: {fault}")
        await self._check_watched(chain.name)
        payment = self._draw_up(order, chain, token)
        mine = Waiting(payment, asyncio.get_running_loop().create_future())
        self._waiting[payment.id] = mine
        async with self._writing:
            await asyncio.sleep(0)  # requests that have arrived already join the batch
            while payment.id in self._waiting:  # or the other writer took it meanwhile
                await self._write_batch()
        return await mine.written

    def _draw_up(self, order: Order, chain: Chain, token: Token | None) -> Payment:
        """Turn an order that is possible into a payment without an address."""
        terms = token.terms if token else chain.coin_terms
        depth = depth_for(order.amount, chain.confirmations, terms)
        pace = min(self._paces.get(chain.name, chain.block_seconds), chain.block_seconds)
        now = self._clock.now()
        expires_at = now + timedelta(
            seconds=order.expires_in_seconds or self._settings.expires_in_seconds
        )
        return Payment(
            id=PaymentId(uuid4()),
            chain=chain.name,
            chain_id=chain.chain_id,
            token_id=token.id if token else None,
            contract=token.contract if token else None,
            asset=token.asset if token else NATIVE,
            currency=token.symbol if token else chain.coin,
            decimals=token.decimals if token else chain.coin_decimals,
            address=NO_ADDRESS,
            derivation_index=-1,
            amount=order.amount,
            confirmations_required=confirmations_for(depth, pace_seconds=pace),
            confirmed_by=depth.tag,
            needs_vouching=needs_second_opinion(order.amount, terms),
            accepts_late=self._settings.late_payments == "accept",
            created_at=now,
            expires_at=expires_at,
            watched_until=expires_at + timedelta(seconds=self._settings.late_window_seconds),
            order_id=order.order_id,
            description=order.description,
            metadata=order.metadata,
            redirect_url=order.redirect_url,
            webhook_url=order.webhook_url,
            sequence=1,
        )

    async def _check_watched(self, chain: ChainName) -> None:
        """Refuse while a chain was never read: its watch begins at the head of that moment."""
        now = self._clock.now()
        if chain in self._watched and now - self._paces_at <= PACE_AGE_MAX:
            return
        async with connection(self._pool) as conn:
            self._watched |= (await blocks.places(conn)).keys()
            self._paces = await blocks.paces(conn)
        self._paces_at = now
        if chain not in self._watched:
            raise ChainNotWatched(f"{chain} is not being watched yet; try again in a moment")

    async def _write_batch(self) -> None:
        """Write everything that waits, and tell those who wait what became of it."""
        batch = list(islice(self._waiting.values(), BATCH_MAX))
        for waiting in batch:
            del self._waiting[waiting.payment.id]
        try:
            written = await self._write([waiting.payment for waiting in batch])
        except BaseException as error:
            cancelled = isinstance(error, asyncio.CancelledError)
            told = Interrupted("ctrip is stopping; try again") if cancelled else error
            for waiting in batch:
                if not waiting.written.done():
                    waiting.written.set_exception(told)
                    waiting.written.exception()  # taken here if nobody waits for it any more
            if cancelled:
                raise
            return
        for waiting, payment in zip(batch, written, strict=True):
            if not waiting.written.done():
                waiting.written.set_result(payment)
        for chain in {payment.chain for payment in written}:
            self._on_open(chain)
        self._news.set()

    async def _write(self, drawn_up: Sequence[Payment]) -> list[Payment]:
        """Give each payment an address and write all of them, or none."""
        new = [
            replace(payment, address=self._wallet.address(index), derivation_index=index)
            for payment, index in zip(
                drawn_up, await self._take_indexes(len(drawn_up)), strict=True
            )
        ]
        for attempt in range(1, TRIES + 1):
            try:
                await self._insert(new)
            except DatabaseOutage:
                if await self._are_there(new):
                    return new
                if attempt == TRIES:
                    raise
            else:
                return new
        return new

    async def _take_indexes(self, count: int) -> list[int]:
        """Return indexes that nobody else gets; under load some are kept for the next batches."""
        if len(self._indexes) < count:
            ahead = 0 if count < BUSY_BATCH_MIN else count * BATCHES_AHEAD
            async with connection(self._pool) as conn:
                first = await wallets.reserve(conn, self._wallet.fingerprint, count + ahead)
            self._indexes.extend(range(first, first + count + ahead))
        return [self._indexes.popleft() for _ in range(count)]

    async def _insert(self, new: Sequence[Payment]) -> None:
        now = new[0].created_at
        urls = [payment.webhook_url for payment in new if payment.webhook_url]
        strangers = {site_of(url): url for url in urls if site_of(url) not in self._sites}
        async with connection(self._pool) as conn:
            if strangers:
                await endpoints.add_sites(conn, list(strangers.values()), now=now)
                self._sites = self._sites if len(self._sites) < SITES_KNOWN_MAX else set()
                self._sites |= strangers.keys()
            await births.write(conn, new, wallet=self._wallet.fingerprint, now=now)

    async def _are_there(self, new: Sequence[Payment]) -> bool:
        """Find out what a lost answer would have said."""
        async with connection(self._pool) as conn:
            there = await payments.existing(conn, [payment.id for payment in new])
        log.warning("commit answer lost", written=len(there), of=len(new))
        return len(there) == len(new)


def find_token(chain: Chain, token_id: TokenId | None) -> Token | None:
    """Return the token of a chain, None for its coin, or raise TokenNotFound."""
    if token_id is None:
        return None
    for token in chain.tokens:
        if token.id == token_id and token.enabled:
            return token
    raise TokenNotFound(f"Token {token_id} not found for chain {chain.name}")
