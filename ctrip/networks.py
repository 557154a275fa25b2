"""chains.yaml: the networks ctrip knows, their endpoints and their tokens.

The whole file is checked, whichever chains are in use: a mistake in it should not wait
for the day on which a chain is switched on. Only `${NAME}` in an endpoint is looked up
late, because nobody has the API keys of chains that they do not use.

YAML sets traps that are turned into faults here: a key given twice silently wins, an
address without quotes is a number, `on` and `no` are booleans.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, NamedTuple

import yaml
from msgspec import Meta, Struct

from ctrip.checks import WEB, Given, Place, Rule, S, Unusable, address, fill, is_url, web_root
from ctrip.core.chains import Chain, Token
from ctrip.core.ids import Address, ChainName, RawAddress
from ctrip.settings import Network, Secret
from ctrip.wallet.derive import checksum

NAME: Final = re.compile(r"[a-z0-9-]{3,20}")
VARIABLE: Final = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

CHAIN_ID_MAX: Final = 2**63 - 37  # EIP-2294
DECIMALS_MAX: Final = 77  # 10**78 is more than an EVM word holds
DEPTH_MAX: Final = 100_000  # blocks; so many hashes are kept until they are final
POLL_SECONDS_MAX: Final = 600  # a deposit would go unseen for longer than payers wait

Symbol = Annotated[str, Meta(min_length=1, max_length=20)]  # as in Uniswap's token lists
Decimals = Annotated[int, Meta(ge=0, le=DECIMALS_MAX)]
Depth = Annotated[int, Meta(ge=1, le=DEPTH_MAX)]
Steps = tuple[str | int, ...]  # the way to a value: ("chains", "bsc", "tokens", 1)


class CoinEntry(Struct, frozen=True, kw_only=True):
    """The native coin, as written."""

    symbol: Symbol
    decimals: Decimals = 18


class TokenEntry(Struct, frozen=True, kw_only=True):
    """A token, as written."""

    symbol: Symbol
    address: str
    decimals: Decimals


class ChainEntry(Struct, frozen=True, kw_only=True):
    """A network, as written."""

    chain_id: Annotated[int, Meta(ge=1, le=CHAIN_ID_MAX)]
    confirmations: Depth
    finality_depth: Depth
    poll_interval_seconds: Annotated[float, Meta(gt=0, le=POLL_SECONDS_MAX)]
    coin: dict[str, Any]
    rpc_urls: tuple[str, ...] = ()
    rpc_url: str = ""
    poa: bool = False
    explorer: str = ""
    tokens: tuple[Any, ...] = ()


class Listed(NamedTuple):
    """A network without a fault; its endpoints may still hold ${NAME}."""

    chain: Chain
    rpc_urls: tuple[str, ...]
    where: str


class Sheet(NamedTuple):
    """A parsed file that knows on which line everything stood."""

    file: str
    tree: object
    lines: dict[Steps, int]
    faults: list[str]

    def where(self, path: Steps) -> str:
        line = self.lines.get(path) or self.lines.get(path[:-1])
        return f"{self.file}:{line}" if line else self.file

    def fault(self, path: Steps, text: str) -> None:
        self.faults.append(f"{self.where(path)}: {dotted(path)}: {text}")


def read_chains(text: str, file: str, faults: list[str]) -> dict[str, Listed | None]:
    """Read every network of the file; one that has a fault is None."""
    sheet = parse(text, file, faults)
    if sheet is None:
        return {}
    if not isinstance(sheet.tree, dict) or not isinstance(sheet.tree.get("chains"), dict):
        faults.append(f"{file}: chains: is missing; write the networks under one key, chains")
        return {}
    for key in sheet.tree:
        if key != "chains":
            sheet.fault((str(key),), "is no field; everything stands under chains")
    entries = {str(name): entry for name, entry in sheet.tree["chains"].items()}
    listed = {name: read_chain(name, entry, sheet) for name, entry in entries.items()}
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


def complete(template: str, lookup: Callable[[str], str], label: str, faults: list[str]) -> str:
    """Replace each ${NAME} of an endpoint by what it holds."""
    before, held = len(faults), {}
    for name in VARIABLE.findall(template):
        try:
            held[name] = lookup(name)
        except Unusable as fault:
            faults.append(f"{label}: ${{{name}}} {fault}")
    if len(faults) > before:
        return ""
    url = VARIABLE.sub(lambda found: held[found[1]], template)
    if not is_url(url, WEB):
        faults.append(f"{label}: is no http(s) URL once its variables are filled in; correct them")
    return url


def variables(text: str) -> set[str]:
    """Return the names of all variables that the file mentions."""
    return set(VARIABLE.findall(text))


def parse(text: str, file: str, faults: list[str]) -> Sheet | None:
    """Parse YAML as yaml.safe_load does, and refuse a key that is given twice."""
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
        tree = loader.construct_document(root) if root else None
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        faults.append(f"{file}{line}: is not YAML ({error.problem}); look at indents and quotes")
        return None
    except yaml.YAMLError:
        faults.append(f"{file}: is not YAML; remove the characters that cannot be printed")
        return None
    sheet = Sheet(file, tree, {}, faults)
    twice: set[Steps] = set()
    for path, number in places(root, (), set()):
        if path in sheet.lines:
            twice.add(path)
            if path[:-1] not in twice:
                faults.append(f"{file}:{number}: {dotted(path)}: is given twice; remove one")
        sheet.lines[path] = number
    return sheet


def places(node: yaml.Node | None, path: Steps, seen: set[int]) -> Iterator[tuple[Steps, int]]:
    """Yield the path of every value and its line. An anchor is followed once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            inside = (*path, str(key.value))
            yield inside, key.start_mark.line + 1
            yield from places(value, inside, seen)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*path, index), value.start_mark.line + 1
            yield from places(value, (*path, index), seen)


def dotted(path: Steps) -> str:
    """Write a path as people do: chains.bsc.tokens[1].address."""
    return "".join(f"[{p}]" if isinstance(p, int) else f".{p}" for p in path).removeprefix(".")


def read_chain(name: str, entry: object, sheet: Sheet) -> Listed | None:
    """Read one network."""
    path: Steps = ("chains", name)
    before = len(sheet.faults)
    if not NAME.fullmatch(name):
        sheet.fault(path, "must be 3 to 20 of a-z, 0-9 and -; rename it")
    written = read_entry(ChainEntry, entry, path, sheet)
    parts = entry if isinstance(entry, dict) else {}
    coin = read_entry(CoinEntry, parts["coin"], (*path, "coin"), sheet) if "coin" in parts else None
    tokens = read_tokens(parts.get("tokens"), (*path, "tokens"), sheet)
    if parts and ("rpc_url" in parts) == ("rpc_urls" in parts):
        sheet.fault(path, "must have either rpc_urls, a list in order of preference, or rpc_url")
    if written and written.finality_depth < written.confirmations:
        sheet.fault((*path, "finality_depth"), "is less than confirmations; raise it to that")
    if written is None or coin is None or len(sheet.faults) > before:
        return None
    chain = Chain(
        name=ChainName(name),
        chain_id=written.chain_id,
        confirmations=written.confirmations,
        finality_depth=written.finality_depth,
        poll_interval_seconds=written.poll_interval_seconds,
        poa=written.poa,
        coin=coin.symbol,
        coin_decimals=coin.decimals,
        explorer=written.explorer,
        tokens=tuple(
            Token(
                chain=ChainName(name),
                chain_id=written.chain_id,
                contract=contract,
                symbol=token.symbol,
                decimals=token.decimals,
            )
            for contract, token in tokens.items()
        ),
    )
    return Listed(chain, written.rpc_urls or (written.rpc_url,), sheet.where(path))


def read_tokens(entries: object, path: Steps, sheet: Sheet) -> dict[Address, TokenEntry]:
    """Read the tokens of a network, each contract once."""
    tokens: dict[Address, TokenEntry] = {}
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        token = read_entry(TokenEntry, entry, (*path, index), sheet)
        if token is None:
            continue
        contract = checksum(RawAddress(token.address.lower()))
        if contract in tokens:
            sheet.fault((*path, index), "is a contract that is listed before; remove one")
        tokens[contract] = token
    return tokens


def read_entry(kind: type[S], entry: object, path: Steps, sheet: Sheet) -> S | None:
    """Fill a struct from a mapping of the file."""
    if not isinstance(entry, dict):
        sheet.fault(path, "must be a mapping of names and values")
        return None
    given = {str(k): Given(v, sheet.where((*path, str(k)))) for k, v in entry.items()}
    place = Place(
        where=sheet.where(path),
        label=lambda name: dotted((*path, name)),
        remedy=lambda _: "add it",
        rules=RULES,
    )
    return fill(kind, given, place, sheet.faults)


def check_chain_ids(listed: Mapping[str, Listed | None], sheet: Sheet) -> None:
    """Report networks that say they are the same one."""
    owners: dict[int, str] = {}
    for name, entry in listed.items():
        first = owners.setdefault(entry.chain.chain_id, name) if entry else name
        if first != name:
            sheet.fault(("chains", name, "chain_id"), f"is that of {first} too; correct one")


def endpoint(template: str) -> None:
    """Look at an endpoint as far as that goes before its variables are filled in."""
    if "${" in VARIABLE.sub("", template):
        raise Unusable("has a ${ that begins no variable; write ${NAME}")
    whole = VARIABLE.match(template)  # the variable may hold the URL from its scheme on
    if not whole and not is_url(VARIABLE.sub("1", template), WEB):
        raise Unusable("must be an http:// or https:// URL")


def endpoints(templates: tuple[str, ...]) -> None:
    """Look at every endpoint, of which there must be one."""
    if not templates:
        raise Unusable("must name one endpoint at least")
    for template in templates:
        endpoint(template)


RULES: Final[Mapping[str, Rule]] = {
    "address": address,
    "rpc_url": endpoint,
    "rpc_urls": endpoints,
    "explorer": web_root,
}
