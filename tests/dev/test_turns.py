"""One case at a time touches the chain, and who is in a hurry goes first."""

import asyncio

import pytest

from ctrip.dev.turns import Turns

PASSES = 20  # of the loop; a turn is taken in fewer


async def rest() -> None:
    for _ in range(PASSES):
        await asyncio.sleep(0)


async def test_each_has_his_turn_alone_and_who_is_in_a_hurry_before_those_who_came_first() -> None:
    turns, had = Turns(), list[str]()

    async def take(who: str, *, hurried: bool = False) -> None:
        async with turns.taken(hurried=hurried):
            had.append(f"{who} begins")
            await rest()
            had.append(f"{who} ends")

    names = ["first", "second", "third"]
    under_way = [asyncio.create_task(take(name)) for name in names]
    await asyncio.sleep(0)
    await asyncio.gather(take("hurried", hurried=True), *under_way)
    order = ["first", "hurried", "second", "third"]
    assert had == [f"{name} {what}" for name in order for what in ("begins", "ends")]


@pytest.mark.parametrize("hurried", [False, True])
async def test_who_gives_up_or_fails_leaves_the_turn_to_others(*, hurried: bool) -> None:
    turns = Turns()
    with pytest.raises(OSError, match="anvil is gone"):
        async with turns.taken(hurried=hurried):
            raise OSError("anvil is gone")
    async with turns.taken():
        waits = asyncio.create_task(turns.taken(hurried=hurried).__aenter__())
        await rest()
        waits.cancel()
        await rest()
    async with asyncio.timeout(5), turns.taken():
        pass
