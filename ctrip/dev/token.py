"""The test token of a dev chain: an ERC-20 from contracts/TestToken.sol, minted for nothing.

A contract's address follows from who deploys it and how many transactions they sent
before. An account that does nothing else deploys the token, so on every fresh dev chain
it has the one ADDRESS, which chains.yaml can name.

The ABI is written by hand: three calls and one constructor are not worth a library.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ctrip.chain.artifacts import Artifact, artifact_in
from ctrip.chain.wire import Endpoint
from ctrip.core.errors import ConfigError
from ctrip.core.ids import Address, Amount, RawAddress, TxHash, raw
from ctrip.dev.child import CannotStart

NAME: Final = "Test Dollar"
SYMBOL: Final = "TEST"
DECIMALS: Final = 6

DEPLOYER: Final = RawAddress("0xa0ee7a142d267c1f36714e4a8f75612f20a79720")  # anvil's last account
ADDRESS: Final = Address("0x700b6A60ce7EaaEA56F065753d8dcB9653dbAD35")

ARTIFACT: Final = Path(__file__).parent / "contracts" / "TestToken.json"
WORD_BYTES: Final = 32


class NotMined(ConfigError):
    """The dev chain did not carry a transaction out."""


def artifact() -> Artifact:
    """Return the compiled contract."""
    return artifact_in(ARTIFACT)


async def ensure(node: Endpoint) -> Address:
    """Return the address of the chain's test token, deployed now if it is not there yet."""
    if await node.call("eth_getCode", ADDRESS, "latest") == "0x":
        contract = await deploy(node, DEPLOYER)
        if contract != raw(ADDRESS):
            raise CannotStart(
                f"the test token landed on {contract}, not on {ADDRESS}, because {DEPLOYER} has "
                "been used on this dev chain: delete the chain's state to begin a new one"
            )
    return ADDRESS


async def deploy(
    node: Endpoint,
    deployer: RawAddress,
    *,
    name: str = NAME,
    symbol: str = SYMBOL,
    decimals: int = DECIMALS,
) -> RawAddress:
    """Deploy a token from an unlocked account, mine it, and return its address."""
    code = artifact().bytecode + constructor(name, symbol, decimals)
    receipt = await mined(node, {"from": deployer, "data": code})
    return RawAddress(receipt["contractAddress"].lower())


async def mint(node: Endpoint, token: RawAddress, to: RawAddress, amount: Amount) -> TxHash:
    """Give `to` new tokens out of nothing, mined."""
    call = {"from": DEPLOYER, "to": token, "data": mint_call(to, amount)}
    return TxHash((await mined(node, call))["transactionHash"])


async def balance(node: Endpoint, token: RawAddress, owner: RawAddress) -> Amount:
    """Return how many base units an address owns."""
    data = selector("balanceOf(address)") + word(owner)
    return Amount(int(await node.call("eth_call", {"to": token, "data": data}, "latest"), 16))


def mint_call(to: RawAddress, amount: Amount) -> str:
    """Return the call data that mints."""
    return selector("mint(address,uint256)") + word(to) + word(amount)


def transfer_call(to: RawAddress, amount: Amount) -> str:
    """Return the call data that transfers from the sender."""
    return selector("transfer(address,uint256)") + word(to) + word(amount)


async def mined(node: Endpoint, transaction: Mapping[str, str]) -> dict[str, Any]:
    """Send from an unlocked account, mine a block at once, and return the receipt."""
    tx_hash = await node.call("eth_sendTransaction", transaction)
    await node.call("evm_mine")
    receipt: dict[str, Any] | None = await node.call("eth_getTransactionReceipt", tx_hash)
    if receipt is None or receipt["status"] != "0x1":
        raise NotMined(f"the dev chain did not carry out transaction {tx_hash}")
    return receipt


def constructor(name: str, symbol: str, decimals: int) -> str:
    """Return the arguments (string, string, uint8): a head of offsets, then the two texts."""
    first, second = text(name), text(symbol)
    head_bytes = 3 * WORD_BYTES
    offset = head_bytes + len(first) // 2
    return word(head_bytes) + word(offset) + word(decimals) + first + second


def text(value: str) -> str:
    """Return a string as the ABI holds it: its length, then its bytes in whole words."""
    encoded = value.encode()
    padding = -len(encoded) % WORD_BYTES
    return word(len(encoded)) + encoded.hex() + "00" * padding


def word(value: int | str) -> str:
    """Return a number or an address as 32 bytes of hex."""
    number = int(value, 16) if isinstance(value, str) else value
    return f"{number:064x}"


def selector(signature: str) -> str:
    """Return the start of the call data of a function."""
    return "0x" + artifact().selectors[signature]
