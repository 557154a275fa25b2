"""Logs that are shaped almost like EIP-20's: other standards, old contracts, assembly."""

from typing import Final

import pytest

from ctrip.core.ids import RawAddress
from tests.traps.world import World

MINT: Final = "mint(address,uint256)"
TRANSFER: Final = "transfer(address,uint256)"
WRITE: Final = "write(bytes32[],bytes)"

# keccak-256 of "Transfer(address,address,uint256)", and the same with `uint`, as it is mistyped
TOPIC: Final = bytes.fromhex("ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef")
MISTYPED: Final = bytes.fromhex("930a61a57a70a73c2a503615b87e2e54fe5b9cdeacda518270b852296ab1a377")
HUNDRED: Final = (100).to_bytes(32)


def topic(owner: str, dirt: str = "00" * 12) -> bytes:
    """Return an address as a topic; its first twelve bytes are zero, or dirt."""
    return bytes.fromhex(dirt + owner.removeprefix("0x"))


async def test_an_erc_721_whose_fourth_topic_is_a_number(world: World) -> None:
    token = await world.deploy("Erc721")
    payment = await world.create(token)
    await token.send(MINT, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_kitty_whose_parties_are_all_data(world: World) -> None:
    token = await world.deploy("Kitties")
    payment = await world.create(token)
    await token.send("give(address,uint256)", payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_token_that_makes_only_one_party_a_topic(world: World) -> None:
    token = await world.deploy("HalfIndexed")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_erc_1155_transfer_of_one_kind(world: World) -> None:
    token = await world.deploy("Erc1155")
    payment = await world.create(token)
    await token.send("give(address,uint256,uint256)", payment.address, 1, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_erc_1155_transfer_of_many_kinds(world: World) -> None:
    token = await world.deploy("Erc1155")
    payment = await world.create(token)
    batch = (payment.address, [1, 2], [60, 40])
    await token.send("giveBatch(address,uint256[],uint256[])", *batch)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_erc_777_that_only_says_sent(world: World) -> None:
    token = await world.deploy("Erc777")
    payment = await world.create(token)
    await token.send("send(address,uint256)", payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_erc_777_that_says_it_twice_is_counted_once(world: World) -> None:
    token = await world.deploy("Erc777")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert len(now.transfers) == 1


async def test_an_erc_223_whose_transfer_has_four_arguments(world: World) -> None:
    token = await world.deploy("Erc677")
    payment = await world.create(token)
    await token.send("transferAlone(address,uint256)", payment.address, 100)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_erc_677_that_says_it_twice_is_counted_once(world: World) -> None:
    token = await world.deploy("Erc677")
    payment = await world.create(token)
    await token.send("transferAndCall(address,uint256)", payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert len(now.transfers) == 1


async def test_coin_that_is_wrapped_for_a_payment_makes_no_transfer(world: World) -> None:
    token = await world.deploy("WrappedCoin")
    payment = await world.create(token)
    await token.send("depositTo(address)", payment.address, value=100)
    await world.mine()
    assert await token.ask("balanceOf(address)", payment.address) == 100
    await world.shows_nothing(payment)


async def test_coin_that_was_wrapped_and_then_sent(world: World) -> None:
    token = await world.deploy("WrappedCoin")
    payment = await world.create(token)
    await token.send("deposit()", value=100)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows(payment, 100, "detected")


@pytest.mark.parametrize("size", [0, 1, 31, 33, 64, 96])
async def test_data_that_is_not_one_word(world: World, size: int) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    topics = [TOPIC, topic(world.payer), topic(payment.address)]
    await token.send(WRITE, topics, (HUNDRED * 3)[32 - min(size, 32) :][:size])
    await world.mine()
    await world.shows_nothing(payment)


async def test_the_same_log_with_one_word_is_money(world: World) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    await token.send(WRITE, [TOPIC, topic(world.payer), topic(payment.address)], HUNDRED)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert now.transfers[0].sender == world.payer


@pytest.mark.parametrize("count", [0, 1, 2, 4])
async def test_another_number_of_topics(world: World, count: int) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    topics = [TOPIC, topic(world.payer), topic(payment.address), HUNDRED]
    await token.send(WRITE, topics[:count], HUNDRED)
    await world.mine()
    await world.shows_nothing(payment)


@pytest.mark.parametrize("dirt", ["01" + "00" * 11, "00" * 11 + "01", "ff" * 12])
async def test_a_recipient_with_dirty_upper_bytes(world: World, dirt: str) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    await token.send(WRITE, [TOPIC, topic(world.payer), topic(payment.address, dirt)], HUNDRED)
    await world.mine()
    await world.shows_nothing(payment)


async def test_a_sender_with_dirty_upper_bytes(world: World) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    topics = [TOPIC, topic(world.payer, "ff" * 12), topic(payment.address)]
    await token.send(WRITE, topics, HUNDRED)
    await world.mine()
    await world.shows_nothing(payment)


@pytest.mark.parametrize("first", [b"\0" * 32, TOPIC[::-1], MISTYPED])
async def test_a_first_topic_of_another_event(world: World, first: bytes) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    await token.send(WRITE, [first, topic(world.payer), topic(payment.address)], HUNDRED)
    await world.mine()
    await world.shows_nothing(payment)


async def test_parties_in_the_wrong_order(world: World) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    await token.send(WRITE, [TOPIC, topic(payment.address), topic(world.payer)], HUNDRED)
    await world.mine()
    await world.shows_nothing(payment)


async def test_an_anonymous_event_of_a_listed_token_is_its_word_all_the_same(
    world: World,
) -> None:
    token = await world.deploy("Anonymous")
    payment = await world.create(token)
    await token.send(TRANSFER, payment.address, 100)
    await world.mine()
    await world.shows(payment, 100, "detected")


async def test_logs_that_are_none_do_not_hide_the_one_beside_them(world: World) -> None:
    token = await world.deploy("Ink")
    payment = await world.create(token)
    parties = [topic(world.payer), topic(payment.address)]
    for topics, data in (
        ([TOPIC, *parties], b""),
        ([TOPIC, *parties, HUNDRED], b""),
        ([TOPIC, *parties], HUNDRED),
        ([TOPIC], HUNDRED * 3),
        ([], HUNDRED),
    ):
        await token.send(WRITE, topics, data)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert [t.log_index for t in now.transfers] == [2]


async def test_the_zero_address_may_be_the_sender_of_what_is_minted(world: World) -> None:
    payment = await world.create(world.usd)
    await world.usd.send(MINT, payment.address, 100)
    await world.mine()
    now = await world.shows(payment, 100, "detected")
    assert now.transfers[0].sender == RawAddress("0x" + "00" * 20)
