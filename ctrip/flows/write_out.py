"""Put what is to be signed elsewhere into the words of a file."""

from uuid import UUID

from msgspec.structs import replace

from ctrip.core.bundles import RefundOf, Unit, Unsigned, in_all_forms
from ctrip.core.chains import Chain
from ctrip.core.fees import Price
from ctrip.core.ids import Amount
from ctrip.core.money import in_coins
from ctrip.core.sending import Offer, Sending, SendingState
from ctrip.wallet.derive import checksum


def offered(new: Sending, price: Price) -> Sending:
    """Return a sending that is to be signed elsewhere, at a price."""
    value = new.amount if new.is_native else Amount(0)
    return replace(new, state=SendingState.UNSIGNED, exported=Offer(value, price))


def written(
    one: Sending,
    chain: Chain,
    why: str,
    path: str,
    *,
    to_path: str | None = None,
    depends_on: UUID | None = None,
    refund: RefundOf | None = None,
) -> Unsigned:
    """Return a sending as it is to be signed; `path` is that of its sender."""
    assert one.exported is not None, f"{one.id} is offered at no price"  # noqa: S101
    price = one.exported.price
    unsigned = Unsigned(
        id=one.id,
        why=why,
        sender=checksum(one.sender),
        path=path,
        to=checksum(one.recipient),
        to_path=to_path,
        value=str(one.exported.value),
        data=one.data,
        nonce=one.nonce,
        gas=one.gas,
        max_fee_per_gas=str(price.max_fee),
        max_priority_fee_per_gas=None if price.priority_fee is None else str(price.priority_fee),
        depends_on=depends_on,
        refund=refund,
    )
    return in_all_forms(unsigned, chain.chain_id)


def worth(one: Sending, chain: Chain) -> str:
    """Write what is moved for people."""
    token = next((token for token in chain.tokens if token.asset == one.asset), None)
    symbol, decimals = (
        (token.symbol, token.decimals) if token else (chain.coin, chain.coin_decimals)
    )
    return f"{in_coins(one.amount, decimals)} {symbol}"


def units(chain: Chain) -> tuple[Unit, ...]:
    """Return how a chain's assets are written."""
    coin = Unit(symbol=chain.coin, decimals=chain.coin_decimals)
    tokens = [
        Unit(contract=token.contract, symbol=token.symbol, decimals=token.decimals)
        for token in chain.tokens
    ]
    return (coin, *tokens)
