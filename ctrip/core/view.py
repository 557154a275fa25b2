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
from ctrip.core.ids import Address, Asset, BlockHash, EventId, RawAddress, TxHash
from ctrip.core.money import in_coins, payment_uri
from ctrip.core.payment import Payment, Status, Transfer, TransferKey

ENCODER: Final = json.Encoder(uuid_format="canonical")


class TransferView(Struct, frozen=True, kw_only=True, rename={"sender": "from"}):
    """Money that reached the address."""

    tx_hash: TxHash
    asset: Asset  # "native" or the token's contract
    sender: RawAddress
    amount: int
    block_number: int
    block_hash: BlockHash
    block_time: datetime
    log_index: int | None
    confirmations: int
    counted: bool  # towards the amount
    orphaned: bool


class PaymentView(Struct, frozen=True, kw_only=True):
    """A payment."""

    id: str
    status: Status
    flags: list[str]
    chain: str
    chain_id: int
    token_id: str | None
    currency: str
    address: Address
    amount: int
    amount_decimal: str
    amount_received: int
    confirmations: int
    confirmations_required: int
    detected_in_block: int | None
    created_at: datetime
    expires_at: datetime
    order_id: str | None
    description: str | None
    metadata: dict[str, str]
    redirect_url: str | None
    webhook_url: str | None
    payment_uri: str
    checkout_url: str | None
    transfers: list[TransferView]


class EventView(Struct, frozen=True, kw_only=True):
    """A webhook's body."""

    id: EventId
    type: EventType
    created_at: datetime
    sequence: int
    data: PaymentView


def show(payment: Payment) -> PaymentView:
    """Put a payment into the words of the contract."""
    counted = {transfer.key for transfer in payment.counted()}
    return PaymentView(
        id=str(payment.id),
        status=payment.status,
        flags=sorted(payment.flags),
        chain=payment.chain,
        chain_id=payment.chain_id,
        token_id=None if payment.token_id is None else str(payment.token_id),
        currency=payment.currency,
        address=payment.address,
        amount=payment.amount,
        amount_decimal=in_coins(payment.amount, payment.decimals),
        amount_received=payment.amount_received,
        confirmations=payment.confirmations,
        confirmations_required=payment.confirmations_required,
        detected_in_block=payment.detected_in_block,
        created_at=payment.created_at,
        expires_at=payment.expires_at,
        order_id=payment.order_id,
        description=payment.description,
        metadata=payment.metadata,
        redirect_url=payment.redirect_url,
        webhook_url=payment.webhook_url,
        payment_uri=payment_uri(
            payment.chain_id, payment.contract, payment.address, payment.amount
        ),
        checkout_url=None,  # there is no page for payers yet
        transfers=[
            show_transfer(t, head=payment.head, counted=t.key in counted)
            for t in sorted(payment.transfers, key=place)
        ],
    )


def place(transfer: Transfer) -> tuple[int, int, TransferKey]:
    """Return where a transfer stands in its chain, so that a payment looks the same each time."""
    index = -1 if transfer.log_index is None else transfer.log_index
    return transfer.block_number, index, transfer.key


def show_transfer(transfer: Transfer, *, head: int, counted: bool) -> TransferView:
    """Put a transfer into the words of the contract."""
    deep = 0 if transfer.orphaned else max(0, head - transfer.block_number + 1)
    return TransferView(
        tx_hash=transfer.key.tx_hash,
        asset=transfer.key.asset,
        sender=transfer.sender,
        amount=transfer.amount,
        block_number=transfer.block_number,
        block_hash=transfer.block_hash,
        block_time=transfer.block_time,
        log_index=transfer.log_index,
        confirmations=deep,
        counted=counted,
        orphaned=transfer.orphaned,
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
