"""Contracts that do odd things with tokens, compiled from contracts/*.sol, on a real node.

    token = await deploy(chain, "PlainToken")
    proxy = await deploy(chain, "Proxy(address)", token.address)
    await token.send("transfer(address,uint256)", to, 100)     # in the pool
    await chain.mine()

A call is named by its signature, as the selectors in the artifacts are.
"""

from functools import cache
from pathlib import Path
from typing import Final

import msgspec
from eth_abi.abi import encode
from eth_utils.crypto import keccak
from msgspec import Struct

from ctrip.core.ids import RawAddress, TxHash
from tests.support.anvil import FUNDER, Anvil

FOLDER: Final = Path(__file__).parent / "contracts"
FILES: Final = (
    "tokens", "tokens_payers", "tokens_posing", "tokens_hostile", "tokens_signed", "gas_oracle",
)  # fmt: skip
# Named, so that anvil does not try out what is meant to fail; a batch of fifty needs 1.6 million.
GAS: Final = 3_000_000


class Artifact(Struct, frozen=True):
    """One compiled contract."""

    selectors: dict[str, str]  # signature to the first four bytes of its keccak-256
    bytecode: str


class Artifacts(Struct, frozen=True):
    """What a source with several contracts is compiled to."""

    compiler: str
    source_sha256: str
    contracts: dict[str, Artifact]


class Contract:
    """A contract that lives on a chain."""

    def __init__(self, chain: Anvil, name: str, address: RawAddress) -> None:
        self.name = name
        self.address = address
        self._chain = chain

    async def send(
        self, signature: str, *args: object, sender: RawAddress = FUNDER, value: int = 0
    ) -> TxHash:
        """Put a call into the pool; nothing says yet whether it will succeed."""
        call = {"from": sender, "to": self.address, "value": hex(value), "gas": hex(GAS)}
        call["data"] = self.call(signature, *args)
        return TxHash(await self._chain.rpc("eth_sendTransaction", call))

    async def ask(self, signature: str, *args: object) -> int:
        """Return what a view answers in one word."""
        call = {"to": self.address, "data": self.call(signature, *args)}
        return int(await self._chain.rpc("eth_call", call, "latest"), 16)

    def at(self, address: RawAddress) -> "Contract":
        """Return what is called in the same way at another address, as a proxy is."""
        return Contract(self._chain, self.name, address)

    def call(self, signature: str, *args: object) -> str:
        """Return the data of a call."""
        return "0x" + artifact(self.name).selectors[signature] + arguments(signature, args)


async def deploy(
    chain: Anvil, constructor: str, *args: object, sender: RawAddress = FUNDER
) -> Contract:
    """Deploy a contract, mined at once; the constructor is its name, with its types if any."""
    name = constructor.partition("(")[0]
    data = artifact(name).bytecode + arguments(constructor, args)
    sent = {"from": sender, "data": data, "gas": hex(GAS)}
    tx_hash = await chain.rpc("eth_sendTransaction", sent)
    await chain.mine()
    receipt = await chain.rpc("eth_getTransactionReceipt", tx_hash)
    assert receipt["status"] == "0x1", f"{constructor} cannot be deployed"
    return Contract(chain, name, RawAddress(receipt["contractAddress"].lower()))


async def place_at(chain: Anvil, address: RawAddress, like: Contract) -> Contract:
    """Put the code of a contract at an address of one's choice, as only a test chain allows."""
    code = await chain.rpc("eth_getCode", like.address, "latest")
    await chain.rpc("anvil_setCode", address, code)
    return Contract(chain, like.name, address)


def first_contract_of(deployer: RawAddress) -> RawAddress:
    """Return where an account that never sent anything will deploy to (CREATE, nonce 0)."""
    rlp = bytes.fromhex("d694" + deployer.removeprefix("0x") + "80")
    return RawAddress("0x" + keccak(rlp)[12:].hex())


def arguments(signature: str, args: tuple[object, ...]) -> str:
    """Return what the ABI makes of the arguments of a call or a constructor."""
    types = signature.partition("(")[2].removesuffix(")")
    return encode(types.split(","), args).hex() if types else ""


@cache
def artifact(name: str) -> Artifact:
    """Return a contract by its name, from whichever file it is in."""
    for file in FILES:
        contracts = artifacts(file).contracts
        if name in contracts:
            return contracts[name]
    raise KeyError(name)


@cache
def artifacts(file: str) -> Artifacts:
    """Return all contracts of a source."""
    return msgspec.json.decode((FOLDER / f"{file}.json").read_bytes(), type=Artifacts)
