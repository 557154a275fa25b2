"""Chains are shared out: one watcher each, evenly, and no more moves than must."""

from collections import Counter
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.ids import ChainName
from ctrip.core.leases import Process, watcher_of

CHAINS = tuple(ChainName(f"chain-{number}") for number in range(60))

IDS = st.lists(st.uuids(), min_size=1, max_size=6, unique=True)


def serving(*ids: UUID, unable: dict[UUID, tuple[ChainName, ...]] | None = None) -> list[Process]:
    return [Process(id=one, chains=CHAINS, unable=(unable or {}).get(one, ())) for one in ids]


def shared_out(processes: list[Process]) -> dict[ChainName, UUID | None]:
    return {name: watcher_of(name, processes) for name in CHAINS}


@given(IDS, st.data())
def test_all_come_to_the_same_answer(ids: list[UUID], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(ids))
    assert shared_out(serving(*ids)) == shared_out(serving(*mixed))


@given(IDS)
def test_who_comes_or_goes_moves_no_chain_but_his_own(ids: list[UUID]) -> None:
    gone, *stay = ids
    before, after = shared_out(serving(*ids)), shared_out(serving(*stay))
    moved = {name for name in CHAINS if before[name] != after[name]}
    assert moved == {name for name in CHAINS if before[name] == gone}


@given(IDS)
def test_nobody_has_nearly_all(ids: list[UUID]) -> None:
    counts = Counter(shared_out(serving(*ids)).values())
    assert max(counts.values()) <= len(CHAINS) / len(ids) * 2 + 10


@given(IDS, st.data())
def test_who_cannot_read_a_chain_leaves_it_to_those_who_can(
    ids: list[UUID], data: st.DataObject
) -> None:
    unable = data.draw(st.sets(st.sampled_from(ids)))
    processes = serving(*ids, unable=dict.fromkeys(unable, CHAINS))
    able = [one for one in ids if one not in unable] or ids  # where nobody can, somebody tries
    assert shared_out(processes) == shared_out(serving(*able))


def test_what_nobody_serves_nobody_watches() -> None:
    [one] = serving(UUID(int=1))
    assert watcher_of(ChainName("another"), [one]) is None
    assert watcher_of(ChainName("another"), []) is None
