"""A node of the OP stack, as far as money is concerned: it charges for bytes beside gas.

async with rollup(anvil) as node:
    ...                    # node.url: its pool refuses what its sender cannot pay all of

The oracle at its predeploy address is contracts/gas_oracle.sol; nothing is taken for it in a block.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from ctrip.core.ids import RawAddress
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import Exchange, Fault, Json, Node, Sent, with_error
from tests.support.rpc_proxy import RpcProxy, proxy
from tests.support.token_contracts import Contract, deploy, place_at

ORACLE: Final = RawAddress("0x420000000000000000000000000000000000000f")
L1_BASE_FEE: Final = 10**9  # wei a unit of the parent chain's gas
BYTE_GAS: Final = 16
SEND: Final = "eth_sendRawTransaction"
POOR: Final = "insufficient funds for gas * price + value: balance {}, tx cost {}, overshot {}"


@asynccontextmanager
async def rollup(anvil: Anvil) -> AsyncIterator[RpcProxy]:
    """Listen on a free port, in front of a chain that gets an oracle."""
    await deploy_oracle(anvil)
    async with proxy(anvil.url) as node:
        await node.plays(pool_at(L1_BASE_FEE))
        yield node


async def deploy_oracle(
    anvil: Anvil, kind: str = "GasPriceOracle", *, base_fee: int = L1_BASE_FEE
) -> Contract:
    """Put an oracle where the chains of the OP stack have theirs."""
    oracle = await place_at(anvil, ORACLE, await deploy(anvil, kind))
    await oracle.send("setL1BaseFee(uint256)", base_fee)
    await anvil.mine()
    return oracle


async def refuse_the_poor(x: Exchange, base_fee: int) -> Sent:
    """Answer for the pool where a sender has less than value, gas and bytes cost."""
    refused = {}
    for call in x.calls:
        if call["method"] == SEND and (why := await lack(x.node, call["params"][0], base_fee)):
            refused[call["id"]] = with_error(call, -32000, why)
    if not refused:
        return None
    kept = [call for call in x.calls if call["id"] not in refused]
    truth = await x.node.forward(kept) if kept else []
    return [*truth, *refused.values()]


async def lack(node: Node, raw: str, base_fee: int) -> str:
    """Return what a pool says of a transaction whose sender cannot pay for it; else nothing."""
    sender = Account.recover_transaction(raw)
    sent: Json = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
    for_bytes = (len(raw) // 2 - 1) * BYTE_GAS * base_fee
    cost = sent["value"] + sent["gas"] * sent["maxFeePerGas"] + for_bytes
    balance = int(await node.ask("eth_getBalance", sender, "latest"), 16)
    return POOR.format(balance, cost, cost - balance) if cost > balance else ""


def pool_at(base_fee: int) -> Fault:
    """Return a pool at a price of the parent chain's gas, whatever the oracle says of it."""

    async def play(x: Exchange) -> Sent:
        return await refuse_the_poor(x, base_fee)

    return Fault(
        name="a rollup's pool",
        happens="It refuses what its sender cannot pay the parent chain for.",
        answered="What it takes is added to what a transaction costs.",
        play=play,
    )
