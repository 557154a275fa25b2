"""What can be paid with: GET /api/v1/chains and GET /api/v1/tokens."""

from collections.abc import Sequence

from msgspec import Struct, json
from starlette.requests import Request
from starlette.responses import Response

from ctrip.core.chains import Chain, Token
from ctrip.core.finality import Tag
from ctrip.core.ids import Address
from ctrip.web.auth import Caller
from ctrip.web.lists import All
from ctrip.web.operation import Operation


class ChainView(Struct, frozen=True, kw_only=True):
    """A network that payments can be made on."""

    name: str
    chain_id: int
    currency: str
    decimals: int
    confirmations_required: int | None  # null where it is a time, or a tag of the chain
    confirmed_after_seconds: float | None
    confirmed_by: Tag | None
    explorer: str | None


class TokenView(Struct, frozen=True, kw_only=True):
    """A token that payments can be made in."""

    id: str
    chain: str
    symbol: str
    address: Address
    decimals: int
    enabled: bool


class Catalogue:
    """Fixed while a process runs: it is read from chains.yaml at the start."""

    def __init__(self, chains: Sequence[Chain], tokens: Sequence[Token]) -> None:
        self._chains = json.encode(All([show_chain(chain) for chain in chains]))
        self._tokens = json.encode(All([show_token(token) for token in tokens]))

    def operations(self) -> list[Operation]:
        """Return what can be asked about what can be paid with."""
        return [
            Operation(
                method="GET",
                path="/api/v1/chains",
                page=self.chains,
                name="list_chains",
                says="List the networks that payments can be made on.",
                scope="read",
                gives=All[ChainView],
            ),
            Operation(
                method="GET",
                path="/api/v1/tokens",
                page=self.tokens,
                name="list_tokens",
                says="List the tokens of those networks, the disabled ones included.",
                scope="read",
                gives=All[TokenView],
            ),
        ]

    async def chains(self, _request: Request, _caller: Caller) -> Response:
        """List the networks served."""
        return Response(self._chains, media_type="application/json")

    async def tokens(self, _request: Request, _caller: Caller) -> Response:
        """List the tokens of those networks, those that were disabled included."""
        return Response(self._tokens, media_type="application/json")


def show_chain(chain: Chain) -> ChainView:
    """Put a chain into the words of the contract; small amounts may need less."""
    depth = chain.confirmations
    by_blocks = depth.tag is None and not depth.seconds
    return ChainView(
        name=chain.name,
        chain_id=chain.chain_id,
        currency=chain.coin,
        decimals=chain.coin_decimals,
        confirmations_required=depth.blocks if by_blocks else None,
        confirmed_after_seconds=depth.seconds or None,
        confirmed_by=depth.tag,
        explorer=chain.explorer or None,
    )


def show_token(token: Token) -> TokenView:
    """Put a token into the words of the contract."""
    return TokenView(
        id=str(token.id),
        chain=token.chain,
        symbol=token.symbol,
        address=token.contract,
        decimals=token.decimals,
        enabled=token.enabled,
    )
