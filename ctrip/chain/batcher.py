"""Where the contract is that sweeps in batches, and how it gets there.

A factory puts contracts at an address that follows from their code and arguments (CREATE2,
EIP-1014). So the address of ours is computed, not configured: what is there sends to this treasury,
takes orders from this gas wallet, and has no other code, whoever put it there. Another treasury is
another address, where nothing is until it is deployed.

The factory is the one that most chains have, at the same place on all of them.
https://github.com/Arachnid/deterministic-deployment-proxy
"""

from functools import cache
from pathlib import Path
from typing import Final

from eth_hash.auto import keccak

from ctrip.chain.artifacts import Artifact, artifact_in
from ctrip.core.abi import address
from ctrip.core.ids import RawAddress

FACTORY: Final = RawAddress("0x4e59b44847b379578588920ca78fbf26c0b4956c")
SALT: Final = bytes(32)
CREATE2: Final = b"\xff"
ADDRESS_BYTES: Final = 20
ARTIFACT: Final = Path(__file__).parent / "contracts" / "BatchSweep.json"


def artifact() -> Artifact:
    """Return the compiled contract."""
    return artifact_in(ARTIFACT)


def creation(treasury: RawAddress, operator: RawAddress) -> bytes:
    """Return the code that makes the contract, with its arguments."""
    arguments = address(treasury) + address(operator)
    return bytes.fromhex(artifact().bytecode.removeprefix("0x") + arguments)


@cache
def batcher_of(treasury: RawAddress, operator: RawAddress) -> RawAddress:
    """Return where the contract of a treasury and a gas wallet is, once it is deployed."""
    made = keccak(creation(treasury, operator))
    digest = keccak(CREATE2 + bytes.fromhex(FACTORY.removeprefix("0x")) + SALT + made)
    return RawAddress("0x" + digest[-ADDRESS_BYTES:].hex())


def deployment(treasury: RawAddress, operator: RawAddress) -> str:
    """Return what the factory is called with to deploy it. Anybody may."""
    return "0x" + (SALT + creation(treasury, operator)).hex()
