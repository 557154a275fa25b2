"""A chain to send on, what sends on it, and a token to be swept."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from ctrip.chain.rpc import RpcChain
from ctrip.chain.transactor import Transactor
from ctrip.core.abi import erc20_transfer
from ctrip.core.ids import Amount, TxHash
from ctrip.core.outgoing import Outgoing, Sent, Signed, Verdict
from ctrip.settings import Secret
from tests.chain.paying import ETHER, SENDER, SHOP, an_outgoing
from tests.chain.worlds import ANVIL
from tests.support.anvil import Anvil, running_anvil
from tests.support.clock import FakeClock
from tests.support.token_contracts import Contract, deploy

UNKNOWN: Final = TxHash("0x" + "ab" * 32)


@asynccontextmanager
async def a_strict_anvil() -> AsyncIterator[Anvil]:
    """Run a chain whose pool looks at balances, as real ones do; SENDER has an ether."""
    async with running_anvil(pool_check=True) as anvil:
        await anvil.set_balance(SENDER, ETHER)
        await anvil.mine()
        yield anvil


@asynccontextmanager
async def undone(anvil: Anvil) -> AsyncIterator[Anvil]:
    """Lend a chain that is as it was before when that is over."""
    before = await anvil.rpc("evm_snapshot")
    yield anvil
    await anvil.rpc("anvil_dropAllTransactions")
    await anvil.rpc("evm_revert", before)


@asynccontextmanager
async def transactor_of(*urls: str, clock: FakeClock | None = None) -> AsyncIterator[Transactor]:
    """Lend what sends over these endpoints."""
    client = RpcChain(ANVIL, [Secret(url) for url in urls], clock or FakeClock())
    yield client.transactor()
    await client.close()


async def taken(transactor: Transactor, signed: Signed) -> TxHash:
    """Send what must be taken."""
    assert await transactor.send(signed) == Sent(Verdict.TAKEN)
    return signed.tx_hash


async def receipt_of(chain: Anvil, tx_hash: TxHash) -> dict[str, str]:
    """Return a receipt as the node has it."""
    receipt: dict[str, str] = await chain.rpc("eth_getTransactionReceipt", tx_hash)
    return receipt


async def a_tether(chain: Anvil) -> Contract:
    """Return a token like USDT, of which the sender holds 100."""
    tether = await deploy(chain, "TetherToken")
    await tether.send("mint(address,uint256)", SENDER, 100)
    await chain.mine()
    return tether


def a_token_transfer(token: Contract, amount: int) -> Outgoing:
    """Return a transfer of tokens to the shop."""
    data = erc20_transfer(SHOP, Amount(amount))
    return an_outgoing(to=token.address, value=Amount(0), data=data)
