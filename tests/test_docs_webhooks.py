"""docs/webhooks.md: its code is run in its own languages against what we sign.

Every piece is given the same requests and has to take and refuse the same ones.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
from msgspec import json
from standardwebhooks.webhooks import WebhookVerificationError

from ctrip.core.endpoints import FAILING_MAX, FAILURES_MIN, PAUSE_MAX, PAUSE_MIN, ROTATION_OVERLAP
from ctrip.core.events import EventType
from ctrip.core.retry import BUSY_WAIT_MIN, JITTER, SCHEDULE
from ctrip.core.signature import content_of
from ctrip.core.view import thin_body
from ctrip.settings import Secret, Webhooks
from ctrip.webhooks.signing import Signer, make_secret, public_of
from tests.support.builders import a_payment
from tests.support.make_docs import GOLDEN_EVENTS
from tests.support.node_verifier import Sent, faults_of
from tests.support.signed_requests import (
    BODY,
    PLAIN,
    SECRETS,
    WHSEC,
    accepted,
    malformed,
    now,
    others,
    refused,
    signed,
)
from tests.support.snippets import (
    TEXT,
    block,
    blocks,
    built_by_go,
    python,
    taken_by_csharp,
    taken_by_go,
    taken_by_javascript,
    taken_by_php,
    taken_by_python,
)
from tests.support.waiting import until

RUN: Final = {"python", "js", "php", "go", "csharp"}
NOT_CODE: Final = {"json", "console"}

REFUSALS: Final = (WebhookVerificationError, ValueError)

Taken = Callable[[Sequence[Sent]], list[bool]]


def misjudged(taken: Taken, *, beside: Iterator[Sent] | None = None) -> list[Sent]:
    """Return the requests that are taken or refused and should not be."""
    good, bad = list(accepted()), [*refused(), *(beside or ())]
    assert len(good) > 40
    assert len(bad) > 50
    verdicts = zip([*good, *bad], taken([*good, *bad]), strict=True)
    return [sent for n, (sent, taken) in enumerate(verdicts) if taken != (n < len(good))]


def test_python_with_the_library_takes_what_is_ours() -> None:
    assert not misjudged(partial(taken_by_python, "event_of", refusals=REFUSALS))


def test_python_without_a_library_takes_what_is_ours() -> None:
    assert not misjudged(partial(taken_by_python, "verify"), beside=malformed())


def test_javascript_with_the_library_takes_what_is_ours(tmp_path: Path) -> None:
    run = partial(taken_by_javascript, "eventOf", folder=tmp_path)
    assert not misjudged(run)


def test_javascript_without_a_library_takes_what_is_ours(tmp_path: Path) -> None:
    run = partial(taken_by_javascript, "verify", folder=tmp_path)
    assert not misjudged(run, beside=malformed())


def test_php_takes_what_is_ours(tmp_path: Path) -> None:
    assert not misjudged(partial(taken_by_php, folder=tmp_path), beside=malformed())


def test_go_takes_what_is_ours(tmp_path: Path) -> None:
    assert not misjudged(partial(taken_by_go, built_by_go(tmp_path)), beside=malformed())


def test_csharp_takes_what_is_ours(tmp_path: Path) -> None:
    assert not misjudged(partial(taken_by_csharp, folder=tmp_path), beside=malformed())


def test_the_npm_package_takes_what_is_ours() -> None:
    assert not misjudged(lambda batch: [fault is None for fault in faults_of(batch)])


def ed25519_requests() -> tuple[list[Sent], list[Sent]]:
    """Return what a receiver with a public key takes, and what it refuses."""
    key, other = (Secret(make_secret("ed25519")) for _ in range(2))
    public, stranger = public_of(key.reveal()), public_of(other.reveal())
    made = Signer([key]).headers("evt_1", now(), BODY)
    both = Signer([Secret(WHSEC), other, key]).headers("evt_1", now(), BODY)
    old = Signer([key]).headers("evt_1", now() - 400, BODY)
    good = [Sent(made, BODY, public), Sent(both, BODY, public), Sent(both, BODY, stranger)]
    bad = [
        Sent(made, BODY, stranger),
        Sent(made, BODY + b" ", public),
        Sent(made | {"webhook-id": "evt_2"}, BODY, public),
        Sent(made | {"webhook-timestamp": str(int(made["webhook-timestamp"]) - 1)}, BODY, public),
        Sent(made | {"webhook-signature": "v1a,AAAA v1a v1a,"}, BODY, public),
        Sent(signed(WHSEC), BODY, public),
        Sent(old, BODY, public),
    ]
    return good, bad


def test_javascript_takes_what_a_public_key_verifies(tmp_path: Path) -> None:
    good, bad = ed25519_requests()
    taken = taken_by_javascript("verifyByPublicKey", [*good, *bad], tmp_path)
    assert taken == [True] * len(good) + [False] * len(bad)


def test_python_takes_what_a_public_key_verifies() -> None:
    signed_by = python("signed_by")
    good, (*bad, _) = ed25519_requests()  # the time is not this piece's business

    def taken(sent: Sent) -> bool:
        made = sent.headers
        content = content_of(made["webhook-id"], int(made["webhook-timestamp"]), sent.body)
        return bool(signed_by(sent.secret, content, made["webhook-signature"]))

    assert [taken(sent) for sent in [*good, *bad]] == [True] * len(good) + [False] * len(bad)


def test_the_published_vectors_are_taken(tmp_path: Path) -> None:
    # Both are asserted in the suites of the reference libraries.
    private = (
        "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
    )
    ed25519 = (
        "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    made = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": f"v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1a,{ed25519}",
    }
    body, at = b'{"test": 2432232314}', 1614265330
    late = [Sent(made, body, WHSEC, at + 300), Sent(made, body, WHSEC, at + 301)]
    assert taken_by_javascript("verify", late, tmp_path) == [True, False]
    public = public_of(f"whsk_{private}")
    late = [Sent(made, body, public, at - 300), Sent(made, body, public, at - 301)]
    assert taken_by_javascript("verifyByPublicKey", late, tmp_path) == [True, False]
    assert faults_of([late[0]._replace(secret=WHSEC)]) == [None]


@pytest.mark.parametrize("secret", SECRETS)
def test_the_signature_of_the_body_alone_verifies(secret: str) -> None:
    is_ours = python("is_ours")
    assert is_ours(secret, BODY, signed(secret, *others(secret)))
    assert not is_ours(secret, BODY + b" ", signed(secret))
    assert not is_ours(others(secret)[0], BODY, signed(secret))


async def test_the_receiver_of_the_quick_start_receives() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    code = block("python", "serve_forever").replace("9000", str(port))
    env = os.environ | {"CTRIP_WEBHOOK_SECRET": WHSEC}
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env=env, stdout=pipe, stderr=pipe
    )
    assert started.stdout is not None
    url = f"http://127.0.0.1:{port}/"

    async def answers() -> bool:
        with suppress(aiohttp.ClientConnectionError):
            async with client.get(url) as answer:
                return answer.status == 501  # it knows no GET
        return False

    try:
        async with aiohttp.ClientSession() as client:
            await until("the receiver listens", answers)
            async with client.post(url, data=BODY, headers=signed(PLAIN)) as refusal:
                assert refusal.status == 400
            async with client.post(url, data=BODY, headers=signed(WHSEC)) as taken:
                assert taken.status == 204
            assert await started.stdout.readline() == b"payment.paid evt_1\n"
    finally:
        started.kill()
        await started.communicate()


def test_every_piece_of_code_is_run() -> None:
    assert {language for language, _ in blocks()} == RUN | NOT_CODE


def test_the_thin_body_is_what_is_sent() -> None:
    thin = json.decode(
        block("json", '"data": {\n    "id": "0197a000-0000-7000-8000-000000000001"\n  }')
    )
    payment = a_payment()
    event = json.decode(
        (GOLDEN_EVENTS / "payment.confirmed.json").read_bytes(), type=dict[str, Any]
    )
    at = datetime.fromisoformat(event["created_at"])
    sent = thin_body(event["id"], EventType.CONFIRMED, at, event["sequence"], payment.id)
    assert json.format(sent, indent=2) == json.format(json.encode(thin), indent=2)
    assert thin == event | {"data": {"id": str(payment.id)}}


def test_every_header_is_told() -> None:
    for name in signed(WHSEC):
        assert f"| `{name}` |" in TEXT


def test_every_wait_is_told_as_it_is() -> None:
    told = TEXT.replace("\n", " ")
    assert ", ".join(["at once", *(in_words(wait) for wait in SCHEDULE[1:])]) in told
    assert f"up to a {JITTER:.0%}".replace("20%", "fifth") in told
    assert f"within {in_words(timedelta(seconds=Webhooks().timeout_seconds))} (" in told
    assert f"for {in_words(PAUSE_MIN)} and then asks once" in told
    assert f"the pause doubles, to {in_words(PAUSE_MAX)}" in told
    assert f"signing beside it for {in_words(ROTATION_OVERLAP)}" in told
    assert BUSY_WAIT_MIN.total_seconds() == 60
    assert FAILING_MAX.days == 5
    assert FAILURES_MIN == 5


def in_words(wait: timedelta) -> str:
    """Return a time in the largest unit that fits: "30 min"."""
    seconds = int(wait.total_seconds())
    size, unit = next(u for u in ((3600, "h"), (60, "min"), (1, "s")) if seconds >= u[0])
    return f"{seconds // size} {unit}"
