"""Gas per swept token deposit: top-ups, batches (EIP-7702), and what owners sign off the chain.

Each deposit is on an address of its own that has never held or sent anything, and the treasury has
the token already, as it has from the second day on. Gas is what receipts say it was; it depends on
the chain's rules alone, so the figures are exact, and docs/settlement.md has them.

A top-up pays for what gas may cost, a batch for what it does cost: what is left of a top-up stays
on the deposit address. To leave as little behind as a batch does takes a third transaction that
fetches it, so what batches save is given against both. What is paid has a table too, for a
market in which the tip is a tenth of the base fee.

Signatures (EIP-2612, EIP-3009) are measured with the token that has them, through a contract as
small as can be: a real one would cost more.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from ctrip.chain.estimates import MARGIN
from ctrip.core.abi import erc20_transfer
from ctrip.core.fees import Market, going_rate, offer
from ctrip.core.ids import Amount
from ctrip.core.sweep import HEADROOM, Fuel, View, move_token
from tests.support.anvil import Anvil, running_anvil
from tests.support.batching import TREASURY, Batch, a_batch, kept, mined
from tests.support.permits import signed_sweeps
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
    "like USDC: behind a proxy": "Proxy(address)",
}
SIGNING: Final = "like USDC: behind a proxy"
BATCH: Final = "EIP-7702, a batch"


class WentWrong(Exception):
    """What was to be measured did not happen."""


class Measured(Struct, frozen=True, kw_only=True):
    """Gas for one deposit of a token."""

    transfer: int
    needed: int  # that the transfer must be offered, as nodes estimate it
    fetching: int  # of what is left of its top-up
    batches: Mapping[int, int]  # for one deposit, by how many there are
    again: int  # the same in ten, of addresses that were in a batch before
    signed: Mapping[str, tuple[int, ...]]  # as `batches` and `again`, by the standard

    @property
    def topped_up(self) -> int:
        return TOP_UP_GAS + self.transfer

    @property
    def fetched(self) -> int:
        return self.topped_up + self.fetching

    @property
    def fetched_paid(self) -> int:
        """What all three cost, as gas at the going rate: the third offers a bit more than that."""
        return self.topped_up + self.fetching + self.fetching // HEADROOM

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


async def measured(anvil: Anvil, batch: Batch, name: str) -> Measured:
    """Measure one token."""
    token = await deployed(anvil, TOKENS[name])
    await token.send("mint(address,uint256)", TREASURY, AMOUNT)
    transfer, needed, fetching = await of_a_top_up(anvil, batch, token)
    batches = {size: await of_a_batch(batch, token, size) for size in SIZES}
    deposits = await batch.holding(token, 10, amount=AMOUNT)
    used(await batch.sweep(token.address, deposits))
    for one in deposits:
        await token.send("mint(address,uint256)", one.address, AMOUNT)
    await anvil.mine()
    receipt = await batch.sweep(token.address, deposits, authorized=())
    return Measured(
        transfer=transfer,
        needed=needed,
        fetching=fetching,
        batches=batches,
        again=used(receipt) // len(deposits),
        signed=await by_signatures(batch, token) if name == SIGNING else {},
    )


async def deployed(anvil: Anvil, constructor: str) -> Contract:
    """Deploy a token, behind a proxy if it has one."""
    if not constructor.startswith("Proxy"):
        return await deploy(anvil, constructor)
    logic = await deploy(anvil, "FiatToken")
    return logic.at((await deploy(anvil, constructor, logic.address)).address)


async def of_a_top_up(anvil: Anvil, batch: Batch, token: Contract) -> tuple[int, int, int]:
    """Return the gas of a transfer out of an address that was topped up, and what it must offer.

    And of a third transaction, which fetches what is left.
    """
    [deposit] = await batch.holding(token, 1, amount=AMOUNT)
    used(await batch.call(deposit.address, "0x", value=TOP_UP, gas=TOP_UP_GAS))
    data = erc20_transfer(TREASURY, Amount(AMOUNT))
    call: dict[str, str] = {"from": deposit.address, "to": token.address, "data": data}
    needed = int(await anvil.rpc("eth_estimateGas", call, "latest"), 16)
    await anvil.rpc("anvil_impersonateAccount", deposit.address)
    sent = await anvil.rpc("eth_sendTransaction", {**call, "gas": hex(needed)})
    transfer = used(await mined(anvil, sent))
    left = int(await anvil.rpc("eth_getBalance", deposit.address, "latest"), 16)
    offered = 10 * GWEI
    fetch = {"from": deposit.address, "to": TREASURY, "gas": hex(TOP_UP_GAS)}
    fetch |= {"value": hex(left - TOP_UP_GAS * offered), "gasPrice": hex(offered)}
    fetching = used(await mined(anvil, await anvil.rpc("eth_sendTransaction", fetch)))
    if int(await anvil.rpc("eth_getBalance", deposit.address, "latest"), 16):
        raise WentWrong("something is left on the address")
    return transfer, needed, fetching


async def of_a_batch(batch: Batch, token: Contract, size: int) -> int:
    """Return the gas of one deposit in a batch of so many."""
    deposits = await batch.holding(token, size, amount=AMOUNT)
    return used(await batch.sweep(token.address, deposits)) // size


async def by_signatures(batch: Batch, token: Contract) -> dict[str, tuple[int, ...]]:
    """Return the gas of one deposit that is swept by what its owner signed, by the standard."""
    sweeps = await signed_sweeps(batch, token)

    async def gas(sweep: Callable[..., Awaitable[Any]]) -> tuple[int, ...]:
        found = []
        for size in SIZES:
            owners = await sweeps.holding(size, amount=AMOUNT)
            found.append(used(await sweep(owners)) // size)
        owners = await sweeps.holding(10, amount=AMOUNT)
        used(await sweep(owners))
        await sweeps.fund(owners, amount=AMOUNT)
        return (*found, used(await sweep(owners)) // len(owners))

    return {
        "EIP-3009, `transferWithAuthorization`": await gas(sweeps.by_authorization),
        "EIP-2612, `permit` and `transferFrom`": await gas(sweeps.by_permit),
    }


def used(receipt: Any) -> int:
    """Return the gas of a transaction that moved what it was to move."""
    if receipt["status"] != "0x1" or kept(receipt):
        raise WentWrong(f"a transaction moved nothing: {receipt}")
    return int(receipt["gasUsed"], 16)


def compared(after: int, *before: int) -> str:
    """Return a number with how much more or less it is than others."""
    parts = ", ".join(f"{100 * (after - one) / one:+.0f} %" for one in before)
    return f"{after:,} ({parts})"


def tables(found: Mapping[str, Measured]) -> str:
    """Return what was measured, as docs/settlement.md has it."""
    sizes = " | ".join(f"batch of {size}" for size in SIZES)
    ways = f"top-up + transfer | and what is left fetched | {sizes} | of 10, again"
    gas = [f"| gas used | {ways} |", "|---|---|---|---|---|---|---|"]
    paid = [f"| gas paid | {ways} |", "|---|---|---|---|---|---|---|"]
    for name, one in found.items():
        for lines, before in (
            (gas, (one.topped_up, one.fetched)),
            (paid, (one.topped_up_paid, one.fetched_paid)),
        ):
            cells = [compared(after, *before) for after in (*one.batches.values(), one.again)]
            first, second = before
            lines.append(f"| {name} | {first:,} | {second:,} | {' | '.join(cells)} |")
    return "\n".join([*gas, "", *paid, "", *signatures(found[SIGNING])])


def signatures(one: Measured) -> list[str]:
    """Return the table of what owners sign off the chain."""
    rows = {BATCH: (*one.batches.values(), one.again), **one.signed}
    sizes = " | ".join(f"{size} at once" for size in SIZES)
    lines = [f"| gas used, like USDC | {sizes} | 10, again |", "|---|---|---|---|---|"]
    for name, figures in rows.items():
        cells = [compared(after, one.topped_up, one.fetched) for after in figures]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


async def measure() -> dict[str, Measured]:
    """Measure every token on a chain of its own."""
    async with running_anvil() as anvil:
        batch = await a_batch(anvil)
        return {name: await measured(anvil, batch, name) for name in TOKENS}


if __name__ == "__main__":
    print(tables(asyncio.run(measure())))
