"""The nouns of the map: a network, its coin and the tokens listed on it."""

from msgspec import Struct

from ctrip.core.ids import Address, Asset, ChainName, TokenId, raw, token_id


class Token(Struct, frozen=True, kw_only=True):
    """An ERC-20 contract whose transfers count as money."""

    chain: ChainName
    chain_id: int
    contract: Address
    symbol: str
    decimals: int
    enabled: bool = True  # False once it has left chains.yaml

    @property
    def id(self) -> TokenId:
        return token_id(self.chain_id, raw(self.contract))

    @property
    def asset(self) -> Asset:
        return Asset(raw(self.contract))


class Chain(Struct, frozen=True, kw_only=True):
    """One EVM network, as chains.yaml describes it; its endpoints are secrets, in settings."""

    name: ChainName
    chain_id: int
    confirmations: int  # blocks, the block of the transfer included, before goods may be shipped
    finality_depth: int  # blocks; stands in where a node has no `finalized` tag
    poll_interval_seconds: float
    poa: bool = False
    coin: str = "ETH"  # symbol of the native coin
    coin_decimals: int = 18
    explorer: str = ""
    tokens: tuple[Token, ...] = ()
