"""What is said of a request that a receiver took, or did not take."""

import pytest
from msgspec import json

from ctrip.core.signature import headers
from ctrip.core.verify import Genuine, Part, Verdict, Wrong, verify
from ctrip.settings import Secret
from ctrip.webhooks.signing import Signer, make_secret, public_of, verify_v1a

NOW = 1_767_225_600
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_AfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "a plain text secret, not base64"
WHSK = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
BODY = '{"id":"evt_1","type":"payment.paid","data":{"description":"Käse für 10 €"}}'.encode()
GOOD = headers("evt_1", NOW, BODY, [WHSEC])
WITHOUT_HEX = {name: value for name, value in GOOD.items() if name != "X-Webhook-Signature"}


def judged(
    made: dict[str, str], body: bytes = BODY, secret: str = WHSEC, *, now: int = NOW
) -> Verdict:
    return verify(made, body, secret, now, verify_v1a=verify_v1a)


def wrong(
    made: dict[str, str], body: bytes = BODY, secret: str = WHSEC, *, now: int = NOW
) -> Wrong:
    verdict = judged(made, body, secret, now=now)
    assert isinstance(verdict, Wrong)
    return verdict


@pytest.mark.parametrize("secret", [WHSEC, PLAIN])
def test_what_we_sign_is_genuine(secret: str) -> None:
    made = headers("evt_1", NOW, BODY, [secret])
    assert judged(made, secret=secret) == Genuine(entry=1, entries=1, version="v1")


def test_names_of_headers_may_be_in_any_case() -> None:
    assert judged({name.upper(): value for name, value in GOOD.items()}) == Genuine(
        entry=1, entries=1, version="v1"
    )


def test_during_a_rotation_the_entry_that_fits_is_named() -> None:
    made = headers("evt_1", NOW, BODY, [OTHER, WHSEC])
    assert judged(made) == Genuine(entry=2, entries=2, version="v1")
    assert judged(made, secret=OTHER) == Genuine(entry=1, entries=2, version="v1")


def test_a_public_key_verifies_its_own_entry_and_no_other() -> None:
    made = Signer([Secret(WHSEC), Secret(WHSK)]).headers("evt_1", NOW, BODY)
    genuine = judged(made, secret=public_of(WHSK))
    assert genuine == Genuine(entry=2, entries=2, version="v1a")
    assert judged(made) == Genuine(entry=1, entries=2, version="v1")
    stranger = public_of(make_secret("ed25519"))
    assert wrong(made, secret=stranger).part is Part.BODY_OR_SECRET
    assert wrong(made, BODY + b"\n", public_of(WHSK)).part is Part.BODY


def test_an_old_request_is_right_but_old() -> None:
    assert isinstance(judged(GOOD, now=NOW + 300), Genuine)
    assert isinstance(judged(GOOD, now=NOW - 300), Genuine)
    late = wrong(GOOD, now=NOW + 301)
    assert (late.part, "301 s old" in late.why) == (Part.TIMESTAMP, True)
    early = wrong(GOOD, now=NOW - 301)
    assert (early.part, "301 s ahead" in early.why) == (Part.TIMESTAMP, True)


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_missing_header_is_named(name: str) -> None:
    verdict = wrong({key: value for key, value in GOOD.items() if key != name})
    assert verdict.part is Part.HEADERS
    assert name in verdict.why


@pytest.mark.parametrize("timestamp", ["yesterday", "1.5", "-1", "٣", "9" * 5_000])
def test_a_timestamp_that_is_no_number_is_told(timestamp: str) -> None:
    assert wrong(GOOD | {"webhook-timestamp": timestamp}).part is Part.TIMESTAMP


def test_an_altered_id_is_told_from_the_body_of_another_event() -> None:
    altered = wrong(GOOD | {"webhook-id": "evt_2"})
    assert (altered.part, "evt_1" in altered.why) == (Part.ID, True)
    swapped = wrong(headers("evt_2", NOW, BODY.replace(b"evt_1", b"evt_2"), [WHSEC]))
    assert (swapped.part, "evt_1" in swapped.why) == (Part.BODY, True)


def test_an_altered_time_is_told_where_the_signature_of_the_body_alone_is_there() -> None:
    assert wrong(GOOD | {"webhook-timestamp": str(NOW - 1)}).part is Part.TIMESTAMP
    assert wrong(WITHOUT_HEX | {"webhook-timestamp": str(NOW - 1)}).part is Part.BODY_OR_SECRET


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (BODY + b"\n", "line break at its end"),
        (BODY + b"\r\n", "line break at its end"),
        (b"\xef\xbb\xbf" + BODY, "byte order mark"),
        (json.format(BODY, indent=2), "parsed and written again"),
    ],
)
def test_a_body_that_was_spoilt_is_told(body: bytes, words: str) -> None:
    verdict = wrong(GOOD, body)
    assert verdict.part is Part.BODY
    assert words in verdict.why


@pytest.mark.parametrize("body", [b"", b"\xff", b"[" * 100_000, b"{}", BODY.replace(b"10", b"11")])
def test_another_body_is_refused(body: bytes) -> None:
    assert wrong(GOOD, body).part is Part.BODY_OR_SECRET


def test_another_secret_is_refused() -> None:
    assert wrong(GOOD, secret=OTHER).part is Part.BODY_OR_SECRET


def test_a_secret_that_lost_its_prefix_is_told() -> None:
    verdict = wrong(GOOD, secret=WHSEC.removeprefix("whsec_"))
    assert (verdict.part, "lacks its whsec_" in verdict.why) == (Part.SECRET, True)


@pytest.mark.parametrize("secret", ["", "whsec_no base64!", WHSK])
def test_a_secret_that_cannot_be_one_is_told_and_not_shown(secret: str) -> None:
    verdict = wrong(GOOD, secret=secret)
    assert verdict.part is Part.SECRET
    assert not secret or secret not in verdict.why


def test_a_secret_of_the_wrong_kind_is_told() -> None:
    verdict = wrong(GOOD, secret=public_of(WHSK))
    assert (verdict.part, "no entry v1a" in verdict.why) == (Part.SECRET, True)
    only_ed25519 = Signer([Secret(WHSK)]).headers("evt_1", NOW, BODY)
    assert "no entry v1," in wrong(only_ed25519).why


def test_a_right_signature_under_another_version_is_none() -> None:
    made = Signer([Secret(WHSK)]).headers("evt_1", NOW, BODY)
    relabelled = made["webhook-signature"].replace("v1a,", "v1,")
    verdict = wrong(made | {"webhook-signature": f"{relabelled} v1a,AAAA"}, secret=public_of(WHSK))
    assert verdict.part is Part.BODY_OR_SECRET


def test_a_broken_public_key_or_signature_fits_nothing() -> None:
    made = Signer([Secret(WHSK)]).headers("evt_1", NOW, BODY)
    assert isinstance(judged(made, secret="whpk_" + "A" * 4), Wrong)
    assert isinstance(judged(made | {"webhook-signature": "v1a,é"}, secret=public_of(WHSK)), Wrong)
    assert isinstance(judged(GOOD | {"webhook-signature": "v1,é v1 , ,,"}), Wrong)
