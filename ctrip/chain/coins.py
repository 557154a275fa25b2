"""Native coin beside its transactions: what addresses hold, and what contracts moved.

Both are read in the state of one very block, named by its hash; an endpoint that takes no
hash there is given the number, and must show the block with that hash in the same batch.
"""

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from msgspec.json import Decoder

from ctrip.chain import balances, decode, traces
from ctrip.chain.blocks import BY_NUMBER, present
from ctrip.chain.decode import Contradiction, Garbled, NotYet, WireHeader
from ctrip.chain.endpoint import TRACES, Provider
from ctrip.chain.failover import Unable
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.lanes import cut
from ctrip.chain.wire import Answer, Call, Refusal, Reply
from ctrip.core.blocks import Header, Holding, NativeMove
from ctrip.core.ids import Amount

# What an endpoint may lack, in the words that an operator reads.
MANY_AT_ONCE: Final = "many balances in one call"
BY_HASH: Final = "state by block hash"

NO_STATE: Final = "it does not have the state of a block"
NO_BLOCK: Final = "it does not have the block whose state was asked for"

Said = Reply[str | WireHeader]
ANSWERS: Final[Decoder[Answer[str | WireHeader]]] = Decoder(list[Said] | Said)


async def holdings(provider: Provider, at: Header, asked: Sequence[Holding]) -> list[Amount]:
    """Return balances in the state after a block, in order."""
    held: list[Amount] = []
    for some in cut(asked, balances.ASKED_MAX):
        if not provider.lacks(MANY_AT_ONCE):
            replies = await _state(provider, at, [_at_once(some, at)])
            if replies[0].error is None:
                held += balances.read(text_of(replies[0]), len(some))
                continue
            provider.lack(MANY_AT_ONCE)
        calls = [balances.single(holding, at) for holding in some]
        for holding, reply in zip(some, await _state(provider, at, calls), strict=True):
            held.append(_single(provider, holding, reply))
    return held


def _at_once(asked: Sequence[Holding], at: Header) -> Call:
    return Call("eth_call", ({"data": balances.call_data(asked)}, {"blockHash": at.hash}))


def _single(provider: Provider, holding: Holding, reply: Said) -> Amount:
    if reply.error is None:
        return balances.read_single(text_of(reply), holding)
    if cure_of_refusal(reply.error) is Cure.GIVE_IN:
        return Amount(0)
    raise provider.refused("eth_call", reply.error)


async def _state(provider: Provider, at: Header, calls: Sequence[Call]) -> list[Said]:
    """Return replies about the state after a block; the calls name it by its hash."""
    if not provider.lacks(BY_HASH):
        replies = await provider.ask(calls, ANSWERS)
        errors = [reply.error for reply in replies if reply.error]
        if any(cure_of_refusal(error) is Cure.WAIT for error in errors):
            raise NotYet(NO_BLOCK)
        if not any(cure_of_refusal(error) is Cure.UNSUPPORTED for error in errors):
            return replies
    by_number = [
        Call(BY_NUMBER, (hex(at.number), False)),
        *(Call(call.method, (*call.params[:-1], hex(at.number))) for call in calls),
    ]
    shown, *replies = await provider.ask(by_number, ANSWERS)
    wire = present(provider, shown)
    if isinstance(wire, str):
        raise Garbled("a block is text")
    if decode.header(wire).hash != at.hash:
        raise NotYet(NO_BLOCK)
    if any(reply.error is None for reply in replies):
        provider.lack(BY_HASH)
    return replies


async def moves(provider: Provider, at: Header) -> list[NativeMove]:
    """Return what contracts moved in a block; Unable where the endpoint does not trace."""
    if provider.lacks(TRACES):
        raise Unable(TRACES)
    call = Call("debug_traceBlockByHash", (at.hash, {"tracer": "callTracer"}))
    [traced] = await provider.ask([call], traces.CALL_TRACER)
    if traced.error is None and traced.result is not None:
        with suppress(Garbled):  # old nodes do not say which transaction they traced
            return traces.from_call_tracer(traced.result)
    else:
        check_traced(provider, call, traced.error)
    call = Call("trace_block", (hex(at.number),))
    [listed] = await provider.ask([call], traces.TRACE_BLOCK)
    if listed.error is None and listed.result is not None:
        return traces.from_trace_block(listed.result, at.hash)
    check_traced(provider, call, listed.error)
    provider.lack(TRACES)
    raise Unable(TRACES)


def check_traced(provider: Provider, call: Call, refusal: Refusal | None) -> None:
    """Raise what went wrong, unless the endpoint does not know the method."""
    cure = cure_of_refusal(refusal, call.method) if refusal else Cure.WAIT
    if cure is Cure.WAIT:
        raise NotYet("it does not have the block to trace")
    if refusal and cure is not Cure.UNSUPPORTED:
        raise provider.refused(call.method, refusal)


def text_of(reply: Said) -> str:
    """Return a result that is hex, or nothing."""
    if isinstance(reply.result, WireHeader):
        raise Contradiction("a balance is a block")
    return reply.result or "0x"
