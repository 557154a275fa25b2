"""What a log line looks like, and which lines there are."""

import logging
import warnings
from collections.abc import Iterator

import pytest

from ctrip import logs
from tests.support.log_lines import WHSEC, StandardError, logging_left_as_found


@pytest.fixture
def stderr() -> Iterator[StandardError]:
    with logging_left_as_found():
        yield StandardError()


def test_a_line_is_json_with_its_time_level_and_logger(stderr: StandardError) -> None:
    stderr.configure()
    logs.get("ctrip.flows.deliver").info("webhook delivered", event_id="evt_1", attempt=2, ok=True)
    (line,) = stderr.lines
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "webhook delivered",
        "level": "info",
        "logger": "ctrip.flows.deliver",
        "event_id": "evt_1",
        "attempt": 2,
        "ok": True,
    }


def test_an_amount_beyond_64_bits_stays_itself(stderr: StandardError) -> None:
    stderr.configure()
    logs.get("ctrip").info("received", amount=2**255)
    assert stderr.lines[0]["amount"] == 2**255


def test_levels_are_obeyed_and_libraries_do_not_debug(stderr: StandardError) -> None:
    stderr.configure("debug")
    logs.get("ctrip.a").debug("ours")
    logging.getLogger("aiohttp").debug("theirs")
    logging.getLogger("aiohttp").info("their news")
    stderr.configure("warning")
    logs.get("ctrip.a").info("quiet")
    logging.getLogger("uvicorn.access").info("quiet")
    assert [line["event"] for line in stderr.lines] == ["ours", "their news"]


def test_a_line_of_uvicorn_comes_once_though_it_set_up_handlers(stderr: StandardError) -> None:
    own = logging.getLogger("uvicorn.access")
    own.addHandler(logging.StreamHandler(stderr.stream))
    own.propagate = False
    stderr.configure()
    own.info('%s - "%s %s"', "127.0.0.1", "GET", "/health")
    assert [line["event"] for line in stderr.lines] == ['127.0.0.1 - "GET /health"']


def test_configuring_twice_logs_once(stderr: StandardError) -> None:
    stderr.configure()
    stderr.configure()
    logs.get("ctrip").info("once")
    assert len(stderr.lines) == 1


def test_a_logger_that_was_made_before_obeys_too(stderr: StandardError) -> None:
    log = logs.get("ctrip.early")
    stderr.configure()
    log.info("hello")
    assert stderr.lines[0]["logger"] == "ctrip.early"


def test_the_pool_repeats_itself_once_a_minute_and_says_how_often(stderr: StandardError) -> None:
    hush = logs.Hush()

    def passes(second: float, name: str = "asyncpg.pool", text: str = "no floor") -> str | None:
        record = logging.makeLogRecord({"name": name, "msg": text, "created": 1_000 + second})
        return record.getMessage() if hush.filter(record) else None

    assert passes(0) == "no floor"
    assert [passes(second) for second in (1, 2, 59)] == [None, None, None]
    assert passes(3, text="another") == "another"
    assert passes(4, name="ctrip.flows") == passes(5, name="ctrip.flows") == "no floor"
    assert passes(61) == "no floor (3 more like it were held back)"
    assert passes(62) is None
    assert passes(200) == "no floor (1 more like it were held back)"
    stderr.configure()
    for _ in range(5):
        logging.getLogger("asyncpg.pool").warning("Failed to restore the pool")
    assert len(stderr.lines) == 1


def test_a_line_cannot_be_forged_nor_a_terminal_commanded(stderr: StandardError) -> None:
    stderr.configure(form="text")
    logs.get("ctrip").info("name\n2026-01-01 [info] forged\x1b[2J\r", value="a\nb\x1b[0m")
    text = stderr.text
    assert text.count("\n") == 1
    assert "\x1b" not in text
    assert "\r" not in text


def test_a_line_that_cannot_be_written_shows_no_arguments(stderr: StandardError) -> None:
    stderr.configure()
    logging.getLogger("careless").warning("%d", WHSEC)
    assert stderr.text == "a log line of careless could not be written\n"


def test_a_closed_stream_is_survived(stderr: StandardError) -> None:
    stderr.configure()
    stderr.stream.close()
    logs.get("ctrip").error("nobody reads")


def test_a_warning_is_a_line(stderr: StandardError) -> None:
    stderr.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(capture=False)
        logging.captureWarnings(capture=True)
        warnings.warn(f"odd {WHSEC}", RuntimeWarning, stacklevel=1)
        logging.captureWarnings(capture=False)
    assert stderr.lines[0]["logger"] == "py.warnings"
    assert WHSEC not in stderr.text
