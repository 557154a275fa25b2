"""What a rollup of the OP stack charges beside gas, as one endpoint tells it.

A sender needs value + gas x max_fee, and this too: for the bytes that go to the parent chain, and
for the operator. No field of a transaction bounds it. With less than that in the account nodes take
the transaction, name its hash and never mine it; a third of a percent was enough. So it is read
once for a transaction, and what may change until it is mined gets a margin.

A contract of the chain knows it, at the same address on all of them. It wants the unsigned
transaction and makes room for the signature itself. Room for nonce and price is made here: what
the fee is has to be known before they are.
"""

from typing import Final

from msgspec.structs import replace

from ctrip.chain import decode
from ctrip.chain.decode import WORD, Garbled
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal
from ctrip.chain.wire import Call
from ctrip.core import envelope
from ctrip.core.abi import with_bytes, with_number
from ctrip.core.ids import Amount, RawAddress
from ctrip.core.outgoing import Outgoing

ORACLE: Final = RawAddress("0x420000000000000000000000000000000000000f")  # GasPriceOracle
L1_FEE: Final = "49948e0e"  # getL1Fee(bytes)
OPERATOR_FEE: Final = "275aedd2"  # getOperatorFee(uint256), since Isthmus
NONCE_ROOM: Final = 2**24 - 1  # three bytes: more than an address of ours will send
PRICE_ROOM: Final = 2**48 - 1  # six bytes: 281,474 gwei
MARGIN: Final = (3, 2)  # of the part for bytes: the parent chain's base fee moves an eighth a block
CALL: Final = "eth_call"
NOTHING: Final = "0x"


async def read(provider: Provider, sent: Outgoing) -> Amount | None:
    """Return what a transaction may be charged beside gas; None if the chain has no such fee."""
    data = with_bytes(L1_FEE, envelope.unsigned(roomy(sent))), with_number(OPERATOR_FEE, sent.gas)
    calls = [Call(CALL, ({"to": ORACLE, "data": some}, "latest")) for some in data]
    for_bytes, for_operator = await provider.ask(calls, decode.QUANTITIES)
    if for_bytes.error:
        raise provider.refused(CALL, for_bytes.error)
    if for_bytes.result == NOTHING:
        return None
    operator = 0
    if for_operator.error is None and for_operator.result != NOTHING:
        operator = word(for_operator.result)
    elif for_operator.error and cure_of_refusal(for_operator.error, CALL) is not Cure.GIVE_IN:
        raise provider.refused(CALL, for_operator.error)
    whole, part = MARGIN
    return Amount(-(-word(for_bytes.result) * whole // part) + operator)


def roomy(sent: Outgoing) -> Outgoing:
    """Return a transaction that is at least as long, whatever its nonce and its price will be."""
    price = max(sent.max_fee, PRICE_ROOM)
    return replace(sent, nonce=max(sent.nonce, NONCE_ROOM), max_fee=price, priority_fee=price)


def word(result: str | None) -> int:
    """Return the number that a function returned."""
    if not WORD.fullmatch(result or ""):
        raise Garbled("a fee is not one number")
    return int(result or "", 16)
