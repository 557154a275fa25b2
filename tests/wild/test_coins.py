"""What is money and what is not, on a real chain: decimals, spoofed logs, coin that logs itself.

Native coin through contracts is in test_native_money.py; tokens that lie, 40 of them, are
in tests/traps.
"""

from collections.abc import Awaitable, Callable
from typing import Final

import pytest
from msgspec.structs import replace

from ctrip.assembly import check_tokens
from ctrip.chain.decode import TRANSFER
from ctrip.chain.tokens import verify_tokens
from ctrip.core.chains import NativeSource, Token
from ctrip.core.errors import ConfigError
from ctrip.core.ids import RawAddress
from ctrip.core.payment import Source, Status
from ctrip.settings import Network, Secret
from ctrip.store.pool import Pool
from ctrip.wallet.derive import checksum
from tests.faults.world import TOKEN, served
from tests.support.anvil import FUNDER, Anvil
from tests.support.native_contracts import Logger, deploy_payers, play_eip7708, play_polygon
from tests.support.token_contracts import deploy
from tests.wild.world import (
    SECONDS_BLOCK_BY_BLOCK,
    SECONDS_IN_RANGES,
    WHOLE_WAY,
    a_wild_world,
    address,
)

LOOKS: Final = 5
WITHDRAWN: Final = 100
VALIDATOR_PAID: Final = "0x" + "c0" * 20
TRANSFER_CALL: Final = "transfer(address,uint256)"

Play = Callable[[Anvil], Awaitable[Logger]]


def listing(contract: RawAddress, *, decimals: int = 6) -> Token:
    """Return a token as chains.yaml would list it."""
    return Token(
        chain=TOKEN.chain,
        chain_id=TOKEN.chain_id,
        contract=checksum(contract),
        symbol="USD",
        decimals=decimals,
    )


async def test_a_token_has_other_decimals_than_elsewhere(anvil: Anvil) -> None:
    """connext 2755, oisy 6220, me-hub 54: USDT has 6 on Ethereum and 18 on BSC."""
    bsc_usdt = listing(await anvil.deploy_token(symbol="USDT", decimals=18))
    wrong = replace(served(), tokens=(bsc_usdt,))
    right = replace(served(), tokens=(replace(bsc_usdt, decimals=18),))
    urls = (Secret(anvil.url),)
    [fault] = await verify_tokens(wrong, urls)
    assert "has 6 decimals in chains.yaml and 18 on the chain" in fault
    assert await verify_tokens(right, urls) == []
    with pytest.raises(ConfigError, match="18 on the chain"):
        await check_tokens([Network(chain=wrong, rpc_urls=urls)])


async def test_transfers_are_spoofed_in_every_way(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """rotki 5749, scam-database 789, SlowMist 2018: none of these logs is money."""
    listed, foreign = await deploy(anvil, "PlainToken"), await deploy(anvil, "PlainToken")
    denies, ink = await deploy(anvil, "FalseToken"), await deploy(anvil, "Ink")
    posing = await deploy(anvil, "Erc721")
    for token in (listed, foreign):
        await token.send("mint(address,uint256)", FUNDER, 1_000)
    await anvil.mine()
    tokens = tuple(listing(one.address) for one in (listed, denies, posing, ink))
    async with a_wild_world(pool, anvil, block_seconds=block_seconds, tokens=tokens) as world:
        paid = [await world.create(100, token_id=token.id) for token in tokens]
        of_listed, of_denies, of_posing, of_ink = map(address, paid)
        topics = [
            bytes.fromhex(TRANSFER[2:]),
            *(bytes(12) + bytes.fromhex(a[2:]) for a in (FUNDER, of_ink)),
        ]
        await foreign.send(TRANSFER_CALL, of_listed, 100)
        await listed.send(TRANSFER_CALL, of_listed, 0)
        await denies.send(TRANSFER_CALL, of_denies, 100)
        await posing.send("mint(address,uint256)", of_posing, 100)
        for data in (b"", bytes(31) + b"d" + b"d", bytes(30) + b"d"):
            await ink.send("write(bytes32[],bytes)", topics, data)
        await world.mine_and_look(LOOKS)
        for payment in paid:
            now = await world.shows(payment, 0)
            assert (now.status, now.transfers) == (Status.PENDING, ())
        await ink.send("write(bytes32[],bytes)", topics, bytes(31) + b"d")
        await world.mine_and_look()
        await world.shows(paid[-1], 100, "detected")


@pytest.mark.parametrize(
    ("native", "play"),
    [(NativeSource.EIP7708, play_eip7708), (NativeSource.POLYGON, play_polygon)],
)
async def test_native_coin_is_seen_as_a_value_and_as_a_log(
    pool: Pool, anvil: Anvil, block_seconds: float, native: NativeSource, play: Play
) -> None:
    """spellbook 6459, EIP-7708: the same coin twice. A chain has one source for it."""
    logger = await play(anvil)
    async with a_wild_world(pool, anvil, block_seconds=block_seconds, native=native) as world:
        payment = await world.create(100)
        await logger.pay(address(payment), 100)
        await world.mine_and_look(LOOKS)
        now = await world.shows(payment, 100, *WHOLE_WAY)
        assert [transfer.source for transfer in now.transfers] == [Source.LOG]


async def test_a_log_of_native_coin_appears_on_a_chain_that_has_none(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """EIP-7708's address where nobody configured it: what it says is nothing."""
    logger = await play_eip7708(anvil)
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        paid, lied_to = await world.create(100), await world.create(100)
        await logger.pay(address(paid), 100)
        await logger.tell(FUNDER, address(lied_to), 100)
        await world.mine_and_look(LOOKS)
        now = await world.shows(paid, 100, *WHOLE_WAY)
        assert [transfer.source for transfer in now.transfers] == [Source.TRACE]
        await world.shows(lied_to, 0)


async def test_an_inner_call_is_reverted_and_the_transaction_succeeds(
    pool: Pool, anvil: Anvil
) -> None:
    """geth 21438, SlowMist 2020: an error on a frame around it. Without one, twelve deep: money."""
    payers = await deploy_payers(anvil)
    async with a_wild_world(pool, anvil) as world:
        cheated, paid = await world.create(100), await world.create(100)
        await payers.failed_inner(address(cheated), 100)
        await payers.deep(address(paid), 100, levels=12, data=b"thanks")
        await world.mine_and_look(LOOKS)
        await world.shows(cheated, 0)
        now = await world.shows(paid, 100, *WHOLE_WAY)
        assert [transfer.source for transfer in now.transfers] == [Source.TRACE]


async def test_a_withdrawal_raises_a_balance_and_no_transaction_names_it(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """Of a validator: no trace shows it. It counts when it is final, and says how it was found."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        payment = await world.create(WITHDRAWN)
        await anvil.set_balance(address(payment), WITHDRAWN)
        await world.mine_and_look()
        await world.shows(payment, 0)
        await world.mine_and_look(LOOKS)
        now = await world.settled(payment, WITHDRAWN)
        assert [transfer.source for transfer in now.transfers] == [Source.BALANCE]


async def test_a_block_pays_its_fees_to_a_payment(pool: Pool, anvil: Anvil) -> None:
    """The coinbase: what the payment's address earned is money, found by its balance."""
    async with a_wild_world(pool, anvil) as world:
        payment = await world.create(1)
        await anvil.rpc("anvil_setCoinbase", address(payment))
        await anvil.send(FUNDER, 5)
        await world.mine()
        await anvil.rpc("anvil_setCoinbase", VALIDATOR_PAID)
        held = int(await anvil.rpc("eth_getBalance", address(payment), "latest"), 16)
        assert held > 0
        await world.mine_and_look(LOOKS)
        now = await world.now(payment)
        assert (now.amount_received, now.status) == (held, Status.SETTLED)
        assert [transfer.source for transfer in now.transfers] == [Source.BALANCE]


@pytest.mark.parametrize("block_seconds", [SECONDS_BLOCK_BY_BLOCK, SECONDS_IN_RANGES])
async def test_a_failed_transaction_offers_coin(
    pool: Pool, anvil: Anvil, block_seconds: float
) -> None:
    """Status 0: listed in the block with its value, and nothing arrived."""
    async with a_wild_world(pool, anvil, block_seconds=block_seconds) as world:
        payment = await world.create(100)
        await anvil.send_failing(address(payment), 100)
        await world.mine_and_look(LOOKS)
        now = await world.shows(payment, 0)
        assert now.transfers == ()


async def test_code_is_borrowed_with_a_value_in_context(pool: Pool, anvil: Anvil) -> None:
    """DELEGATECALL and CALLCODE show a value in a trace, and move none; what is beside does."""
    payers = await deploy_payers(anvil)
    async with a_wild_world(pool, anvil) as world:
        payment = await world.create(100)
        await payers.borrow(address(payment), 100)
        await payers.wallet(address(payment), 3)
        await world.mine_and_look(LOOKS)
        await world.shows(payment, 3, "underpaid", flags=["underpaid"])
