"""Make payments: check what is asked and draw it up. enroll.py gives an address and writes."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Final
from uuid import uuid4

from msgspec import Struct

from ctrip.clock import Clock
from ctrip.core.chains import Chain, Token
from ctrip.core.errors import OutageError, RequestError
from ctrip.core.finality import confirmations_for, depth_for, needs_second_opinion
from ctrip.core.idempotency import IdempotencyKey
from ctrip.core.ids import (
    NATIVE,
    NOBODY,
    Address,
    Amount,
    ChainName,
    KeyId,
    PaymentId,
    TokenId,
)
from ctrip.core.payment import Payment
from ctrip.core.plays import EXPIRES_IN, Case
from ctrip.core.price import Price, Quote
from ctrip.flows.enroll import Enroller, Made, Replay, answer_again
from ctrip.flows.price import Pricer
from ctrip.settings import Network, Payments
from ctrip.store import births, blocks
from ctrip.store.payments import Birth
from ctrip.store.pool import DatabaseOutage, Pool, connection
from ctrip.wallet.derive import Wallet
from ctrip.webhooks.guard import Guard

PACE_AGE_MAX: Final = timedelta(minutes=1)  # of a chain's measured pace

NO_ADDRESS: Final = Address("")


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


class Order(Struct, frozen=True, kw_only=True):
    """What a shop asks for; already well-formed, not yet possible."""

    owner: KeyId = NOBODY
    chain: ChainName
    amount: Amount | None = None  # or a price
    price: Price | None = None
    token_id: TokenId | None = None
    expires_in_seconds: int | None = None
    order_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    redirect_url: str | None = None
    webhook_url: str | None = None
    test_case: Case | None = None  # to be played on a development chain
    key: IdempotencyKey | None = None  # the same one makes one payment, however often it comes


class Creator:
    """Makes payments on the networks served."""

    def __init__(  # noqa: PLR0913  one for each part it needs
        self,
        networks: Sequence[Network],
        settings: Payments,
        wallet: Wallet,
        pool: Pool,
        clock: Clock,
        guard: Guard,
        news: asyncio.Event,
        *,
        pricer: Pricer,
        on_open: Callable[[ChainName], None] = lambda _: None,
    ) -> None:
        self._chains = {network.chain.name: network.chain for network in networks}
        self._settings = settings
        self._pool = pool
        self._clock = clock
        self._guard = guard
        self._pricer = pricer
        self._watched: set[ChainName] = set()
        self._paces: dict[ChainName, float] = {}  # seconds from block to block, as measured
        self._paces_at = clock.now()
        self._enroller = Enroller(
            wallet, pool, news, on_open, orders_are_unique=settings.order_id_unique
        )

    async def create(
        self, order: Order, *, require: Callable[[], None] | None = None
    ) -> Made | Replay:
        """Return a new payment with an address of its own, written and announced.

        An order whose key was said before is answered as it was then, also if it is not
        possible any more. `require` raises what else makes it impossible.
        """
        try:
            if require:
                require()
            chain = self._chains.get(order.chain)
            if chain is None:
                raise UnsupportedChain(f"Unsupported chain: {order.chain}")
            token = find_token(chain, order.token_id)
            if order.webhook_url and (fault := self._guard.check_url(order.webhook_url)):
                raise BadWebhookUrl(f"webhook_url: {fault}")
            await self._check_watched(chain.name)
            if order.price is None:
                amount, quote = order.amount or Amount(0), None
            else:
                amount, quote = await self._pricer.convert(order.price, chain, token)
            payment = self._draw_up(order, chain, token, amount, quote)
        except DatabaseOutage:
            raise  # nobody can look now whether it was made
        except (RequestError, OutageError):
            if order.key and (made_before := await self._made_before(order.owner, order.key)):
                return made_before
            raise
        return await self._enroller.enroll(Birth(payment, order.key))

    async def _made_before(self, owner: KeyId, key: IdempotencyKey) -> Replay | None:
        """Return what a key was answered, None if nothing; raise if it was another request."""
        async with connection(self._pool) as conn:
            first = await births.answered(conn, owner, key.text)
        if first is None:
            return None
        again = answer_again(key, first)
        if isinstance(again, RequestError):
            raise again
        return again

    def _draw_up(
        self, order: Order, chain: Chain, token: Token | None, amount: Amount, quote: Quote | None
    ) -> Payment:
        """Turn an order that is possible into a payment without an address."""
        terms = token.terms if token else chain.coin_terms
        depth = depth_for(amount, chain.confirmations, terms)
        pace = min(self._paces.get(chain.name, chain.block_seconds), chain.block_seconds)
        now = self._clock.now()
        expires_at = now + timedelta(
            seconds=hurried(order) or order.expires_in_seconds or self._settings.expires_in_seconds
        )
        return Payment(
            id=PaymentId(uuid4()),
            owner=order.owner,
            chain=chain.name,
            chain_id=chain.chain_id,
            token_id=token.id if token else None,
            contract=token.contract if token else None,
            asset=token.asset if token else NATIVE,
            currency=token.symbol if token else chain.coin,
            decimals=token.decimals if token else chain.coin_decimals,
            address=NO_ADDRESS,
            derivation_index=-1,
            amount=amount,
            quote=quote,
            confirmations_required=confirmations_for(depth, pace_seconds=pace),
            confirmed_by=depth.tag,
            needs_vouching=needs_second_opinion(amount, terms),
            accepts_late=self._settings.late_payments == "accept",
            created_at=now,
            expires_at=expires_at,
            watched_until=expires_at + timedelta(seconds=self._settings.late_window_seconds),
            order_id=order.order_id,
            description=order.description,
            metadata=order.metadata | ({"test_case": order.test_case} if order.test_case else {}),
            redirect_url=order.redirect_url,
            webhook_url=order.webhook_url,
            settles=chain.settlement.mode,
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


def hurried(order: Order) -> int | None:
    """Return the seconds of a test case that is about deadlines."""
    return EXPIRES_IN.get(order.test_case) if order.test_case else None


def find_token(chain: Chain, token_id: TokenId | None) -> Token | None:
    """Return the token of a chain, None for its coin, or raise TokenNotFound."""
    if token_id is None:
        return None
    for token in chain.tokens:
        if token.id == token_id and token.enabled:
            return token
    raise TokenNotFound(f"Token {token_id} not found for chain {chain.name}")
