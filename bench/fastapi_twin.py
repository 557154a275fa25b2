"""POST /api/v1/payments as most would write it: FastAPI, pydantic, SQLAlchemy's async ORM, asyncpg.

The peer that create.py measures ctrip against, in a process of its own, on the same Postgres, in
tables of its own. It does for each request what ctrip does: it checks the key and the body, replays
what an Idempotency-Key was answered, gives out one address per payment and one payment per order,
and commits the payment with its event. It is written as FastAPI's and SQLAlchemy's own guides
write it, and none of it is slow on purpose: one session and one commit for a request, statements
that are prepared once, a pool in which all clients find room. The number of the next address comes
from a sequence, which makes nobody wait. It knows coins only, no tokens and no
prices, promises no webhooks, and has no indexes but those that refuse duplicates: it writes less
than ctrip does.

It is served as FastAPI's guide says, by one uvicorn with uvloop and httptools:

    DATABASE_URL=… API_KEY=… XPUB=… uvicorn bench.fastapi_twin:app
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Annotated, Final, NamedTuple
from uuid import UUID, uuid4

from bip32 import BIP32  # type: ignore[import-untyped]
from eth_keys.datatypes import PublicKey
from fastapi import Depends, FastAPI, Header, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

from bench.twin_models import (
    NEXT_INDEX,
    ApiKey,
    Base,
    CreatePayment,
    Event,
    EventOut,
    Payment,
    PaymentOut,
)
from ctrip.core.ids import Address
from ctrip.core.money import in_coins, payment_uri

POOL_SIZE: Final = 20  # connections: more than the bench has clients


class Chain(NamedTuple):
    """What is known of a chain."""

    chain_id: int
    coin: str
    decimals: int
    confirmations: int


CHAINS: Final = {"anvil": Chain(31337, "ETH", 18, 3)}


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Connect, make the tables, and keep what every request needs."""
    url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, pool_size=POOL_SIZE)
    async with engine.begin() as conn:
        await conn.execute(text("CREATE SCHEMA IF NOT EXISTS twin"))
        await conn.run_sync(Base.metadata.create_all)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.account = BIP32.from_xpub(os.environ["XPUB"])
    async with app.state.sessions.begin() as session:
        session.add(ApiKey(digest=digest_of(os.environ["API_KEY"]), scopes=["write"]))
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def a_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Give each request a session."""
    async with request.app.state.sessions() as session:
        yield session


Session = Annotated[AsyncSession, Depends(a_session)]
Bearer = Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]


async def who_may_write(session: Session, bearer: Bearer) -> UUID:
    """Return whose key a request bears, if it is one that may write."""
    wanted = select(ApiKey).where(ApiKey.digest == digest_of(bearer.credentials))
    key = await session.scalar(wanted)
    if key is None or (key.expires_at and key.expires_at <= datetime.now(UTC)):
        raise HTTPException(401, "This API key is not valid")
    if "write" not in key.scopes:
        raise HTTPException(403, "This API key lacks the scope 'write'")
    return key.id


@app.post("/api/v1/payments", status_code=201)
async def create_payment(
    order: CreatePayment,
    request: Request,
    response: Response,
    session: Session,
    owner: Annotated[UUID, Depends(who_may_write)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> PaymentOut:
    """Create a payment with an address of its own, or answer as before."""
    fingerprint = sha256(await request.body()).hexdigest()
    if replay := await find_replay(session, owner, idempotency_key, fingerprint):
        response.headers["idempotent-replayed"] = "true"
        return replay
    chain = CHAINS.get(order.chain)
    if chain is None:
        raise HTTPException(400, f"Unsupported chain: {order.chain}")
    index = await next_index(session)
    address = address_of(request.app.state.account, index)
    payment = draw_up(order, chain, address, index)
    payment.owner, payment.idempotency_key, payment.fingerprint = (
        owner,
        idempotency_key,
        fingerprint,
    )
    answer = show(payment)
    session.add(announce(payment, answer))
    try:
        await session.commit()
    except IntegrityError:
        await session.rollback()
        if replay := await find_replay(session, owner, idempotency_key, fingerprint):
            response.headers["idempotent-replayed"] = "true"
            return replay
        if order.order_id and await has_payment(session, owner, order.order_id):
            raise HTTPException(409, f"order_id {order.order_id} has a payment already") from None
        raise
    return answer


@app.get("/health/ready")
async def ready(session: Session) -> None:
    """Tell that the database answers."""
    await session.execute(text("SELECT 1"))


async def find_replay(
    session: AsyncSession, owner: UUID, key: str | None, fingerprint: str
) -> PaymentOut | None:
    """Return what a key was answered before; refuse it if that was another request."""
    if key is None:
        return None
    wanted = select(Payment).where(Payment.owner == owner, Payment.idempotency_key == key)
    payment = await session.scalar(wanted)
    if payment is None:
        return None
    if payment.fingerprint != fingerprint:
        raise HTTPException(422, "This Idempotency-Key was used for another request")
    first = select(Event.body).where(Event.payment_id == payment.id, Event.sequence == 1)
    return EventOut.model_validate_json((await session.scalars(first)).one()).data


async def has_payment(session: AsyncSession, owner: UUID, order_id: str) -> bool:
    """Tell whether an order has a payment."""
    wanted = select(Payment.id).where(Payment.owner == owner, Payment.order_id == order_id)
    return await session.scalar(wanted) is not None


async def next_index(session: AsyncSession) -> int:
    """Take the next address."""
    index: int = await session.scalar(NEXT_INDEX.next_value())
    return index


def address_of(account: BIP32, index: int) -> str:
    """Derive an address."""
    public = account.get_pubkey_from_path(f"m/0/{index}")
    return PublicKey.from_compressed_bytes(public).to_checksum_address()


def draw_up(order: CreatePayment, chain: Chain, address: str, index: int) -> Payment:
    """Turn an order into a payment."""
    now = datetime.now(UTC)
    return Payment(
        id=uuid4(),
        status="pending",
        chain=order.chain,
        chain_id=chain.chain_id,
        currency=chain.coin,
        decimals=chain.decimals,
        address=address,
        derivation_index=index,
        amount=Decimal(order.amount),
        confirmations_required=chain.confirmations,
        created_at=now,
        expires_at=now + timedelta(seconds=order.expires_in),
        order_id=order.order_id,
        description=order.description,
        labels=order.metadata,
        redirect_url=order.redirect_url and str(order.redirect_url),
        webhook_url=order.webhook_url and str(order.webhook_url),
    )


def show(payment: Payment) -> PaymentOut:
    """Put a payment into the words of the answer."""
    amount = int(payment.amount)
    return PaymentOut(
        id=payment.id,
        status=payment.status,
        chain=payment.chain,
        chain_id=payment.chain_id,
        currency=payment.currency,
        address=payment.address,
        amount=amount,
        amount_decimal=in_coins(amount, payment.decimals),
        confirmations_required=payment.confirmations_required,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        order_id=payment.order_id,
        description=payment.description,
        metadata=payment.labels,
        redirect_url=payment.redirect_url,
        webhook_url=payment.webhook_url,
        payment_uri=payment_uri(payment.chain_id, None, Address(payment.address), amount),
    )


def announce(payment: Payment, shown: PaymentOut) -> Event:
    """Return the news of a payment."""
    news = EventOut(
        id=f"evt_{uuid4().hex}",
        type="payment.created",
        created_at=payment.created_at,
        sequence=1,
        data=shown,
    )
    return Event(
        id=news.id,
        payment=payment,
        sequence=news.sequence,
        type=news.type,
        body=news.model_dump_json().encode(),
        created_at=news.created_at,
    )


def digest_of(key: str) -> bytes:
    """Return what a key is known by."""
    return sha256(key.encode()).digest()
