"""Where log lines go, and what never gets into one.

Everything ends at one handler on standard error: ctrip's own lines, those of libraries
(asyncpg, uvicorn, aiohttp), warnings, and the tracebacks of a crash. All of it passes
the Redactor as values, before a renderer escapes anything: keys, values, nested ones,
and tracebacks, which hold messages and lines of code but no local variables.

Two nets catch a secret. What the operator configured is known and replaced wherever it
stands, in the spellings it may take. What is made later (API keys, webhook secrets)
and what hides in somebody else's URL is known by its shape. Neither is a licence: code
does not log secrets.

log = logs.get("ctrip.flows.deliver"); log.info("webhook delivered", event_id=...)
"""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Protocol, TextIO, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from uuid import UUID

import structlog
from structlog.typing import Processor

HIDDEN: Final = "***"
SECRET_SIZE_MIN: Final = 8  # characters; hiding every "test" would hide the log
KEY_SIZE_MIN: Final = 16  # characters; a shorter piece of a URL is a word, not a key
MNEMONIC_WORDS_MIN: Final = 12  # BIP-39
TEXT_SIZE_MAX: Final = 32_768  # characters of one value; a deep traceback fits
DEPTH_MAX: Final = 8  # levels of nested values; what lies deeper is shown by its repr
QUIET_SECONDS: Final = 60.0  # between equal lines of a chatty library
CHATTY: Final = ("asyncpg",)  # its pool tells of each failed try, with a traceback

# The start of each is literal, which lets the search skip through large texts.
API_KEY: Final = re.compile(r"ctrip_[A-Za-z0-9_-]{32,}")
WEBHOOK_SECRET: Final = re.compile(r"wh(?:sec|sk)_[A-Za-z0-9+/=_-]{8,}")
EXTENDED_KEY: Final = re.compile(r"xp(?:rv|ub)[A-Za-z0-9]{50,}")  # BIP-32
USER_OF_URL: Final = re.compile(r"""://[^\s/?#"'<>]*@""")
URL: Final = re.compile(r"""(https?://[^\s/?#"'<>]*)([/?#][^\s"'<>]*)""")
PIECE_OF_URL: Final = re.compile(rf"[A-Za-z0-9_-]{{{KEY_SIZE_MIN},}}")
UUID_SHAPE: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LINE_BREAK: Final = re.compile(r"[\t\n]")
MULTI_LINE: Final = {"exception", "stack"}


class Choice(Protocol):
    """What an operator chooses; settings.Log is one."""

    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str: ...


class Hidden(Protocol):
    """Text that must not be shown; settings.Secret is one."""

    def reveal(self) -> str: ...


def configure(choice: Choice, secrets: Iterable[Hidden]) -> None:
    """Send every log line of this process to standard error, without these secrets."""
    redactor = Redactor(secret.reveal() for secret in secrets)
    handler = _StandardError(sys.stderr)
    handler.setFormatter(_formatter(redactor, choice.format))
    handler.addFilter(Hush())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    level = logging.getLevelNamesMapping()[choice.level.upper()]
    # Libraries print URLs and headers at debug.
    root.setLevel(max(level, logging.INFO))
    logging.getLogger("ctrip").setLevel(level)
    for name in ("uvicorn", "uvicorn.access", "uvicorn.error", "aiohttp.access", "asyncpg"):
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
    logging.captureWarnings(capture=True)
    sys.excepthook = _crashed
    threading.excepthook = lambda args: _crashed(args.exc_type, args.exc_value, args.exc_traceback)
    sys.unraisablehook = lambda args: _crashed(args.exc_type, args.exc_value, args.exc_traceback)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; names begin with ctrip."""
    return cast(
        structlog.stdlib.BoundLogger,
        structlog.wrap_logger(
            logging.getLogger(name),
            processors=[
                structlog.stdlib.filter_by_level,
                *STAMPS,
                structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
            ],
            wrapper_class=structlog.stdlib.BoundLogger,
        ),
    )


STAMPS: Final[tuple[Processor, ...]] = (  # on the lines of libraries too
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
)


def in_request(request_id: str) -> None:
    """Put the name of a request on every line that the task at hand logs from now on."""
    structlog.contextvars.bind_contextvars(request_id=request_id)


class Redactor:
    """Takes secrets out of text: those it was given, and whatever has the shape of one."""

    def __init__(self, secrets: Iterable[str]) -> None:
        whole = [secret.strip() for secret in secrets]
        spellings = {spelling for secret in whole for spelling in _spellings(secret)}
        # The longest first, lest a piece of a secret be taken out of its middle.
        self._literals = sorted(
            (text for text in spellings if len(text) >= SECRET_SIZE_MIN), key=len, reverse=True
        )
        self._phrases = [_phrase(secret) for secret in whole if _is_mnemonic(secret)]

    def text(self, text: str) -> str:
        """Return a text without secrets, cut to TEXT_SIZE_MAX."""
        for literal in self._literals:
            text = text.replace(literal, HIDDEN)
        for phrase in (*self._phrases, API_KEY, WEBHOOK_SECRET, EXTENDED_KEY):
            text = phrase.sub(HIDDEN, text)
        text = USER_OF_URL.sub(f"://{HIDDEN}@", text)
        text = URL.sub(_without_keys, text)
        # Cut last: half a secret has no shape any more.
        left_out = len(text) - TEXT_SIZE_MAX
        return f"{text[:TEXT_SIZE_MAX]}… ({left_out} more)" if left_out > 0 else text

    def value(self, value: object, depth: int = 0) -> object:
        """Return a value made of plain types, with every text in it redacted."""
        match value:
            case None | bool() | int() | float():
                return value
            case str() | UUID() | datetime():
                return self.text(str(value))
            case bytes() | bytearray():
                return self.text(value.decode(errors="backslashreplace"))
            case Mapping() if depth < DEPTH_MAX:
                return {self.text(str(k)): self.value(v, depth + 1) for k, v in value.items()}
            case list() | tuple() | set() | frozenset() if depth < DEPTH_MAX:
                return [self.value(item, depth + 1) for item in value]
            case _:
                return self.text(repr(value))

    def __call__(
        self, _: object, __: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Be a processor of structlog."""
        return cast(dict[str, Any], self.value(event))


class Hush(logging.Filter):
    """Lets one of a chatty library's equal lines through a minute, and counts the others."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[tuple[str, str], tuple[float, int]] = {}  # when, and how many since

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(CHATTY):
            return True
        line = (record.name, str(record.msg))  # before its arguments: few, and all known
        since, held_back = self._seen.get(line, (0.0, 0))
        if abs(record.created - since) < QUIET_SECONDS:
            self._seen[line] = (since, held_back + 1)
            return False
        self._seen[line] = (record.created, 0)
        if held_back:
            record.msg = f"{record.msg} ({held_back} more like it were held back)"
        return True


class _StandardError(logging.StreamHandler[TextIO]):
    """A stream whose own faults show no arguments; logging's would print them as they are."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  (logging's name)
        with suppress(OSError, ValueError):  # nobody reads, or the stream is closed
            self.stream.write(f"a log line of {record.name} could not be written\n")


def _formatter(redactor: Redactor, form: str) -> logging.Formatter:
    render: tuple[Processor, ...] = (structlog.processors.JSONRenderer(),)
    if form == "text":
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(),
            timestamp_key="time",
            exception_formatter=structlog.dev.plain_traceback,  # others would show local variables
        )
        render = (_on_one_line, console)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=STAMPS,
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            redactor,
            *render,
        ],
    )


def _on_one_line(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape what would forge a line or command a terminal; JSON does so by itself."""
    for key, value in event.items():
        if isinstance(value, str):
            shown = CONTROL.sub(_escape, value)
            event[key] = shown if key in MULTI_LINE else LINE_BREAK.sub(_escape, shown)
    return event


def _escape(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]


def _crashed(
    kind: type[BaseException], error: BaseException | None, where: TracebackType | None
) -> None:
    """Log an exception that nobody caught, in whatever thread."""
    if issubclass(kind, KeyboardInterrupt | SystemExit):
        return  # somebody's wish, and no fault
    get("ctrip").critical("crashed", exc_info=(kind, error or kind(), where))


def _without_keys(url: re.Match[str]) -> str:
    """Keep where a URL leads to, and hide the pieces of its path and query that look like keys."""
    return url[1] + PIECE_OF_URL.sub(_without_key, url[2])


def _without_key(piece: re.Match[str]) -> str:
    return piece[0] if UUID_SHAPE.fullmatch(piece[0]) else HIDDEN


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret, its parts that are secret by themselves, and how each may be written."""
    for text in (secret, *_parts_of_url(secret)):
        yield text
        yield repr(text)[1:-1]
        yield repr(text.encode())[2:-1]
        yield json.dumps(text)[1:-1]
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield quote(text, safe="")


def _parts_of_url(secret: str) -> Iterator[str]:
    """Yield the password and the keys in a URL, encoded and decoded."""
    try:
        url = urlsplit(secret)
    except ValueError:
        return
    if not url.netloc:
        return
    pieces = [piece for piece in url.path.split("/") if len(piece) >= KEY_SIZE_MIN]
    pieces += [piece for _, piece in parse_qsl(url.query) if _is_like_a_key(piece)]
    for piece in (url.password or "", *pieces):
        yield piece
        yield unquote(piece)


def _is_like_a_key(text: str) -> bool:
    return len(text) >= KEY_SIZE_MIN or any(character.isdigit() for character in text)


def _is_mnemonic(secret: str) -> bool:
    return len(secret.split()) >= MNEMONIC_WORDS_MIN


def _phrase(secret: str) -> re.Pattern[str]:
    """Match words however they are parted: by spaces, line breaks, or as a list's repr."""
    return re.compile(r"\W{1,8}".join(map(re.escape, secret.split())))
