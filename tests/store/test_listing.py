"""Lists of payments hold what their filter lets through, newest first, each once."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import product
from random import Random
from typing import Final
from uuid import UUID

import pytest
from msgspec.structs import replace

from ctrip.core.ids import ChainName, KeyId
from ctrip.core.payment import Payment, Status
from ctrip.store import blocks, listing, payments
from ctrip.store.listing import Filter
from ctrip.store.pool import Conn
from tests.store.rows import WALLET, fresh, written
from tests.support.builders import CHAIN, CREATED, a_head, a_transfer, after, head, lost, seen

OWNERS: Final = [KeyId(UUID(int=n)) for n in (0, 7, 8)]
CHAINS: Final = [CHAIN, ChainName("base"), ChainName("polygon")]
MOMENTS: Final = [CREATED + timedelta(seconds=n) for n in range(8)]  # few, so that some are one
STATUSES: Final = [Status.PENDING, Status.EXPIRED, Status.FAILED]
SEED: Final = 5
COUNT: Final = 120


async def some(conn: Conn) -> list[Payment]:
    """Write payments that differ in all that a filter may name."""
    random = Random(SEED)
    made = [
        fresh(
            owner=random.choice(OWNERS),
            chain=random.choice(CHAINS),
            created_at=random.choice(MOMENTS),
            order_id=random.choice([None, "one", "two"]),
            status=random.choice(STATUSES),
        )
        for _ in range(COUNT)
    ]
    await payments.insert(conn, made, wallet=WALLET)
    await payments.save(conn, made, [])
    return made


def expected(made: Sequence[Payment], wanted: Filter) -> list[Payment]:
    """Return what a list should hold, by simpler means."""
    exact = {"owner", "status", "chain", "order_id"}
    asked = {name: value for name in exact if (value := getattr(wanted, name)) is not None}
    return sorted(
        (
            p
            for p in made
            if all(getattr(p, name) == value for name, value in asked.items())
            and (wanted.created_after is None or p.created_at > wanted.created_after)
            and (wanted.created_before is None or p.created_at < wanted.created_before)
        ),
        key=lambda p: (p.created_at, p.id),
        reverse=True,
    )


async def walked(conn: Conn, wanted: Filter, size: int) -> list[Payment]:
    """Return a whole list, read page by page."""
    whole: list[Payment] = []
    place: tuple[datetime, object] | None = None
    while found := await listing.page(conn, wanted, before=place, count_max=size):  # type: ignore[arg-type]  # of ids
        assert len(found) <= size
        whole += found
        place = found[-1].created_at, found[-1].id
    return whole


async def test_every_combination_of_filters_lists_what_it_lets_through(conn: Conn) -> None:
    made = await some(conn)
    combinations = list(
        product(
            [None, OWNERS[1]],
            [None, Status.EXPIRED, Status.SETTLED],
            [None, CHAIN, ChainName("nowhere")],
            [None, "one", "three"],
            [None, MOMENTS[2]],
            [None, MOMENTS[5]],
        )
    )
    for owner, status, chain, order, since, until in combinations:
        wanted = Filter(
            owner=owner,
            status=status,
            chain=chain,
            order_id=order,
            created_after=since,
            created_before=until,
        )
        found = await listing.page(conn, wanted, count_max=101)
        assert found == expected(made, wanted)[:101], wanted


@pytest.mark.parametrize("number", range(10))
async def test_who_has_no_such_order_is_shown_nobody_elses(conn: Conn, number: int) -> None:
    made = await some(conn)
    wanted = Filter(owner=KeyId(UUID(int=number)), order_id="one")
    assert await listing.page(conn, wanted, count_max=101) == expected(made, wanted)


@pytest.mark.parametrize(
    "wanted",
    [
        Filter(),
        Filter(owner=OWNERS[2]),
        Filter(order_id="two"),
        Filter(owner=OWNERS[0], order_id="one", status=Status.PENDING),
        Filter(created_before=MOMENTS[4], created_after=MOMENTS[1]),
    ],
    ids=repr,
)
async def test_pages_follow_on_each_other_though_payments_come_meanwhile(
    conn: Conn, wanted: Filter
) -> None:
    made = await some(conn)
    first = await listing.page(conn, wanted, count_max=5)
    newer = fresh(created_at=MOMENTS[-1] + timedelta(seconds=1))
    await payments.insert(conn, [newer], wallet=WALLET)
    place = (first[-1].created_at, first[-1].id)
    rest = await listing.page(conn, wanted, before=place, count_max=101)
    assert first + rest == expected(made, wanted)[: len(first) + 101]
    assert await walked(conn, replace(wanted, created_before=newer.created_at), 7) == (
        expected(made, replace(wanted, created_before=newer.created_at))
    )


async def test_a_list_shows_payments_as_a_single_read_does(conn: Conn) -> None:
    await blocks.start(conn, CHAIN, a_head(12, 9), now=CREATED)
    made = [fresh(metadata={"a": "1"}), fresh(token=True), fresh()]
    await payments.insert(conn, made, wallet=WALLET)
    one, other = (
        a_transfer(1, 100, 12, to=made[0].address),
        a_transfer(2, 5, 11, to=made[0].address),
    )
    paid = after(made[0], head(12, 9), seen(one), seen(other), lost(other))
    await payments.save(conn, [paid], [(paid, t) for t in paid.transfers])
    found = {p.id: p for p in await listing.page(conn, Filter(), count_max=10)}
    assert found.keys() == {p.id for p in made}
    for payment in made:
        assert found[payment.id] == await payments.find(conn, payment.id)
    assert len(found[paid.id].transfers) == 2


async def test_events_are_listed_in_their_order(conn: Conn) -> None:
    payment = await written(conn)
    (event,) = await listing.events(conn, payment.id, after=0, count_max=10)
    assert (event.sequence, event.created_at) == (1, CREATED)
    assert await listing.events(conn, payment.id, after=1, count_max=10) == []
