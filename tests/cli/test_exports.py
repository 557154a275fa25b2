"""What `ctrip sweep import` reads: our own file, and raw transactions as others print them."""

from pathlib import Path
from typing import Final

import pytest

from ctrip.cli.exports import Raws, signatures_in
from ctrip.core.bundles import ToSend, write
from ctrip.core.bundles import signed as bundle_of
from ctrip.core.errors import ConfigError
from ctrip.core.paths import index_in
from tests.core.test_returned import FILE, PLAIN, raw_of
from tests.support.bundling import CHAIN_ID, a_file
from tests.wallet.test_sign import SIGNER

RAWS: Final = ["0x" + raw_of(form).hex() for form in PLAIN]


def came(tmp_path: Path, text: str | bytes) -> ToSend | Raws:
    file = tmp_path / "signed"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return signatures_in(file)


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(RAWS),
        "\n\n  ".join(RAWS) + "\r\n",
        "\n".join(raw[2:] for raw in RAWS),
        "\n".join("0x" + raw[2:].upper() for raw in RAWS),
    ],
)
def test_raw_transactions_are_read_one_a_line(tmp_path: Path, text: str) -> None:
    assert came(tmp_path, text) == Raws(CHAIN_ID, tuple(RAWS))


def test_our_own_file_is_read_as_such(tmp_path: Path) -> None:
    file = a_file(SIGNER)
    one = file.transactions[0]
    done = SIGNER.sign(PLAIN["typed"], index=index_in(one.path))
    assert came(tmp_path, write(bundle_of(file, [(one.id, done)]))) == bundle_of(
        file, [(one.id, done)]
    )


OTHER: Final = "0x" + raw_of("typed", chain_id=1).hex()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no transaction"),
        ("raw: 0x02", "transaction 1 is no hex; give the file that `ctrip sweep sign` wrote, or"),
        (f"{RAWS[0]}\n0x0", "transaction 2 is no hex"),
        (b"\xff\xfe", "transaction 1 is no hex"),
        (FILE[0].payload, "transaction 1 is no signed transaction: it was cut off, or is not"),
        (f"{RAWS[0]}\n{OTHER}", "is of the chains 1 and 31337; give a file for each"),
        ("{", "is no JSON, or was cut off"),
        ("{}", "is no file of signed transactions, version 1"),
    ],
)
def test_what_is_neither_is_refused_with_its_reason(
    tmp_path: Path, text: str | bytes, told: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        came(tmp_path, text)
    assert str(caught.value).startswith(f"{tmp_path / 'signed'}: ")
    assert told in str(caught.value)
