"""A case with a reorg is played the same for a gateway that is slow to see."""

from pathlib import Path

from msgspec.structs import replace

from ctrip.core.ids import Address
from ctrip.core.payment import Payment, Status
from ctrip.core.plays import Case
from ctrip.dev.anvil import BLOCK_SECONDS, dev_chain
from ctrip.dev.plays import Player
from tests.dev.test_anvil import call
from tests.support.builders import a_payment

ADDRESS = Address("0x" + "12" * 20)
NEWEST = ("latest", False)


async def test_no_block_comes_between_a_payment_and_the_reorg_that_drops_it(folder: Path) -> None:
    async with dev_chain(folder / "log") as chain:
        payment, looks = a_payment(amount=7, address=ADDRESS), list[tuple[int | None, str]]()
        sees = iter([Status.PENDING, Status.PENDING, Status.DETECTED, Status.PENDING])

        async def look() -> Payment:
            block = await call(chain, "eth_getBlockByNumber", *NEWEST)
            looks.append((await call(chain, "anvil_getIntervalMining"), block["hash"]))
            return replace(payment, status=next(sees))

        await Player(chain.url).play(Case.REORGED, payment, look)
        assert [seconds for seconds, _ in looks] == [None] * 4, "by hand"
        before, after = looks[0][1], looks[3][1]
        assert [hash_ for _, hash_ in looks] == [before, before, before, after]
        assert before != after
        assert await call(chain, "anvil_getIntervalMining") == BLOCK_SECONDS
        assert int(await call(chain, "eth_getBalance", payment.address, "latest"), 16) == 7
