"""What an operator might write, for the tests of config and networks."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ctrip.config import load
from ctrip.core.errors import ConfigError

CANARY = "canary-4711-canary"
WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"

GOOD = f"""
[database]
url = "postgresql://ctrip:pw@db:5432/ctrip"

[wallet]
mnemonic = "{WORDS}"

[chains]
use = ["anvil"]
"""

ANVIL = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: http://127.0.0.1:8545
    confirmations: 3
    finality_depth: 64
    poll_interval_seconds: 0.5
    coin: {symbol: ETH}
"""


def write(folder: Path, config: str = GOOD, chains: str = ANVIL) -> Path:
    """Write both files and return the path of config.toml."""
    (folder / "chains.yaml").write_text(chains)
    path = folder / "config.toml"
    path.write_text(config)
    return path


def faults(path: Path | None, environ: Mapping[str, str] | None = None) -> list[str]:
    """Return the lines in which loading fails, without the folder that the file is in."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ or {})
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    folder = f"{path.parent}/" if path else ""
    return str(caught.value).replace(folder, "").split("\n")


def with_line(line: str, table: str) -> str:
    """Add a line to a table of the good configuration."""
    if f"[{table}]" in GOOD:
        return GOOD.replace(f"[{table}]", f"[{table}]\n{line}")
    return f"{GOOD}\n[{table}]\n{line}\n"


def line_of(line: str, text: str) -> str:
    """Return where a line stands in config.toml."""
    before = text.partition(f"{line}\n")[0]
    return f"config.toml:{len(before.splitlines()) + 1}"
