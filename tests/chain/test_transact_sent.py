"""Sending on a real node: what it says to a transaction, and what becomes of that."""

from collections.abc import AsyncIterator

import pytest

from ctrip.chain.transactor import Transactor
from ctrip.core.abi import erc20_transfer
from ctrip.core.ids import NATIVE, Amount, BlockHash, BlockNumber
from ctrip.core.outgoing import Mined, Outcome, Sent, Signed, Verdict
from tests.chain.paying import ETHER, GWEI, SENDER, SHOP, a_signed
from tests.chain.transacting import (
    UNKNOWN,
    a_strict_anvil,
    a_tether,
    receipt_of,
    taken,
    transactor_of,
    undone,
)
from tests.support.anvil import Anvil


@pytest.fixture(scope="module")
async def anvil() -> AsyncIterator[Anvil]:
    async with a_strict_anvil() as anvil:
        yield anvil


@pytest.fixture
async def chain(anvil: Anvil) -> AsyncIterator[Anvil]:
    async with undone(anvil):
        yield anvil


@pytest.fixture
async def transactor(chain: Anvil) -> AsyncIterator[Transactor]:
    async with transactor_of(chain.url) as transactor:
        yield transactor


# What it says


async def test_the_same_bytes_are_taken_twice(transactor: Transactor) -> None:
    await taken(transactor, a_signed())
    await taken(transactor, a_signed())


async def test_a_replacement_at_the_same_price_is_underpriced(transactor: Transactor) -> None:
    await taken(transactor, a_signed())
    said = await transactor.send(a_signed(value=Amount(6)))
    assert said == Sent(Verdict.UNDERPRICED, "replacement transaction underpriced")


async def test_a_replacement_that_is_dearer_by_an_eighth_is_taken(
    chain: Anvil, transactor: Transactor
) -> None:
    first = await taken(transactor, a_signed(max_fee=8 * GWEI, priority_fee=GWEI))
    second = await taken(transactor, a_signed(max_fee=9 * GWEI, priority_fee=GWEI * 9 // 8))
    await chain.mine()
    was, now = await transactor.outcomes([first, second])
    assert was == Outcome(tx_hash=first)
    assert now.mined is not None


async def test_less_than_the_base_fee_is_underpriced(transactor: Transactor) -> None:
    said = await transactor.send(a_signed(max_fee=1, priority_fee=1))
    assert said.verdict is Verdict.UNDERPRICED


async def test_a_nonce_that_was_used_is_spent(chain: Anvil, transactor: Transactor) -> None:
    await taken(transactor, a_signed())
    await chain.mine()
    assert await transactor.send(a_signed(value=Amount(6))) == Sent(
        Verdict.NONCE_SPENT, "nonce too low"
    )


async def test_who_cannot_pay_for_gas_too_is_poor(transactor: Transactor) -> None:
    said = await transactor.send(a_signed(value=Amount(ETHER)))
    assert said == Sent(Verdict.POOR, "Insufficient funds for gas * price + value")


async def test_all_but_the_gas_is_taken(transactor: Transactor) -> None:
    fee = 21_000 * 4 * GWEI
    await taken(transactor, a_signed(value=Amount(ETHER - fee)))
    assert (await transactor.send(a_signed(value=Amount(ETHER - fee + 1)))).verdict in (
        Verdict.POOR,
        Verdict.UNDERPRICED,
    )


@pytest.mark.parametrize(
    ("signed", "why"),
    [
        (a_signed(gas=20_999), "intrinsic gas too low"),
        (a_signed(chain_id=1), "invalid chain id for signer"),
        (Signed(UNKNOWN, "0xdeadbeef"), "Failed to decode transaction"),
    ],
    ids=["gas", "chain", "bytes"],
)
async def test_what_is_no_transaction_of_the_chain_is_refused(
    transactor: Transactor, signed: Signed, why: str
) -> None:
    assert await transactor.send(signed) == Sent(Verdict.REFUSED, why)


# What becomes of it


async def test_a_transaction_is_unknown_then_pending_then_mined(
    chain: Anvil, transactor: Transactor
) -> None:
    signed = a_signed()
    assert await transactor.outcomes([signed.tx_hash]) == [Outcome(tx_hash=signed.tx_hash)]
    await taken(transactor, signed)
    assert await transactor.outcomes([signed.tx_hash]) == [
        Outcome(tx_hash=signed.tx_hash, known=True)
    ]
    before = await transactor.balance(SENDER, NATIVE)
    await chain.mine()
    receipt = await receipt_of(chain, signed.tx_hash)
    [outcome] = await transactor.outcomes([signed.tx_hash])
    assert outcome.mined == Mined(
        block_number=BlockNumber(int(receipt["blockNumber"], 16)),
        block_hash=BlockHash(receipt["blockHash"]),
        succeeded=True,
        gas_used=21_000,
        fee=Amount(21_000 * int(receipt["effectiveGasPrice"], 16)),
    )
    assert before - await transactor.balance(SENDER, NATIVE) == 5 + outcome.mined.fee


async def test_outcomes_come_in_the_order_of_the_question(
    chain: Anvil, transactor: Transactor
) -> None:
    mined = await taken(transactor, a_signed())
    await chain.mine()
    pending = await taken(transactor, a_signed(nonce=1))
    asked = [UNKNOWN, pending, mined]
    said = await transactor.outcomes(asked)
    assert [outcome.tx_hash for outcome in said] == asked
    assert [(o.mined is not None, o.known) for o in said] == [
        (False, False),
        (False, True),
        (True, False),
    ]
    assert await transactor.outcomes([]) == []


async def test_what_failed_is_mined_and_cost_its_fee(chain: Anvil, transactor: Transactor) -> None:
    tether = await a_tether(chain)
    data = erc20_transfer(SHOP, Amount(101))
    failing = a_signed(to=tether.address, value=Amount(0), data=data, gas=100_000)
    tx_hash = await taken(transactor, failing)
    await chain.mine()
    [outcome] = await transactor.outcomes([tx_hash])
    assert outcome.mined is not None
    assert not outcome.mined.succeeded
    assert outcome.mined.fee == ETHER - await transactor.balance(SENDER, NATIVE)


async def test_what_a_reorg_took_is_not_mined_and_can_be_sent_again(
    chain: Anvil, transactor: Transactor
) -> None:
    signed = a_signed()
    await taken(transactor, signed)
    await chain.mine()
    await chain.reorg(1)
    assert await transactor.outcomes([signed.tx_hash]) == [Outcome(tx_hash=signed.tx_hash)]
    assert await transactor.next_nonce(SENDER) == 0
    await taken(transactor, signed)
    await chain.mine()
    [outcome] = await transactor.outcomes([signed.tx_hash])
    assert outcome.mined is not None


async def test_what_a_reorg_moved_is_mined_in_its_new_block(
    chain: Anvil, transactor: Transactor
) -> None:
    tx_hash = await taken(transactor, a_signed())
    await chain.mine()
    [was] = await transactor.outcomes([tx_hash])
    await chain.reorg(1, again=[tx_hash])
    [now] = await transactor.outcomes([tx_hash])
    assert was.mined is not None
    assert now.mined is not None
    assert was.mined.block_hash != now.mined.block_hash
