"""A payment as the outside sees it: the answer of the API and the data of a webhook.

One shape for both, so a receiver that kept a webhook and a client that reads the API
compare like with like. Field names are a public contract: add, never rename.
Amounts are JSON integers of any length; see docs/api.md for clients whose numbers stop
at 2^53.
"""

from datetime import datetime
from typing import Final

from msgspec import Struct, json

from ctrip.core.events import EventType, PaymentEvent
from ctrip.core.finality import Tag
from ctrip.core.ids import (
    Address,
    Amount,
    Asset,
    BlockHash,
    ChainName,
    EventId,
    PaymentId,
    RawAddress,
    RefundId,
    TokenId,
    TxHash,
)
from ctrip.core.money import in_coins, payment_uri
from ctrip.core.notices import EndpointDisabled, Notice, Trial
from ctrip.core.payment import (
    Flag,
    GivenBack,
    Payment,
    Settles,
    Source,
    Status,
    Transfer,
    TransferKey,
)
from ctrip.core.price import Quote

ENCODER: Final = json.Encoder(uuid_format="canonical")
DATA: Final = b',"data":'  # begins an event's last field; none before it can hold these bytes


class TransferView(Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """Money that reached the address. What only a balance shows names no transaction."""

    chain: ChainName
    tx_hash: TxHash | None
    asset: Asset  # "native" or the token's contract
    source: Source
    sender: RawAddress | None
    amount: Amount
    block_number: int
    block_hash: BlockHash
    block_time: datetime
    log_index: int | None
    confirmations: int | None  # null on another chain than the payment's
    counted: bool  # towards the amount
    orphaned: bool
    swept_in_block: int | None  # where its money was moved to the treasury
    swept_in_tx: TxHash | None  # by which transaction


class GivenBackView(Struct, frozen=True, kw_only=True):
    """A part of the money that goes back. What is in no block names no transaction."""

    id: RefundId
    to: Address
    amount: Amount
    tx_hash: TxHash | None
    block_number: int | None


class PaymentView(Struct, frozen=True, kw_only=True, gc=False):
    """A payment."""

    id: PaymentId
    status: Status
    flags: list[Flag]
    chain: str
    chain_id: int
    token_id: TokenId | None
    currency: str
    address: Address
    amount: Amount
    amount_decimal: str
    price: Quote | None  # that the amount was made of
    amount_received: int
    confirmations: int
    confirmations_required: int
    confirmed_by: Tag | None
    detected_in_block: int | None
    created_at: datetime
    expires_at: datetime
    extended_seconds: int
    order_id: str | None
    description: str | None
    metadata: dict[str, str]
    redirect_url: str | None
    webhook_url: str | None
    payment_uri: str
    checkout_url: str | None
    settlement: Settles
    transfers: list[TransferView]
    amount_refunded: int
    refunds: list[GivenBackView]


class Reference(Struct, frozen=True, kw_only=True):
    """Who the news is of, for receivers that had rather ask."""

    id: PaymentId


class EventView(Struct, frozen=True, kw_only=True):
    """A webhook's body."""

    id: EventId
    type: EventType
    created_at: datetime
    sequence: int  # 0 where it is not of a payment
    data: PaymentView | Reference | Trial | EndpointDisabled


def show(payment: Payment) -> PaymentView:
    """Put a payment into the words of the contract."""
    counted = {transfer.key for transfer in payment.counted()}
    since = payment.detected_in_block
    return PaymentView(
        id=payment.id,
        status=payment.status,
        flags=sorted(payment.flags),
        chain=payment.chain,
        chain_id=payment.chain_id,
        token_id=payment.token_id,
        currency=payment.currency,
        address=payment.address,
        amount=payment.amount,
        amount_decimal=in_coins(payment.amount, payment.decimals),
        price=payment.quote,
        amount_received=payment.amount_received,
        confirmations=0 if since is None else payment.depth_of(since),
        confirmations_required=payment.confirmations_required,
        confirmed_by=payment.confirmed_by,
        detected_in_block=since,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        extended_seconds=payment.extended_seconds,
        order_id=payment.order_id,
        description=payment.description,
        metadata=payment.metadata,
        redirect_url=payment.redirect_url,
        webhook_url=payment.webhook_url,
        payment_uri=payment_uri(
            payment.chain_id, payment.contract, payment.address, payment.amount
        ),
        checkout_url=None,  # there is no page for payers yet
        settlement=payment.settles,
        transfers=[
            show_transfer(t, payment, counted=t.key in counted)
            for t in sorted(payment.transfers, key=place)
        ],
        amount_refunded=payment.amount_refunded,
        refunds=[show_given_back(back) for back in payment.refunds if not back.failed],
    )


def place(transfer: Transfer) -> tuple[int, int, TransferKey]:
    """Return where a transfer stands in its chain, so that a payment looks the same each time."""
    index = -1 if transfer.log_index is None else transfer.log_index
    return transfer.block_number, index, transfer.key


def show_transfer(transfer: Transfer, payment: Payment, *, counted: bool) -> TransferView:
    """Put a transfer into the words of the contract."""
    named = transfer.source is not Source.BALANCE
    deep = 0 if transfer.orphaned else payment.depth_of(transfer.block_number)
    return TransferView(
        chain=transfer.key.chain,
        tx_hash=transfer.key.tx_hash if named else None,
        asset=transfer.key.asset,
        source=transfer.source,
        sender=transfer.sender if named else None,
        amount=transfer.amount,
        block_number=transfer.block_number,
        block_hash=transfer.block_hash,
        block_time=transfer.block_time,
        log_index=transfer.log_index,
        confirmations=deep if transfer.key.chain == payment.chain else None,
        counted=counted,
        orphaned=transfer.orphaned,
        swept_in_block=transfer.swept_in,
        swept_in_tx=transfer.swept_by,
    )


def show_given_back(back: GivenBack) -> GivenBackView:
    """Put what is given back into the words of the contract."""
    return GivenBackView(
        id=back.id,
        to=back.to,
        amount=back.amount,
        tx_hash=back.tx_hash,
        block_number=back.block_number,
    )


def payment_body(payment: Payment) -> bytes:
    """Return a payment as JSON."""
    return ENCODER.encode(show(payment))


def event_body(event: PaymentEvent, created_at: datetime) -> bytes:
    """Return the exact bytes that are stored, signed and sent."""
    return ENCODER.encode(
        EventView(
            id=event.id,
            type=event.type,
            created_at=created_at,
            sequence=event.payment.sequence,
            data=show(event.payment),
        )
    )


def payment_in(event: bytes) -> bytes:
    """Return the payment as an event's body shows it."""
    return event[event.index(DATA) + len(DATA) : -1]


def thin_body(
    event_id: EventId, kind: EventType, created_at: datetime, sequence: int, payment: PaymentId
) -> bytes:
    """Return the bytes that are sent to those who want no more than the payment's id."""
    return ENCODER.encode(
        EventView(
            id=event_id,
            type=kind,
            created_at=created_at,
            sequence=sequence,
            data=Reference(id=payment),
        )
    )


def notice_body(notice: Notice, created_at: datetime) -> bytes:
    """Return the exact bytes of news that is not of a payment."""
    return ENCODER.encode(
        EventView(
            id=notice.id, type=notice.type, created_at=created_at, sequence=0, data=notice.data
        )
    )
