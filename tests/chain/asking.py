"""How the tests put questions to a chain."""

from typing import Any

from msgspec.structs import replace

from ctrip.chain.client import Ours
from ctrip.chain.rpc import RpcChain
from ctrip.clock import Clock
from ctrip.core.blocks import Block, Span
from ctrip.core.chains import Chain
from ctrip.core.finality import Depth
from ctrip.core.ids import BlockNumber, ChainName, RawAddress, TxHash
from ctrip.settings import Secret
from tests.chain.lying_node import CHAIN_ID, TOKEN, LyingNode, word
from tests.support.clock import FakeClock

TIMEOUT_SECONDS = 10.0  # longer than a busy machine keeps a node waiting
HANG_SECONDS = 0.5  # where a node is known to hang
FINALITY_DEPTH = 12


def a_chain(**changes: Any) -> Chain:
    """Return the chain that lying nodes are of."""
    chain = Chain(
        name=ChainName("testnet"),
        chain_id=CHAIN_ID,
        confirmations=Depth(3),
        finality_depth=FINALITY_DEPTH,
        poll_interval_seconds=1,
    )
    return replace(chain, **changes)


def client_of(
    *nodes: LyingNode | str,
    clock: Clock | None = None,
    chain: Chain | None = None,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> RpcChain:
    """Return a client of some nodes, or of plain URLs; its clock stands still."""
    urls = [Secret(node if isinstance(node, str) else node.url) for node in nodes]
    return RpcChain(chain or a_chain(), urls, clock or FakeClock(), timeout_seconds=timeout_seconds)


async def read(
    chain: RpcChain, first: int = 3, last: int = 5, *, ours: Ours | None = None
) -> list[Block]:
    """Ask for some blocks with the transfers of the one token."""
    tokens = [RawAddress(TOKEN)]
    return await chain.blocks(BlockNumber(first), BlockNumber(last), tokens=tokens, ours=ours)


async def read_span(chain: RpcChain, above: int = 2, last: int = 5, *, again: bool = False) -> Span:
    """Ask for a range of the one token's transfers."""
    tokens = [RawAddress(TOKEN)]
    return await chain.span(BlockNumber(above), BlockNumber(last), tokens=tokens, again=again)


async def read_one(chain: RpcChain, number: int = 4) -> Block:
    [block] = await read(chain, number, number)
    return block


def numbers(*values: int) -> list[BlockNumber]:
    return [BlockNumber(value) for value in values]


def hashes(*values: int) -> list[TxHash]:
    """Return the hashes of the transactions in these blocks."""
    return [TxHash(word(0x7000 + value)) for value in values]
