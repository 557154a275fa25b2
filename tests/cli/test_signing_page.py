"""docs/signing.md: what it says that other programs can do with an export, they can."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from msgspec.structs import fields, replace

from ctrip.cli.exports import Raws, signatures_in
from ctrip.core.bundles import ToSign, Unsigned, outgoing, write
from ctrip.core.paths import index_in
from tests.core.test_returned import FILE
from tests.support.bundling import CHAIN_ID, a_file
from tests.support.canaries import MNEMONIC
from tests.wallet.test_sign import SIGNER

PAGE: Final = (Path(__file__).parents[2] / "docs" / "signing.md").read_text("utf-8")


def test_the_script_of_the_page_signs_a_file_as_we_do_and_is_read_by_an_import(
    tmp_path: Path,
) -> None:
    [script] = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    (tmp_path / "unsigned.json").write_bytes(
        write(replace(a_file(SIGNER), transactions=tuple(FILE)))
    )
    (tmp_path / "words").write_text(f"{MNEMONIC}\n")
    with (tmp_path / "signed.txt").open("wb") as out:
        subprocess.run(  # noqa: S603  our own words
            [sys.executable, "-c", script], cwd=tmp_path, stdout=out, check=True, timeout=60
        )
    ours = [SIGNER.sign(outgoing(one, CHAIN_ID), index=index_in(one.path)).raw for one in FILE]
    assert signatures_in(tmp_path / "signed.txt") == Raws(CHAIN_ID, tuple(ours))


@pytest.mark.parametrize("kind", [ToSign, Unsigned])
def test_every_field_of_the_file_has_its_row(kind: type) -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", PAGE, flags=re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert {field.encode_name for field in fields(kind)} <= named
