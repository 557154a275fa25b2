"""Each fault of the catalogue, with payments made while it lasts.

Two payments, one in coin and one in tokens, are made, paid and mined during the fault. It
is played for a while by the only endpoint, or for ever by the first of two. What must be
true of the money meanwhile is said by the fault; in the end each was credited once.
"""

from typing import Final

import pytest

from ctrip.core.payment import Payment
from ctrip.store.pool import Pool
from tests.faults.world import World, a_world
from tests.support.anvil import Anvil
from tests.support.rpc_exchange import Fault, Outcome
from tests.support.rpc_faults import FAULTS, GROUPS
from tests.support.rpc_proxy import RpcProxy, proxy

LOOKS_MAX: Final = 12  # during a fault; long enough for a tip that stands still to be noticed
LOOKS_AFTER_MAX: Final = 20  # until what a fault hid must have been found
LOOKS_MIN: Final = 2  # a complaint must outlive one look

# What an endpoint says, and not how: the faults that a chain read by ranges meets differently.
OF_CONTENT: Final = [
    fault.name for group in ("The tip", "Blocks and receipts", "Logs") for fault in GROUPS[group]
]

Paid = tuple[Payment, Payment]


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_the_only_endpoint(
    name: str, pool: Pool, anvil: Anvil, twin: Anvil
) -> None:
    fault = FAULTS[name]
    async with (
        proxy(anvil.url, twin=twin.url) as endpoint,
        a_world(pool, anvil, [endpoint.url], tag=fault.tag, fast=fault.fast) as world,
    ):
        paid = await pay_during(fault, endpoint, world, twin)
        await look_for(fault.alone, world, paid)
        assert endpoint.played, "the fault was never met"
        endpoint.calms()
        await look_until_credited(world, paid)


@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_the_first_of_two_endpoints(
    name: str, pool: Pool, anvil: Anvil, twin: Anvil
) -> None:
    fault = FAULTS[name]
    async with (
        proxy(anvil.url, twin=twin.url) as endpoint,
        a_world(pool, anvil, [endpoint.url, anvil.url], tag=fault.tag, fast=fault.fast) as world,
    ):
        paid = await pay_during(fault, endpoint, world, twin)
        await look_for(fault.beside, world, paid)
        assert endpoint.played, "the fault was never met"
        if fault.beside in (Outcome.EITHER, Outcome.LATER):
            endpoint.calms()
        await look_until_credited(world, paid)


@pytest.mark.parametrize("name", OF_CONTENT)
async def test_a_fault_of_the_first_of_two_endpoints_of_a_fast_chain(
    name: str, pool: Pool, anvil: Anvil, twin: Anvil
) -> None:
    fault = FAULTS[name]
    async with (
        proxy(anvil.url, twin=twin.url) as endpoint,
        a_world(pool, anvil, [endpoint.url, anvil.url], tag=fault.tag, fast=True) as world,
    ):
        paid = await pay_during(fault, endpoint, world, twin)
        await look_for(fault.beside, world, paid)
        if fault.beside in (Outcome.EITHER, Outcome.LATER):
            endpoint.calms()
        await look_until_credited(world, paid)


async def pay_during(fault: Fault, endpoint: RpcProxy, world: World, twin: Anvil) -> Paid:
    """Let the fault begin, and money come, which counts for nothing until a block has it."""
    await endpoint.plays(fault.name)
    if fault.forks:
        await world.part(twin)
    if fault.greets:
        await world.restart()
    paid = await world.order_both()
    await world.pay(*paid, forwarded=fault.forwarded)
    await world.look()
    assert not await world.recorded()
    await world.mine(1 + fault.behind)
    return paid


async def look_for(outcome: Outcome, world: World, paid: Paid) -> None:
    """Look, block after block, until the outcome is there."""
    for looks in range(1, LOOKS_MAX + 1):
        await world.look()
        owed = await world.owed(*paid)
        complaint = await world.complaint()
        complains = complaint and looks >= LOOKS_MIN
        match outcome:
            case Outcome.UNHURT:
                assert not owed, complaint
                assert not complaint
                return
            case Outcome.CREDITED if not owed:
                return
            case Outcome.HELD if complains:
                assert owed, "what should not have been believed was"
                return
            case Outcome.EITHER if complains or not owed:
                return
            case Outcome.LATER:
                return
            case _:
                await world.wait()
    owed, complaint = await world.owed(*paid), await world.complaint()
    raise AssertionError(f"not {outcome}: {owed or 'credited'}; {complaint or 'well'}")


async def look_until_credited(world: World, paid: Paid) -> None:
    """Look until nothing is owed any more; then compare with what the chain says."""
    for _ in range(LOOKS_AFTER_MAX):
        await world.look()
        if not await world.owed(*paid):
            break
        await world.wait()
    assert not await world.owed(*paid), await world.complaint()
    await world.assert_credited_once(*paid)
