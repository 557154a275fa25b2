"""Payments are swept while the gateway is killed and the chain forgets: the money moves once.

Each run has kills at random moments, a node that loses its pool, and reorgs that drop sweeps; with
an odd seed tokens go in batches (EIP-7702). What is left is held against the chain, which is read
without any of ctrip's own code.

    CHAOS_PAYMENTS=200 CHAOS_KILLS=100 make test ARGS="tests/e2e/test_sweep_chaos.py -s"

takes some minutes. With CHAOS_FREEZES=5 there are two gateways on the database, and so often one
of them stands still for longer than its leases last, and then goes on.
"""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random, SystemRandom
from typing import Any, Final

import asyncpg
import pytest

from ctrip.chain.batcher import batcher_of
from ctrip.core.ids import RawAddress
from ctrip.flows.leases import LEASE_SECONDS, RENEW_SECONDS
from ctrip.wallet.derive import checksum
from ctrip.wallet.sign import Signer
from tests.support.batching import deploy_batcher
from tests.support.canaries import MNEMONIC, Evidence
from tests.support.chaos import Bought
from tests.support.forgetful import forgetting
from tests.support.gateway import Gateway
from tests.support.story import COIN, Story, meanings, told_by
from tests.support.waiting import until
from tests.support.warm_ctrip import WarmCtrip
from tests.support.world import World, world

TREASURY: Final = "0x" + "7e" * 20
WORDS: Final = "words"  # the file with the keys
SWEPT: Final = {
    "CTRIP_SETTLEMENT_MODE": "sweep",
    "CTRIP_SETTLEMENT_TREASURY": checksum(RawAddress(TREASURY)),
    "CTRIP_SETTLEMENT_MNEMONIC_FILE": WORDS,
}
PURSE: Final = 10**18  # wei in the gas wallet
WORTH_MOVING: Final = 100  # times 10^13 wei; what is less may wait for cheaper gas for ever
PAYMENTS, KILLS = 50, 8  # unless the environment says otherwise
CREATED_AT_ONCE_MAX: Final = 50
LIFE_SECONDS: Final = (0.0, 1.2)  # of a gateway that listens
PAID_SECONDS: Final = 0.8  # for each kill: all is paid bit by bit while they come
FROZEN_SECONDS: Final = (LEASE_SECONDS, LEASE_SECONDS + 2 * RENEW_SECONDS)
SETTLE_SECONDS_MAX: Final = 60.0  # it takes 8


# What is said where not all of it is settled in time.
UNSWEPT: Final = "SELECT state, why, count(*) FROM sweeps WHERE state <> 'final' GROUP BY 1, 2"
UNSENT: Final = "SELECT purpose, state, count(*) FROM sendings WHERE NOT final GROUP BY 1, 2"
UNPAID: Final = (
    "SELECT status, flags, count(*) FROM payments WHERE status <> 'settled' GROUP BY 1, 2"
)


@pytest.fixture
def seed() -> int:
    """What all chance of a run grows from."""
    seed = asked("CHAOS_SEED", SystemRandom().getrandbits(32))
    print(f"repeat with CHAOS_SEED={seed}")  # noqa: T201  shown when it fails
    return seed


@pytest.fixture
async def sweeping(
    database: str, evidence: Evidence, warm: WarmCtrip, seed: int
) -> AsyncIterator[World]:
    """A world whose gateway sweeps, once it is started."""
    batch = is_batched(seed)
    started = world(database, evidence, warm, block_seconds=1, batch=batch, settings=SWEPT)
    async with started as it:
        give_words(it.gateway.log.parent)
        if batch:
            await deploy_batcher(it.chain, RawAddress(TREASURY), gas_wallet())
        await it.chain.set_balance(gas_wallet(), PURSE)
        await it.fund(coin=10**24, token=10**12)
        yield it


def give_words(folder: Path) -> None:
    """Write the file with the keys."""
    (folder / WORDS).touch(0o600)
    (folder / WORDS).write_text(MNEMONIC)


def is_batched(seed: int) -> bool:
    return seed % 2 == 1


def gas_wallet() -> RawAddress:
    return Signer(bytearray(MNEMONIC.encode())).gas_address


async def test_kills_lost_pools_and_reorgs_move_the_money_once(
    sweeping: World, database: str, seed: int, tmp_path: Path
) -> None:
    kills, payments = asked("CHAOS_KILLS", KILLS), asked("CHAOS_PAYMENTS", PAYMENTS)
    freezes, random = asked("CHAOS_FREEZES", 0), Random(seed)
    await sweeping.gateway.start()
    gateways = [sweeping.gateway, *([await another(sweeping, tmp_path)] if freezes else [])]
    seconds = PAID_SECONDS * kills + FROZEN_SECONDS[1] * freezes
    bought = await buy(sweeping, payments, random)
    async with forgetting(sweeping.chain, seed) as chain:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(kill(sweeping.gateway, kills, random))
            tasks.create_task(freeze(gateways, freezes, random))
            for one in bought:
                tasks.create_task(pay(sweeping, one, chain.purse, random, seconds))
        conn = await asyncpg.connect(database)
        await all_settled(conn, payments)
    print(f"{kills} kills; the chain forgot {len(chain.dropped)} of our transactions")  # noqa: T201
    assert chain.dropped, "nothing of ours was ever dropped"
    await check_audit(sweeping, payments)
    story = await told_by(sweeping.chain)
    await check_payments(sweeping, bought, story, is_batched=is_batched(seed))
    await check_books(sweeping, conn, bought, story)
    check_handed(sweeping, bought, story, is_batched=is_batched(seed))
    await conn.close()
    for gateway in gateways:
        assert not gateway.faults()
        await gateway.close()


def asked(name: str, otherwise: int) -> int:
    """Return a number from the environment, if it is there."""
    return int(os.environ.get(name) or otherwise)


async def buy(it: World, count: int, random: Random) -> list[Bought]:
    """Create payments in coin and in tokens, mixed; nothing is paid."""
    limit = asyncio.Semaphore(CREATED_AT_ONCE_MAX)

    async def create(asset: dict[str, str], unit: int) -> Bought:
        async with limit:
            amount = random.randrange(WORTH_MOVING, 10**6) * unit
            return Bought(await it.gateway.create(amount=str(amount), **asset), [])

    kinds: Sequence[tuple[dict[str, str], int]] = [({}, 10**13), ({"token_id": it.token_id}, 1)]
    return list(await asyncio.gather(*(create(*random.choice(kinds)) for _ in range(count))))


async def pay(
    it: World, bought: Bought, purse: asyncio.Lock, random: Random, seconds: float
) -> None:
    """Pay at some moment, often in two parts."""
    amount = int(bought.payment["amount"])
    first = random.choice((amount, amount // 2))
    for part in (first, amount - first):
        await asyncio.sleep(random.uniform(0, seconds / 2))
        if part:
            async with purse:
                bought.hashes.append(str(await it.pay(bought.payment, part)))


async def kill(gateway: Gateway, times: int, random: Random) -> None:
    """Kill the gateway so often, and leave it alive."""
    for _ in range(times):
        await gateway.listening()
        await asyncio.sleep(random.uniform(*LIFE_SECONDS))
        gateway.kill()
        gateway.launch()
    await gateway.listening()


async def freeze(gateways: Sequence[Gateway], times: int, random: Random) -> None:
    """Let one of the gateways stand still so often, longer than its leases last."""
    for _ in range(times):
        frozen = random.choice(gateways).process
        frozen.send_signal(signal.SIGSTOP)
        await asyncio.sleep(random.uniform(*FROZEN_SECONDS))
        frozen.send_signal(signal.SIGCONT)


async def another(it: World, folder: Path) -> Gateway:
    """Start a second gateway beside the first one, with the same keys."""
    give_words(folder)
    twin = it.gateway.twin(folder)
    await twin.start()
    return twin


async def all_settled(conn: "asyncpg.Connection[Any]", count: int) -> None:
    """Wait until so many payments are settled, and what settled them is final."""

    async def look() -> bool:
        query = """
        SELECT (SELECT count(*) FROM payments WHERE status = 'settled') AS settled,
            (SELECT count(*) FROM sweeps WHERE state <> 'final') AS sweeps,
            (SELECT count(*) FROM sendings WHERE NOT final) AS sendings
        """
        row = await conn.fetchrow(query)
        assert row is not None
        return tuple(row) == (count, 0, 0)

    try:
        await until("all is settled", look, seconds=SETTLE_SECONDS_MAX)
    except AssertionError as late:
        for query in (UNSWEPT, UNSENT, UNPAID):
            late.add_note("\n".join(str(tuple(row)) for row in await conn.fetch(query)))
        raise


async def check_audit(it: World, count: int) -> None:
    """Let `ctrip audit` say whether everything agrees."""
    done = await it.gateway.run("audit", "--json")
    assert done.returncode == 0, done.stdout
    [chain] = json.loads(done.stdout)
    assert (chain["differences"], chain["uncompared"], chain["under_way"]) == ([], "", 0)
    assert chain["balances"] > count


async def check_payments(
    it: World, bought: Sequence[Bought], story: Story, *, is_batched: bool
) -> None:
    """Compare payments with what payers sent, what came and what went, to the wei."""
    gas, arrived = gas_wallet(), dict.fromkeys((COIN, it.token), 0)
    for one in bought:
        payment = await it.gateway.get(one.payment["id"])
        assert payment["status"] == "settled"
        assert payment["amount_received"] == payment["amount"]
        address, is_token = payment["address"].lower(), bool(payment["token_id"])
        asset = it.token if is_token else COIN
        came, went = story.of(address)
        paid = {move.tx_hash: move.amount for move in came if move.sender != gas}
        assert {t["tx_hash"]: t["amount"] for t in payment["transfers"]} == paid
        assert paid.keys() == set(one.hashes)
        fuel = [(move.asset, move.sender) for move in came if move.sender == gas]
        moves_itself = not (is_token and is_batched)
        assert fuel == [(COIN, gas)] * (is_token and moves_itself), "its gas came once"
        [moved] = went
        assert (moved.recipient, moved.asset) == (TREASURY, asset)
        assert story.nonces.get(address, []) == [0] * moves_itself
        if is_token:
            assert moved.amount == payment["amount"]
        arrived[asset] += moved.amount
        for held in arrived:
            assert await balance(it, address, held) == story.balance(address, held)
    for asset, amount in arrived.items():
        assert await balance(it, TREASURY, asset) == amount > 0
    assert await balance(it, gas, COIN) == PURSE + story.balance(gas, COIN)


async def check_books(
    it: World, conn: "asyncpg.Connection[Any]", bought: Sequence[Bought], story: Story
) -> None:
    """Compare every account of the ledger with the chain."""
    rows = await conn.fetch("SELECT account, asset, sum(amount) AS n FROM ledger GROUP BY 1, 2")
    booked = {(row["account"], row["asset"]): int(row["n"]) for row in rows if row["n"]}
    deposits = [one.payment["address"].lower() for one in bought]
    expected = {("fees", COIN): sum(story.fees[one] for one in (*deposits, gas_wallet()))}
    for asset in (COIN, it.token):
        accounts = {f"deposit:{one}": one for one in deposits} | {
            f"treasury:{TREASURY}": TREASURY,
            f"gas:{gas_wallet()}": gas_wallet(),
        }
        for account, address in accounts.items():
            expected[(account, asset)] = story.balance(address, asset)
        paid = [
            one.payment["amount"]
            for one in bought
            if (asset == COIN) != bool(one.payment["token_id"])
        ]
        expected[("payers", asset)] = -sum(paid)
    assert booked == {key: amount for key, amount in expected.items() if amount}


def check_handed(it: World, bought: Sequence[Bought], story: Story, *, is_batched: bool) -> None:
    """No nonce was ever offered to a node for two things, whether or not it came to a block."""
    handed = meanings(it.provider.handed)
    assert all(len(meant) == 1 for meant in handed.values())
    tokens = {b.payment["address"].lower() for b in bought if b.payment["token_id"]}
    coins = {b.payment["address"].lower() for b in bought} - tokens
    gas = gas_wallet()
    themselves = coins if is_batched else tokens | coins
    assert {at for at in handed if at[0] != gas} == {(one, 0) for one in themselves}
    by_gas_wallet = [to for (sender, _), [(to, _)] in handed.items() if sender == gas]
    if is_batched:
        assert set(by_gas_wallet) == {batcher_of(RawAddress(TREASURY), gas)}
    else:
        assert sorted(by_gas_wallet) == sorted(tokens)
    assert sorted(story.nonces[gas]) == list(range(len(by_gas_wallet)))


async def balance(it: World, owner: str, asset: str) -> int:
    """Return what an address holds."""
    if asset == COIN:
        return int(await it.chain.rpc("eth_getBalance", owner, "latest"), 16)
    call = {"to": asset, "data": f"0x70a08231{owner[2:]:0>64}"}
    return int(await it.chain.rpc("eth_call", call, "latest"), 16)
