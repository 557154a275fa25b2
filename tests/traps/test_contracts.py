"""The contracts of the tests are those whose source lies beside them."""

import hashlib

import msgspec
import pytest
from eth_utils.crypto import keccak

from tests.support.token_contracts import FILES, FOLDER, artifacts


def test_every_contract_was_compiled_from_the_source_beside_it() -> None:
    sources = sorted(FOLDER.glob("*.sol"))
    assert {source.stem for source in sources} >= set(FILES)
    for source in sources:
        built = msgspec.json.decode(source.with_suffix(".json").read_bytes())
        assert built["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest(), source


@pytest.mark.parametrize("file", FILES)
def test_selectors_are_the_first_bytes_of_the_hash_of_the_signature(file: str) -> None:
    for contract in artifacts(file).contracts.values():
        for signature, start in contract.selectors.items():
            assert keccak(text=signature)[:4].hex() == start
