"""Hold the books against everything, once a day: the tables among each other, and the chain.

First all that is final is booked. Then, in one snapshot, each invariant is asked for what
contradicts it (store/invariants.py), and for each address that ever held anything, what it should
hold after the last block that is booked; and the chain is asked what it did hold after that block
(core/books.py says what a difference means). Addresses that a transaction of ours is under way
from or to are left for the next time.

A difference counts if a second look, which books everything anew, finds one too. If it is about
money, sweeps and payouts of the asset are held, until a comparison finds nothing. Nothing else
stops, and no payer hears of it. Where no endpoint keeps the state of a block so old, balances are
not compared: that is said, and lifts nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from ctrip import logs
from ctrip.chain.client import ChainClient, ChainOutage, InconsistentChain
from ctrip.clock import Clock
from ctrip.core.blocks import Holding
from ctrip.core.books import Booked, Difference, Verdict, compare
from ctrip.core.chains import Chain
from ctrip.core.ids import NATIVE, Amount, Asset, BlockNumber
from ctrip.flows.books import Bookkeeper
from ctrip.flows.on_chain import OnChain
from ctrip.flows.weigh import weighed
from ctrip.store import invariants, ledger, reconciliations
from ctrip.store.invariants import Breach
from ctrip.store.pool import Pool, connection, snapshot, transaction
from ctrip.store.reconciliations import Reconciled

RECONCILE_SECONDS: Final = 60.0  # between questions whether it is due
PAUSE: Final = timedelta(hours=24)
PAUSE_AFTER_DIFFERENCES: Final = timedelta(hours=1)  # so that what is mended goes on by itself
SHOWN_OF_EACH_MAX: Final = 20  # contradictions of one invariant; one is as bad as many

log = logs.get("ctrip.reconcile")


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What came of comparing a chain's books."""

    chain: str
    number: BlockNumber | None  # the block whose balances were compared; None: nothing is booked
    balances: int = 0  # compared
    under_way: int = 0  # left out, as a transaction of ours is under way
    left_alone: int = 0  # hold less than came, as their owner moves what they hold
    uncompared: str = ""  # why balances were not
    differences: Sequence[Difference] = ()


class Reconciler(OnChain):
    """The daily comparison of one chain."""

    async def run_once(self) -> bool:
        """Compare, if it is due."""
        async with connection(self._pool) as conn:
            last = (await reconciliations.find_all(conn)).get(self.chain.name)
        if last is not None:
            pause = PAUSE_AFTER_DIFFERENCES if last.differences else PAUSE
            if self._clock.now() - last.ended_at < pause:
                return False
        done = await reconcile(self.chain, self._client, self._pool, self._clock)
        for one in done.differences:
            log.error("the books differ", **of_log(one))
        return False


def of_log(one: Difference) -> Mapping[str, str | bool | None]:
    """Return a difference as a line of the log has it."""
    return {
        "check": one.name,
        "chain": one.chain,
        "asset": one.asset,
        "what": one.what,
        "remedy": one.remedy,
        "holds": one.holds,
    }


async def reconcile(
    chain: Chain, client: ChainClient, pool: Pool, clock: Clock, *, accept: bool = False
) -> Reconciliation:
    """Compare a chain's books with everything, and write what came of it."""
    done, verdict = await look(chain, client, pool, clock, accept=accept)
    if done.differences:  # what was written while we looked is no difference
        done, verdict = await look(chain, client, pool, clock, accept=accept)
    async with transaction(pool) as conn:
        if done.number is None:
            return done
        everything = {NATIVE, *(t.asset for t in chain.tokens)}
        everything |= await reconciliations.assets(conn, chain.name)
        await reconciliations.deviate(conn, chain.name, verdict.deviations)
        await reconciliations.hold_assets(
            conn,
            chain.name,
            held(done.differences, everything),
            lift=not done.uncompared,
            now=clock.now(),
        )
        first = next((one.what for one in done.differences), done.uncompared)
        await reconciliations.end(
            conn,
            Reconciled(
                chain=chain.name,
                number=done.number,
                ended_at=clock.now(),
                differences=len(done.differences),
                summary=first,
            ),
        )
    return done


def held(differences: Sequence[Difference], everything: set[Asset]) -> dict[Asset, str]:
    """Return the assets that may not be moved, and why."""
    why: dict[Asset, str] = {}
    for one in differences:
        for asset in [one.asset] if one.asset is not None else everything:
            if one.holds:
                why.setdefault(asset, f"{one.name}: {one.what}")
    return why


async def look(
    chain: Chain, client: ChainClient, pool: Pool, clock: Clock, *, accept: bool
) -> tuple[Reconciliation, Verdict]:
    """Compare once; what balances deviate by is to be written by whoever believes it."""
    name = chain.name
    await Bookkeeper(name, pool, clock).book_all()
    async with snapshot(pool) as conn:
        at = await ledger.booked_to(conn, name)
        if at is None or at < 0:
            return Reconciliation(chain=name, number=None), Verdict()
        breaches = await invariants.breaches(conn, name, count_max=SHOWN_OF_EACH_MAX)
        booked, under_way = await ledger.balances(conn, name, at=at)
    uncompared = ""
    try:
        balances = await balances_after(client, at, booked)
    except (ChainOutage, InconsistentChain) as outage:
        uncompared = f"balances after block {at} were not compared: {outage}"
        booked, balances = [], []
    verdict = compare(name, booked, balances, accept=accept)
    return (
        Reconciliation(
            chain=name,
            number=at,
            balances=len(balances),
            under_way=under_way,
            left_alone=verdict.left_alone,
            uncompared=uncompared,
            differences=[*(told(chain, one) for one in breaches), *verdict.differences],
        ),
        verdict,
    )


async def balances_after(
    client: ChainClient, number: BlockNumber, booked: Sequence[Booked]
) -> list[Amount]:
    """Return what addresses held after a block."""
    if not booked:
        return []
    headers = await client.headers([number])
    if not headers:
        raise InconsistentChain(f"no endpoint shows block {number}, which is final")
    return await weighed(client, headers[0], [Holding(one.asset, one.address) for one in booked])


def told(chain: Chain, breach: Breach) -> Difference:
    """Return what contradicts an invariant as a difference."""
    broken = breach.invariant
    return Difference(
        name=broken.name,
        chain=chain.name,
        asset=breach.asset,
        what=f"{broken.says} But {breach.what}.",
        remedy=broken.remedy,
        holds=broken.holds,
    )
