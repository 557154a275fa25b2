"""The nouns of the map: a network, its coin and the tokens listed on it."""

from enum import StrEnum
from typing import Final

from msgspec import Struct

from ctrip.core.finality import Depth, Terms
from ctrip.core.ids import NATIVE, Address, Asset, ChainName, TokenId, raw, token_id
from ctrip.core.payment import Settles
from ctrip.core.price import RateSource
from ctrip.core.sweep import Rule

# Wei a unit of gas, where a chain's entry says nothing: above what any chain in chains.yaml takes
# but in the wildest hours, so that a false price costs a bounded sum.
GAS_PRICE_MAX: Final = 1_000 * 10**9


class NativeSource(StrEnum):
    """Where a chain shows that its native coin moved."""

    TRANSACTIONS = "transactions"  # the value of transactions; what contracts forward is not there
    POLYGON = "polygon"  # logs of 0x…1010 for every move, those of contracts too
    EIP7708 = "eip7708"  # Transfer logs of 0xff…fe for every move (EIP-7708)


class Token(Struct, frozen=True, kw_only=True):
    """An ERC-20 contract whose transfers count as money."""

    chain: ChainName
    chain_id: int
    contract: Address
    symbol: str
    decimals: int
    enabled: bool = True  # False once it has left chains.yaml
    terms: Terms = Terms()
    prices: tuple[RateSource, ...] = ()  # one for each currency that it can be priced in

    @property
    def id(self) -> TokenId:
        return token_id(self.chain_id, raw(self.contract))

    @property
    def asset(self) -> Asset:
        return Asset(raw(self.contract))


class Settlement(Struct, frozen=True, kw_only=True):
    """Where confirmed money of a chain goes, and what may be paid for that."""

    mode: Settles = Settles.HOLD
    treasury: Address | None = None
    gas_price_max: int = GAS_PRICE_MAX  # wei; above, nothing is sent
    fee_percent_max: float = 10.0  # of coin that is moved
    batch: bool = False  # sweep tokens of many addresses in one transaction (EIP-7702)
    batch_window_seconds: int = 0  # that sweeps may wait for others to go with


class Chain(Struct, frozen=True, kw_only=True):
    """One EVM network, as chains.yaml describes it; its endpoints are secrets, in settings."""

    name: ChainName
    chain_id: int
    confirmations: Depth  # before goods may be shipped
    finality_depth: int  # blocks; stands in where a node has no `finalized` tag
    poll_interval_seconds: float  # while something may be paid
    idle_interval_seconds: float = 60  # while nothing may
    block_seconds: float = 12  # as its makers say; what is measured counts where it is faster
    poa: bool = False
    coin: str = "ETH"  # symbol of the native coin
    coin_decimals: int = 18
    explorer: str = ""
    tokens: tuple[Token, ...] = ()
    coin_terms: Terms = Terms()
    coin_prices: tuple[RateSource, ...] = ()
    native: NativeSource = NativeSource.TRANSACTIONS
    internal: bool = True  # look for native coin that contracts forward
    blooms: bool = True  # logsBloom can be relied on
    settlement: Settlement = Settlement()
    daily_calls_max: int = 0  # JSON-RPC calls in 24 hours before a warning; 0: no budget

    def rule(self, asset: Asset) -> Rule:
        """Return what is asked of sweeps of an asset of this chain."""
        return Rule(
            amount_min=self.terms(asset).sweep_min,
            fee_percent_max=self.settlement.fee_percent_max,
        )

    def terms(self, asset: Asset) -> Terms:
        """Return what is asked of an asset; of one that is not listed, nothing."""
        terms = {token.asset: token.terms for token in self.tokens} | {NATIVE: self.coin_terms}
        return terms.get(asset, Terms())
