"""Whose money a block carries."""

from typing import Final

from ctrip.core.blocks import Block, NativeCall, Receipt, TokenLog
from ctrip.core.ids import NATIVE, Address, Amount, Asset, BlockHash, BlockNumber, raw
from ctrip.core.matching import Found, calls_to_check, match, succeeded
from tests.support.builders import (
    ADDRESS,
    CHAIN,
    CONTRACT,
    OTHER_ADDRESS,
    OTHER_ASSET,
    PAYER,
    a_block,
    a_payment,
    a_transfer,
    block_hash,
    tx_hash,
)

OURS: Final = a_payment().id
WATCHED: Final = {raw(ADDRESS): OURS}
TOKEN: Final = Asset(raw(CONTRACT))


def a_call(n: int = 1, amount: int = 100, to: Address = ADDRESS) -> NativeCall:
    return NativeCall(tx_hash=tx_hash(n), sender=PAYER, recipient=raw(to), amount=Amount(amount))


def a_log(
    n: int, log_index: int, amount: int = 100, *, block: int = 10, to: Address = ADDRESS,
    contract: str = TOKEN,
) -> TokenLog:  # fmt: skip
    return TokenLog(
        contract=raw(Address(contract)),
        tx_hash=tx_hash(n),
        log_index=log_index,
        block_number=BlockNumber(block),
        block_hash=block_hash(block),
        sender=PAYER,
        recipient=raw(to),
        amount=Amount(amount),
    )


def a_receipt(n: int = 1, *, block: BlockHash | None = None, succeeded: bool = True) -> Receipt:
    return Receipt(tx_hash=tx_hash(n), block_hash=block or block_hash(10), succeeded=succeeded)


def found(*blocks: Block, good: tuple[int, ...] = ()) -> list[Found]:
    return list(match(CHAIN, blocks, {tx_hash(n) for n in good}, WATCHED))


def test_a_transaction_to_us_that_succeeded_is_money() -> None:
    assert found(a_block(10, calls=(a_call(),)), good=(1,)) == [Found(OURS, a_transfer())]


def test_a_failed_transaction_is_no_money() -> None:
    blocks = [a_block(10, calls=(a_call(1), a_call(2)))]
    good = succeeded(blocks, [a_receipt(1, succeeded=False), a_receipt(2)])
    assert good == frozenset({tx_hash(2)})
    assert [f.transfer.key.tx_hash for f in match(CHAIN, blocks, good, WATCHED)] == [tx_hash(2)]


def test_a_transaction_to_others_is_not_asked_about_and_no_money() -> None:
    block = a_block(10, calls=(a_call(1), a_call(2, to=OTHER_ADDRESS)))
    assert calls_to_check([block], WATCHED) == [tx_hash(1)]
    assert [f.transfer.key.tx_hash for f in found(block, good=(1, 2))] == [tx_hash(1)]


def test_a_token_log_needs_no_receipt() -> None:
    block = a_block(10, logs=(a_log(1, 4, 25),))
    assert calls_to_check([block], WATCHED) == []
    assert found(block) == [
        Found(OURS, a_transfer(1, 25, asset=TOKEN, log_index=4)),
    ]


def test_a_token_log_to_others_is_no_money() -> None:
    assert found(a_block(10, logs=(a_log(1, 0, to=OTHER_ADDRESS),))) == []


def test_a_receipt_of_another_branch_spoils_the_reading() -> None:
    blocks = [a_block(10, calls=(a_call(),))]
    assert succeeded(blocks, [a_receipt(block=block_hash(10, "b"))]) is None


def test_no_calls_need_no_receipts() -> None:
    assert succeeded([a_block(10)], []) == frozenset()


def test_transfers_of_one_transaction_are_told_apart_by_their_rank() -> None:
    logs = (a_log(1, 7, 30), a_log(1, 3, 10), a_log(1, 5, 20))
    transfers = [f.transfer for f in found(a_block(10, logs=logs))]
    assert [(t.log_index, t.amount, t.key.ordinal) for t in transfers] == [
        (3, 10, 0), (5, 20, 1), (7, 30, 2),
    ]  # fmt: skip


def test_ranks_count_for_each_asset_recipient_and_transaction_alone() -> None:
    logs = (
        a_log(1, 0),
        a_log(1, 1, contract=OTHER_ASSET),
        a_log(1, 2, to=OTHER_ADDRESS),
        a_log(1, 3),
        a_log(2, 4),
    )
    watched = WATCHED | {raw(OTHER_ADDRESS): OURS}
    keys = [f.transfer.key for f in match(CHAIN, [a_block(10, logs=logs)], (), watched)]
    assert [key.ordinal for key in keys] == [0, 0, 0, 1, 0]
    assert len(set(keys)) == 5


def test_a_transaction_that_is_mined_again_is_the_same_though_its_log_moved() -> None:
    before = found(a_block(10, logs=(a_log(1, 3, 10), a_log(1, 5, 20))))
    again = found(a_block(12, logs=(a_log(1, 13, 10, block=12), a_log(1, 15, 20, block=12))))
    assert [f.transfer.key for f in before] == [f.transfer.key for f in again]
    assert [f.transfer.block_number for f in again] == [12, 12]


def test_coin_and_token_of_one_transaction_are_two_transfers() -> None:
    block = a_block(10, calls=(a_call(),), logs=(a_log(1, 0),))
    assert [f.transfer.key.asset for f in found(block, good=(1,))] == [NATIVE, TOKEN]


def test_money_is_found_in_the_order_of_the_chain() -> None:
    blocks = [
        a_block(10, logs=(a_log(3, 9), a_log(2, 2))),
        a_block(11, calls=(a_call(1),)),
    ]
    hashes = [f.transfer.key.tx_hash for f in found(*blocks, good=(1,))]
    assert hashes == [tx_hash(2), tx_hash(3), tx_hash(1)]


def test_every_transfer_knows_its_own_block() -> None:
    transfer = found(a_block(11, calls=(a_call(),)), good=(1,))[0].transfer
    header = a_block(11).header
    assert (transfer.block_number, transfer.block_hash, transfer.block_time) == (
        header.number, header.hash, header.time,
    )  # fmt: skip
