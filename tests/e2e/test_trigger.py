"""Every case that an integrator must handle, played by a dev gateway for real."""

import asyncio
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from ctrip.client.aio import AsyncClient
from ctrip.client.models import Payment
from ctrip.core.plays import SWEPT, Case
from tests.e2e.test_dev import Dev
from tests.support.gateway import CTRIP
from tests.support.receiver import receiver
from tests.support.waiting import until

START_SECONDS_MAX: Final = 60.0  # a cold or busy machine; test_dev says how fast it is
PLAY_SECONDS_MAX: Final = 90.0
WAY: Final = ["created", "detected", "confirmed", "paid", "settled"]

# What a shop is told in each case, and what the payment is at the end.
NEWS: Final = {
    Case.PAID: (WAY, "settled", set()),
    Case.PAID_IN_PARTS: (["created", "underpaid", "underpaid", *WAY[1:]], "settled", set()),
    Case.UNDERPAID: (["created", "underpaid", "expired"], "expired", {"underpaid"}),
    Case.OVERPAID: ([*WAY, "overpaid"], "settled", {"overpaid"}),
    Case.EXPIRED: (["created", "expired"], "expired", set()),
    Case.LATE: (["created", "expired", "late"], "expired", {"late"}),
    Case.WRONG_TOKEN: (["created", "unexpected_transfer"], "pending", {"wrong_token"}),
    Case.THROUGH_CONTRACT: (WAY, "settled", set()),
    Case.FAILED_TRANSACTION: (WAY, "settled", set()),
    Case.REORGED: ([*WAY, "detected", "reorged"], "settled", {"reorged"}),
    Case.REVERSED: (
        ["created", "detected", "confirmed", "paid", "failed", "reorged"],
        "failed",
        {"reorged"},
    ),
}


HURRIED: Final = {Case.UNDERPAID}  # may come last, and is played in time


@pytest.fixture
def home() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="ctrip-test-")).resolve()
    (path / ".venv").symlink_to(sys.prefix)
    yield path
    shutil.rmtree(path)


async def test_each_case_is_played_and_told(home: Path) -> None:
    async with receiver() as own:
        dev = Dev(home, own.url)
        try:
            await until("ctrip dev serves", dev.serves, seconds=START_SECONDS_MAX)
            async with AsyncClient(dev.card["url"], dev.card["api_key"]) as ctrip:
                made = {
                    case: await ctrip.create_payment("anvil", 1_000, test_case=case)
                    for case in sorted(set(Case) - SWEPT, key=HURRIED.__contains__)
                }
                plays = [told(ctrip, case, payment) for case, payment in made.items()]
                await asyncio.gather(*plays, prints(home))
        finally:
            await dev.stop()


async def told(ctrip: AsyncClient, case: Case, payment: Payment) -> None:
    news, status, flags = NEWS[case]

    async def all_of_it() -> bool:
        events = [event.type async for event in ctrip.events_of(payment.id)]
        return sorted(events) == sorted(f"payment.{one}" for one in news)

    try:
        await until(f"{case} is told", all_of_it, seconds=PLAY_SECONDS_MAX)
    except TimeoutError:
        events = [event.type async for event in ctrip.events_of(payment.id)]
        raise AssertionError(f"{case}: {events}") from None
    now = await ctrip.payment(payment.id)
    assert (now.status, set(now.flags)) == (status, flags), case
    assert now.metadata == {"test_case": case}


async def prints(home: Path) -> None:
    said = await asyncio.to_thread(trigger, home, "paid", "--token")
    assert [line.split()[-1] for line in said.splitlines()[1:]] == [f"payment.{one}" for one in WAY]


def trigger(home: Path, *words: str) -> str:
    done = subprocess.run(  # noqa: S603  the program is ours
        [CTRIP, "trigger", *words],
        cwd=home,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
