"""What can be typed: every command is there and says what it does."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import typer
from typer.testing import CliRunner

from ctrip.cli import main as cli
from tests.support.terminal import Terminal
from tests.support.warm_ctrip import WarmCtrip

NO_DATABASE: Final = "postgresql://nobody@127.0.0.1:1/nothing"


def commands(group: object, words: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command that can be typed."""
    yield words
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


COMMANDS: Final = list(commands(typer.main.get_command(cli.app)))


def test_every_command_explains_itself() -> None:
    assert {("listen",), ("rescan",), ("webhooks", "recover"), ("dev", "pay")} <= set(COMMANDS)
    for words in COMMANDS:
        done = CliRunner().invoke(cli.app, [*words, "--help"])
        assert done.exit_code == 0, words
        assert "Usage: " in done.output


def test_every_command_that_help_names_is_there_in_a_process_of_its_own(
    tmp_path: Path, warm: WarmCtrip
) -> None:
    overview = Terminal(NO_DATABASE, tmp_path).run(["--help"]).out
    module = [sys.executable, "-m", "ctrip", "--help"]
    as_module = subprocess.run(module, capture_output=True, check=True, text=True)  # noqa: S603  ours
    assert as_module.stdout.partition("\n\n")[2] == overview.partition("\n\n")[2]
    terminal = Terminal(NO_DATABASE, tmp_path, warm=warm)
    for words in COMMANDS:
        if len(words) == 1:
            assert f" {words[0]} " in overview
            done = terminal.run([*words, "--help"])
            assert (done.code, done.err) == (0, ""), words
            assert f"Usage: ctrip {words[0]}" in done.out


def test_no_secret_of_an_endpoint_can_be_typed() -> None:
    webhooks = dict(getattr(typer.main.get_command(cli.app), "commands", {}))["webhooks"]
    options = {o for c in webhooks.commands.values() for p in c.params for o in p.opts}
    assert {"--secret-file", "--headers-file", "--json"} <= options
    assert not {"--secret", "--header", "--headers", "--key"} & options


def test_a_database_that_is_away_is_told_in_a_sentence(tmp_path: Path) -> None:
    terminal = Terminal(NO_DATABASE, tmp_path)
    done = terminal.run(["webhooks", "list"])
    assert (done.code, done.out) == (1, "")
    assert "Try again when it is back" in done.err
