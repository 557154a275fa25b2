"""How the tests put questions to a chain."""

from ctrip.chain.rpc import RpcChain
from ctrip.core.blocks import Block
from ctrip.core.ids import BlockNumber, ChainName, RawAddress, TxHash
from ctrip.settings import Secret
from tests.chain.lying_node import CHAIN_ID, TOKEN, LyingNode, word

TIMEOUT_SECONDS = 0.5
FINALITY_DEPTH = 12


def client_of(*nodes: LyingNode | str) -> RpcChain:
    """Return a client of some nodes, or of plain URLs."""
    urls = [Secret(node if isinstance(node, str) else node.url) for node in nodes]
    return RpcChain(
        ChainName("testnet"),
        urls,
        chain_id=CHAIN_ID,
        finality_depth=FINALITY_DEPTH,
        timeout_seconds=TIMEOUT_SECONDS,
    )


async def read(chain: RpcChain, first: int = 3, last: int = 5) -> list[Block]:
    """Ask for some blocks with the transfers of the one token."""
    return await chain.blocks(BlockNumber(first), BlockNumber(last), tokens=[RawAddress(TOKEN)])


async def read_one(chain: RpcChain, number: int = 4) -> Block:
    [block] = await read(chain, number, number)
    return block


def numbers(*values: int) -> list[BlockNumber]:
    return [BlockNumber(value) for value in values]


def hashes(*values: int) -> list[TxHash]:
    """Return the hashes of the transactions in these blocks."""
    return [TxHash(word(0x7000 + value)) for value in values]
