"""What tokens' contracts say of themselves, held against chains.yaml.

With wrong decimals every amount is wrong by a power of ten, so they are asked for before
money depends on them. Only an answer can be a fault: an endpoint that says nothing, or is
on another chain, leaves the question open.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from ctrip.chain.client import ChainOutage
from ctrip.chain.decode import Garbled, quantity
from ctrip.chain.wire import Endpoint, NodeRefused
from ctrip.core.chains import Chain, Token
from ctrip.core.ids import Address
from ctrip.settings import Secret

VERIFY_SECONDS_MAX: Final = 5.0  # for each answer; an endpoint that hangs must not delay a start
DECIMALS_MAX: Final = 255  # it is a uint8 (EIP-20)
SYMBOL_LENGTH_MAX: Final = 20  # characters of what a contract calls itself, which may be anything
WORD_BYTES: Final = 32
DECIMALS: Final = "0x313ce567"  # selector of decimals()
SYMBOL: Final = "0x95d89b41"  # selector of symbol()


class TokenSaid(Struct, frozen=True, kw_only=True):
    """What a contract says, through one endpoint."""

    contract: Address
    decimals: int | None = None
    symbol: str = ""
    missing: bool = False  # it answers, but not as a token does


async def verify_tokens(
    chain: Chain, rpc_urls: Sequence[Secret], *, timeout_seconds: float = VERIFY_SECONDS_MAX
) -> list[str]:
    """Return a sentence for each token whose contract is not what chains.yaml says."""
    endpoints = endpoints_of(chain, rpc_urls, timeout_seconds)
    try:
        said = await asyncio.gather(*(believed(chain, endpoint) for endpoint in endpoints))
    finally:
        for endpoint in endpoints:
            await endpoint.close()
    labels = [endpoint.label for endpoint in endpoints]
    return token_faults(chain, dict(zip(labels, said, strict=True)))


def token_faults(chain: Chain, said: Mapping[str, Sequence[TokenSaid]]) -> list[str]:
    """Compare the file with what the endpoints, by their labels, say of its tokens."""
    faults = []
    for token in chain.tokens:
        answers = dict(answers_on(token, said))
        numbers = {at: one.decimals for at, one in answers.items() if one.decimals is not None}
        name = f"{chain.name}: token {token.symbol}, {token.contract}"
        for number in sorted(set(numbers.values()) - {token.decimals}):
            who = " and ".join(at for at, other in numbers.items() if other == number)
            faults.append(
                f"{name}: has {token.decimals} decimals in chains.yaml and {number} on the chain, "
                f"says {who}; correct the file, or take out an endpoint that lies"
            )
        if not numbers and any(one.missing for one in answers.values()):
            faults.append(f"{name}: no token is at this address; correct it in chains.yaml")
    return faults


def answers_on(
    token: Token, said: Mapping[str, Sequence[TokenSaid]]
) -> Iterator[tuple[str, TokenSaid]]:
    """Yield who says what of one token."""
    for label, tokens in said.items():
        yield from ((label, one) for one in tokens if one.contract == token.contract)


def endpoints_of(
    chain: Chain, rpc_urls: Sequence[Secret], timeout_seconds: float
) -> list[Endpoint]:
    """Return the endpoints of a chain, labelled as everywhere else."""
    many = len(rpc_urls)
    return [
        Endpoint(
            f"{chain.name}, endpoint {place} of {many}" if many > 1 else chain.name,
            url,
            timeout_seconds=timeout_seconds,
        )
        for place, url in enumerate(rpc_urls, start=1)
    ]


async def believed(chain: Chain, endpoint: Endpoint) -> list[TokenSaid]:
    """Return what an endpoint says, if it is on the right chain."""
    try:
        if quantity(await text(endpoint, "eth_chainId")) != chain.chain_id:
            return []
    except (ChainOutage, Garbled):
        return []
    return await tokens_of(chain, endpoint)


async def tokens_of(chain: Chain, endpoint: Endpoint) -> list[TokenSaid]:
    """Ask each token's contract, until the endpoint falls silent."""
    said: list[TokenSaid] = []
    for token in chain.tokens:
        try:
            decimals = await returned(endpoint, token, DECIMALS)
            symbol = await returned(endpoint, token, SYMBOL) if decimals else None
        except (ChainOutage, Garbled):
            return said
        number = number_in(decimals) if decimals else None
        said.append(
            TokenSaid(
                contract=token.contract,
                decimals=number,
                symbol=symbol_in(symbol or b""),
                missing=decimals is not None and number is None,
            )
        )
    return said


async def returned(endpoint: Endpoint, token: Token, selector: str) -> bytes | None:
    """Return what a contract's function returns; None where the call was refused."""
    try:
        call = {"to": token.contract, "data": selector}
        data = await text(endpoint, "eth_call", call, "latest")
    except NodeRefused:
        return None
    try:
        return bytes.fromhex(data.removeprefix("0x"))
    except ValueError:
        pass
    raise Garbled("what a contract returned is not hex")


async def text(endpoint: Endpoint, method: str, *params: object) -> str:
    """Return the result of a call that is text."""
    result = await endpoint.call(method, *params)
    if not isinstance(result, str):
        raise Garbled("the answer is not text")
    return result


def number_in(data: bytes) -> int | None:
    """Return the uint8 that was returned."""
    number = int.from_bytes(data[:WORD_BYTES])
    return number if len(data) >= WORD_BYTES and number <= DECIMALS_MAX else None


def symbol_in(data: bytes) -> str:
    """Return a symbol: a string, or, of the oldest tokens, 32 bytes filled up with zeros."""
    if len(data) > WORD_BYTES:
        length = int.from_bytes(data[WORD_BYTES : 2 * WORD_BYTES])
        data = data[2 * WORD_BYTES :][: min(length, len(data))]
    name = data.rstrip(b"\0").decode(errors="replace")
    return "".join(sign for sign in name if sign.isprintable())[:SYMBOL_LENGTH_MAX]
