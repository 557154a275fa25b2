"""Times, amounts and addresses, as sentences to people have them."""

from datetime import UTC, datetime

from ctrip.core.chains import Chain
from ctrip.core.ids import NATIVE, Asset
from ctrip.core.money import in_coins
from ctrip.core.payment import Payment


def moment(time: datetime) -> str:
    """Return a time to the second."""
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def asked(payment: Payment, amount: int) -> str:
    """Return an amount of what a payment asks for."""
    return f"{in_coins(amount, payment.decimals)} {payment.currency}"


def worth(amount: int, asset: Asset, chain: Chain | None) -> str:
    """Return an amount of anything on a chain; of a token that is not listed, its base units."""
    if chain is not None and asset == NATIVE:
        return f"{in_coins(amount, chain.coin_decimals)} {chain.coin}"
    token = next((t for t in chain.tokens if t.asset == asset), None) if chain else None
    if token is not None:
        return f"{in_coins(amount, token.decimals)} {token.symbol}"
    what = "the coin" if asset == NATIVE else f"a token that is not listed, {asset}"
    return f"{amount} base units of {what}"


def several(count: int, noun: str) -> str:
    """Return a number of things."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def duration(seconds: float) -> str:
    """Return how long something takes, about."""
    if seconds < 90:  # noqa: PLR2004  a minute and a half is still told in seconds
        return several(max(1, round(seconds)), "second")
    minutes = seconds / 60
    if minutes < 90:  # noqa: PLR2004  and so for minutes
        return several(round(minutes), "minute")
    return several(round(minutes / 60), "hour")
