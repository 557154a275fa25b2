"""Gas per swept token deposit: a top-up and a transfer, against batches (EIP-7702) of 1, 10 and 50.

Each deposit is on an address of its own that has never held or sent anything, and the treasury has
the token already, as it has from the second day on. Gas is what receipts say it was; it depends on
the chain's rules alone, so the figures are exact, and docs/settlement.md has them.

A top-up pays for what gas may cost, a batch for what it does cost: what is left of a top-up stays
on the deposit address, and to fetch it takes 21,000 gas more. So what the gas wallet pays has a
table too, for a market in which the tip is a tenth of the base fee.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from ctrip.chain.estimates import MARGIN
from ctrip.core.abi import erc20_transfer
from ctrip.core.fees import Market, going_rate, offer
from ctrip.core.ids import Amount
from ctrip.core.sweep import Fuel, View, move_token
from tests.support.anvil import Anvil, running_anvil
from tests.support.batching import TREASURY, Batch, a_batch, kept, mined
from tests.support.token_contracts import Contract, deploy

AMOUNT: Final = 25_000_000  # base units: 25 of a token with 6 decimals
SIZES: Final = (1, 10, 50)
RICH: Final = Amount(10**18)  # wei
TOP_UP_GAS: Final = 21_000
TOP_UP: Final = 10**16  # wei; more than any transfer needs here
GWEI: Final = 10**9
MARKET: Final = Market(base_fee=GWEI, tip=GWEI // 10, gas_price=GWEI)
TOKENS: Final = {
    "a plain token": "PlainToken",
    "like USDT: may pause, block and charge": "TetherToken",
    "the same behind a proxy, like USDC": "Proxy(address)",
}


class WentWrong(Exception):
    """What was to be measured did not happen."""


class Measured(Struct, frozen=True, kw_only=True):
    """Gas for one deposit of a token."""

    transfer: int
    needed: int  # that the transfer must be offered, as nodes estimate it
    batches: Mapping[int, int]  # for one deposit, by how many there are
    again: int  # the same in ten, of addresses that were in a batch before

    @property
    def topped_up(self) -> int:
        return TOP_UP_GAS + self.transfer

    @property
    def topped_up_paid(self) -> int:
        """What leaves the gas wallet, as gas at the going rate."""
        offered = offer(MARKET)
        whole, part = MARGIN
        gas = self.needed * whole // part
        view = View(
            balance=RICH,
            coin=Amount(0),
            recorded=RICH,
            price=offered,
            going_rate=going_rate(MARKET),
            gas=gas,
            fuel_gas=TOP_UP_GAS,
            purse=RICH,
        )
        match move_token([], view, offered):
            case Fuel(value):
                return TOP_UP_GAS + value // going_rate(MARKET)
            case step:
                raise WentWrong(f"no top-up is needed: {step}")


async def measured(anvil: Anvil, batch: Batch, constructor: str) -> Measured:
    """Measure one token."""
    token = await deployed(anvil, constructor)
    await token.send("mint(address,uint256)", TREASURY, AMOUNT)
    transfer, needed = await of_a_transfer(anvil, batch, token)
    batches = {size: await of_a_batch(batch, token, size) for size in SIZES}
    deposits = await batch.holding(token, 10, amount=AMOUNT)
    used(await batch.sweep(token.address, deposits))
    for one in deposits:
        await token.send("mint(address,uint256)", one.address, AMOUNT)
    await anvil.mine()
    receipt = await batch.sweep(token.address, deposits, authorized=())
    again = used(receipt) // len(deposits)
    return Measured(transfer=transfer, needed=needed, batches=batches, again=again)


async def deployed(anvil: Anvil, constructor: str) -> Contract:
    """Deploy a token, behind a proxy if it has one."""
    if not constructor.startswith("Proxy"):
        return await deploy(anvil, constructor)
    logic = await deploy(anvil, "TetherToken")
    return logic.at((await deploy(anvil, constructor, logic.address)).address)


async def of_a_transfer(anvil: Anvil, batch: Batch, token: Contract) -> tuple[int, int]:
    """Return the gas of a transfer out of an address that was topped up, and what it must offer."""
    [deposit] = await batch.holding(token, 1, amount=AMOUNT)
    used(await batch.call(deposit.address, "0x", value=TOP_UP, gas=TOP_UP_GAS))
    data = erc20_transfer(TREASURY, Amount(AMOUNT))
    call: dict[str, str] = {"from": deposit.address, "to": token.address, "data": data}
    needed = int(await anvil.rpc("eth_estimateGas", call, "latest"), 16)
    await anvil.rpc("anvil_impersonateAccount", deposit.address)
    sent = await anvil.rpc("eth_sendTransaction", {**call, "gas": hex(needed)})
    return used(await mined(anvil, sent)), needed


async def of_a_batch(batch: Batch, token: Contract, size: int) -> int:
    """Return the gas of one deposit in a batch of so many."""
    deposits = await batch.holding(token, size, amount=AMOUNT)
    return used(await batch.sweep(token.address, deposits)) // size


def used(receipt: Any) -> int:
    """Return the gas of a transaction that moved what it was to move."""
    if receipt["status"] != "0x1" or kept(receipt):
        raise WentWrong(f"a transaction moved nothing: {receipt}")
    return int(receipt["gasUsed"], 16)


def compared(before: int, after: int) -> str:
    """Return a number with how much more or less it is than another."""
    return f"{after:,} ({100 * (after - before) / before:+.0f} %)"


def tables(found: Mapping[str, Measured]) -> str:
    """Return what was measured, as docs/settlement.md has it."""
    sizes = " | ".join(f"batch of {size}" for size in SIZES)
    head = f"| {{}} | top-up + transfer | {sizes} | of 10, again |\n|---|---|---|---|---|---|"
    gas, paid = [head.format("gas used")], [head.format("gas paid by the gas wallet")]
    for name, one in found.items():
        for lines, before in ((gas, one.topped_up), (paid, one.topped_up_paid)):
            cells = [compared(before, after) for after in (*one.batches.values(), one.again)]
            lines.append(f"| {name} | {before:,} | {' | '.join(cells)} |")
    return "\n".join([*gas, "", *paid])


async def measure() -> dict[str, Measured]:
    """Measure every token on a chain of its own."""
    async with running_anvil() as anvil:
        batch = await a_batch(anvil)
        return {
            name: await measured(anvil, batch, constructor) for name, constructor in TOKENS.items()
        }


if __name__ == "__main__":
    print(tables(asyncio.run(measure())))
