"""Standard error as the tests of logging see it, and the secrets they plant."""

import io
import json
import logging
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import Any, Literal

from ctrip import logs
from ctrip.settings import Log, Secret

WORDS = "legal winner thank year wave sausage worth useful legal winner thank yellow"
PASSWORD = "c4nary/p@ss'w\"ord\\é"  # noqa: S105  (a canary, with all that is hard to spell)
ENCODED = "c4nary%2Fp%40ss%27w%22ord%5C%C3%A9"
DATABASE = f"postgresql://ctrip:{ENCODED}@db.internal:5432/ctrip"
RPC_KEY = "CANARYa1b2_c3d4-e5f6g7h8"
RPC = f"https://eth.node.example/v2/{RPC_KEY}?dkey=canary77"
PLAIN = "a c4nary of a webhook secret"
SECRETS = [Secret(text) for text in (WORDS, DATABASE, RPC, PLAIN, "short", "")]
API_KEY = "ctrip_" + "aB3-_" * 8 + "xyz"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
XPRV = "xprv" + "9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5k"
CANARIES = [WORDS, PASSWORD, ENCODED, RPC_KEY, "canary77", PLAIN, API_KEY, WHSEC, XPRV]

Level = Literal["debug", "info", "warning", "error"]
Form = Literal["json", "text"]


class StandardError:
    """What was written since it was configured."""

    def __init__(self) -> None:
        self.stream = io.StringIO()

    @property
    def text(self) -> str:
        return self.stream.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text.splitlines()]

    def configure(self, level: Level = "info", form: Form = "json") -> None:
        with redirect_stderr(self.stream):
            logs.configure(Log(level=level, format=form), SECRETS)


@contextmanager
def logging_left_as_found() -> Iterator[None]:
    """Undo what configure() does to the process."""
    names = ["", "ctrip", "uvicorn", "uvicorn.access", "uvicorn.error", "aiohttp.access", "asyncpg"]
    loggers = [logging.getLogger(name) for name in names]
    before = [(it, it.level, it.handlers[:], it.propagate) for it in loggers]
    hooks = sys.excepthook, threading.excepthook, sys.unraisablehook
    try:
        yield
    finally:
        sys.excepthook, threading.excepthook, sys.unraisablehook = hooks
        logging.captureWarnings(capture=False)
        for it, level, handlers, propagate in before:
            it.setLevel(level)
            it.handlers[:] = handlers
            it.propagate = propagate
