"""The tables of fastapi_twin.py, in a schema of their own, and the JSON that it takes and gives."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID, uuid4

from pydantic import BaseModel, ConfigDict, Field, HttpUrl
from sqlalchemy import DateTime, ForeignKey, MetaData, Numeric, Sequence, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

AMOUNT_MAX: Final = 2**256 - 1

ShortText = Annotated[str, Field(min_length=1, max_length=500)]


class Base(DeclarativeBase):
    """What tables have in common."""

    metadata = MetaData(schema="twin")
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy's own way
        datetime: DateTime(timezone=True),
        dict[str, str]: JSONB,
        list[str]: ARRAY(Text),
    }


class ApiKey(Base):
    """A key, known by its hash."""

    __tablename__ = "api_keys"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid4)
    digest: Mapped[bytes] = mapped_column(unique=True)
    scopes: Mapped[list[str]]
    expires_at: Mapped[datetime | None]


NEXT_INDEX: Final = Sequence(
    "next_index", start=0, minvalue=0, schema="twin", metadata=Base.metadata
)


class Payment(Base):
    """A payment."""

    __tablename__ = "payments"
    __table_args__ = (
        UniqueConstraint("owner", "idempotency_key"),
        UniqueConstraint("owner", "order_id"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner: Mapped[UUID]
    status: Mapped[str]
    chain: Mapped[str]
    chain_id: Mapped[int]
    currency: Mapped[str]
    decimals: Mapped[int]
    address: Mapped[str] = mapped_column(unique=True)
    derivation_index: Mapped[int]
    amount: Mapped[Decimal] = mapped_column(Numeric(78, 0))
    confirmations_required: Mapped[int]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    order_id: Mapped[str | None]
    description: Mapped[str | None]
    labels: Mapped[dict[str, str]] = mapped_column("metadata")
    redirect_url: Mapped[str | None]
    webhook_url: Mapped[str | None]
    idempotency_key: Mapped[str | None]
    fingerprint: Mapped[str]


class Event(Base):
    """News of a payment, as receivers would be told."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("payment_id", "sequence"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    payment_id: Mapped[UUID] = mapped_column(ForeignKey(Payment.id))
    payment: Mapped[Payment] = relationship()
    sequence: Mapped[int]
    type: Mapped[str]
    body: Mapped[bytes]
    created_at: Mapped[datetime]


class CreatePayment(BaseModel):
    """What is asked for."""

    model_config = ConfigDict(extra="forbid")

    chain: Annotated[str, Field(min_length=3, max_length=20)]
    amount: Annotated[int, Field(gt=0, le=AMOUNT_MAX)]
    expires_in: Annotated[int, Field(ge=60, le=604_800)] = 1_800
    order_id: ShortText | None = None
    description: ShortText | None = None
    metadata: Annotated[dict[str, str], Field(max_length=50)] = {}
    redirect_url: HttpUrl | None = None
    webhook_url: HttpUrl | None = None


class PaymentOut(BaseModel):
    """What is answered: the fields that ctrip answers with."""

    id: UUID
    status: str
    flags: list[str] = []
    chain: str
    chain_id: int
    token_id: UUID | None = None
    currency: str
    address: str
    amount: int
    amount_decimal: str
    price: None = None
    amount_received: int = 0
    confirmations: int = 0
    confirmations_required: int
    confirmed_by: str | None = None
    detected_in_block: int | None = None
    created_at: datetime
    expires_at: datetime
    extended_seconds: int = 0
    order_id: str | None
    description: str | None
    metadata: dict[str, str]
    redirect_url: str | None
    webhook_url: str | None
    payment_uri: str
    checkout_url: str | None = None
    transfers: list[dict[str, str]] = []


class EventOut(BaseModel):
    """What a receiver would be sent."""

    id: str
    type: str
    created_at: datetime
    sequence: int
    data: PaymentOut
