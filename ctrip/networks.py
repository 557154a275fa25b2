"""chains.yaml: the networks ctrip knows, their endpoints and their tokens.

The whole file is checked, whichever chains are in use: a mistake in it should not wait
for the day on which a chain is switched on. Only `${NAME}` in an endpoint is looked up
late, because nobody has the API keys of chains that they do not use.

The entries are what may be written; sheet.py reads YAML, terms.py what is asked of amounts,
feeds.py where prices stand, treasury.py where money goes, rpc_urls.py endpoints.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Final, Generic, NamedTuple, TypeVar

from msgspec import Meta, Struct
from msgspec.structs import replace

from ctrip.checks import Rule, address, web_root
from ctrip.core.chains import Chain, NativeSource, Settlement, Token
from ctrip.core.finality import Depth, Tag, Terms
from ctrip.core.ids import Address, ChainName, RawAddress
from ctrip.core.price import RateSource
from ctrip.feeds import read_prices
from ctrip.rpc_urls import complete, endpoint, endpoints
from ctrip.settings import Network, Secret
from ctrip.sheet import Sheet, Steps, parse, read_entry
from ctrip.terms import (
    AS_WRITTEN,
    DEPTH_MAX,
    Bounds,
    Confirmations,
    TermsEntry,
    is_depth,
    names_one_depth,
    read_depth,
    read_terms,
)
from ctrip.treasury import read_settlement
from ctrip.wallet.derive import checksum

NAME: Final = re.compile(r"[a-z0-9-]{3,20}")

CHAIN_ID_MAX: Final = 2**63 - 37  # EIP-2294
DECIMALS_MAX: Final = 77  # 10**78 is more than an EVM word holds
POLL_SECONDS_MAX: Final = 600  # a deposit would go unseen for longer than payers wait
IDLE_SECONDS_MAX: Final = 3_600  # money that nobody waits for is noticed within the hour
BLOCK_SECONDS_MAX: Final = 600  # bitcoin's; no EVM chain is slower
HELD: Final = Settlement()
DAILY_CALLS_MAX: Final = 10**9  # far above what any endpoint sells

Symbol = Annotated[str, Meta(min_length=1, max_length=20)]  # as in Uniswap's token lists
Decimals = Annotated[int, Meta(ge=0, le=DECIMALS_MAX)]
E = TypeVar("E", bound=TermsEntry)


class CoinEntry(TermsEntry, frozen=True, kw_only=True):
    """The native coin, as written."""

    symbol: Symbol
    decimals: Decimals = 18


class TokenEntry(TermsEntry, frozen=True, kw_only=True):
    """A token, as written."""

    symbol: Symbol
    address: str
    decimals: Decimals


class ChainEntry(Struct, frozen=True, kw_only=True):
    """A network, as written."""

    chain_id: Annotated[int, Meta(ge=1, le=CHAIN_ID_MAX)]
    rpc_urls: tuple[str, ...] = ()
    rpc_url: str = ""
    confirmations: Confirmations | None = None
    finality: Tag | None = None
    finality_depth: Annotated[int, Meta(ge=1, le=DEPTH_MAX)]
    block_seconds: Annotated[float, Meta(gt=0, le=BLOCK_SECONDS_MAX)] = 12.0
    poll_interval_seconds: Annotated[float, Meta(gt=0, le=POLL_SECONDS_MAX)]
    idle_interval_seconds: Annotated[float, Meta(gt=0, le=IDLE_SECONDS_MAX)] = 60.0
    coin: dict[str, Any]
    tokens: tuple[Any, ...] = ()
    native: NativeSource = NativeSource.TRANSACTIONS
    internal: bool = True
    blooms: bool = True
    daily_calls_max: Annotated[int, Meta(ge=0, le=DAILY_CALLS_MAX)] = 0
    poa: bool = False
    explorer: str = ""
    settlement: dict[str, Any] = {}


class Asked(NamedTuple, Generic[E]):
    """An asset, what is asked of its amounts, and where its price stands."""

    entry: E
    terms: Terms
    prices: tuple[RateSource, ...]


class Listed(NamedTuple):
    """A network without a fault; its endpoints may still hold ${NAME}."""

    chain: Chain
    rpc_urls: tuple[str, ...]
    where: str


def read_chains(
    text: str, file: str, faults: list[str], common: Settlement = HELD
) -> dict[str, Listed | None]:
    """Read every network of the file; one that has a fault is None."""
    sheet = parse(text, file, faults, as_written=AS_WRITTEN)
    if sheet is None:
        return {}
    if not isinstance(sheet.tree, dict) or not isinstance(sheet.tree.get("chains"), dict):
        faults.append(f"{file}: chains: is missing; write the networks under one key, chains")
        return {}
    for key in sheet.tree:
        if key != "chains":
            sheet.fault((str(key),), "is no field; everything stands under chains")
    entries = {str(name): entry for name, entry in sheet.tree["chains"].items()}
    listed = {name: read_chain(name, entry, sheet, common) for name, entry in entries.items()}
    check_chain_ids(listed, sheet)
    return listed


def networks(
    listed: Mapping[str, Listed | None],
    use: Sequence[str],
    label: str,
    lookup: Callable[[str], str],
    faults: list[str],
) -> tuple[Network, ...]:
    """Pick the chains in use and complete their endpoints.

    `label` is what a fault in `use` begins with. `lookup` reads a variable or raises Unusable.
    """
    known = ", ".join(sorted(listed))
    if not use:
        faults.append(f"{label}: is empty; name the chains to serve, out of {known}")
    faults += [f"{label}: {n!r} is unknown; known are {known}" for n in use if n not in listed]
    chosen = []
    for name in dict.fromkeys(use):
        if entry := listed.get(name):
            where = f"{entry.where}: chains.{name}.rpc_urls"
            urls = [Secret(complete(url, lookup, where, faults)) for url in entry.rpc_urls]
            chosen.append(Network(chain=entry.chain, rpc_urls=tuple(urls)))
    return tuple(chosen)


def read_chain(name: str, entry: object, sheet: Sheet, common: Settlement) -> Listed | None:
    """Read one network."""
    path: Steps = ("chains", name)
    before = len(sheet.faults)
    if not NAME.fullmatch(name):
        sheet.fault(path, "must be 3 to 20 of a-z, 0-9 and -; rename it")
    written = read_entry(ChainEntry, entry, path, sheet, RULES)
    parts = entry if isinstance(entry, dict) else {}
    if parts and ("rpc_url" in parts) == ("rpc_urls" in parts):
        sheet.fault(path, "must have either rpc_urls, a list in order of preference, or rpc_url")
    names_one_depth(entry, path, sheet)
    bounds = depth = None
    if written:
        bounds = Bounds(written.finality_depth, written.block_seconds, len(set(urls_of(written))))
        depth = read_depth(written.confirmations, written.finality, path, sheet, bounds)
    coin = read_coin(parts["coin"], (*path, "coin"), sheet, bounds) if "coin" in parts else None
    tokens = read_tokens(parts.get("tokens"), (*path, "tokens"), sheet, bounds)
    place = (*path, "settlement")
    settlement = read_settlement(parts.get("settlement", {}), place, sheet, common)
    if written is None or depth is None or coin is None or len(sheet.faults) > before:
        return None
    chain = chain_of(ChainName(name), written, depth, coin, tokens)
    return Listed(replace(chain, settlement=settlement), urls_of(written), sheet.where(path))


def urls_of(written: ChainEntry) -> tuple[str, ...]:
    """Return the endpoints, in whichever of the two ways they are given."""
    return written.rpc_urls or (written.rpc_url,)


def read_coin(
    entry: object, path: Steps, sheet: Sheet, bounds: Bounds | None
) -> Asked[CoinEntry] | None:
    """Read the native coin of a network."""
    coin = read_entry(CoinEntry, entry, path, sheet, RULES)
    return asked(coin, coin.decimals, path, sheet, bounds) if coin else None


def read_tokens(
    entries: object, path: Steps, sheet: Sheet, bounds: Bounds | None
) -> dict[Address, Asked[TokenEntry]]:
    """Read the tokens of a network, each contract once."""
    tokens: dict[Address, Asked[TokenEntry]] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        place = (*path, index)
        token = read_entry(TokenEntry, entry, place, sheet, RULES)
        if token is None:
            continue
        contract = checksum(RawAddress(token.address.lower()))
        if contract in tokens:
            sheet.fault(place, "is a contract that is listed before; remove one")
        tokens[contract] = asked(token, token.decimals, place, sheet, bounds)
    return tokens


def asked(entry: E, decimals: int, path: Steps, sheet: Sheet, bounds: Bounds | None) -> Asked[E]:
    """Read what goes for coins and tokens alike."""
    terms = read_terms(entry, decimals, path, sheet, bounds)
    return Asked(entry, terms, read_prices(entry.prices, path, sheet))


def chain_of(
    name: ChainName,
    written: ChainEntry,
    depth: Depth,
    coin: Asked[CoinEntry],
    tokens: Mapping[Address, Asked[TokenEntry]],
) -> Chain:
    """Put a network together out of what was written and found right."""
    return Chain(
        name=name,
        chain_id=written.chain_id,
        confirmations=depth,
        finality_depth=written.finality_depth,
        poll_interval_seconds=written.poll_interval_seconds,
        idle_interval_seconds=written.idle_interval_seconds,
        block_seconds=written.block_seconds,
        poa=written.poa,
        coin=coin.entry.symbol,
        coin_decimals=coin.entry.decimals,
        coin_terms=coin.terms,
        coin_prices=coin.prices,
        explorer=written.explorer,
        native=written.native,
        internal=written.internal,
        blooms=written.blooms,
        daily_calls_max=written.daily_calls_max,
        tokens=tuple(
            Token(
                chain=name,
                chain_id=written.chain_id,
                contract=contract,
                symbol=token.entry.symbol,
                decimals=token.entry.decimals,
                terms=token.terms,
                prices=token.prices,
            )
            for contract, token in tokens.items()
        ),
    )


def check_chain_ids(listed: Mapping[str, Listed | None], sheet: Sheet) -> None:
    """Report networks that say they are the same one."""
    owners: dict[int, str] = {}
    for name, entry in listed.items():
        first = owners.setdefault(entry.chain.chain_id, name) if entry else name
        if first != name:
            sheet.fault(("chains", name, "chain_id"), f"is that of {first} too; correct one")


RULES: Final[Mapping[str, Rule]] = {
    "address": address,
    "confirmations": is_depth,
    "rpc_url": endpoint,
    "rpc_urls": endpoints,
    "explorer": web_root,
}
