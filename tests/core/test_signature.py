"""Signatures against published and recorded vectors, and against the reference verifier."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ctrip.core.signature import UnusableSecret, headers, key_of, secret_fault

GOLDEN = Path(__file__).parent.parent / "golden" / "webhook_signature.json"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "a plain text secret, not base64"
BODY = '{"description":"Käse für 10 €"}'.encode()


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the golden file."""

    name: str
    secrets: list[str]
    id: str
    timestamp: int
    body: str
    signature: str
    hex: str


VECTORS = msgspec.json.decode(GOLDEN.read_bytes(), type=list[Vector])


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def verifier(secret: str) -> Webhook:
    """Hand a secret to the reference library as docs/webhooks.md tells receivers to."""
    plain = not secret.startswith("whsec_")
    return Webhook(base64.b64encode(secret.encode()).decode() if plain else secret)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_golden_vectors_hold(vector: Vector) -> None:
    made = headers(vector.id, vector.timestamp, vector.body.encode(), vector.secrets)
    assert made["webhook-id"] == vector.id
    assert made["webhook-timestamp"] == str(vector.timestamp)
    assert made["webhook-signature"] == vector.signature
    assert made["X-Webhook-Signature"] == vector.hex


def test_the_published_vector_is_among_them() -> None:
    assert VECTORS[0].signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_reference_library_makes_the_same_signature(vector: Vector) -> None:
    when = datetime.fromtimestamp(vector.timestamp, UTC)
    signed = [verifier(secret).sign(vector.id, when, vector.body) for secret in vector.secrets]
    assert vector.signature.split(" ") == signed


@pytest.mark.parametrize("secret", [WHSEC, PLAIN])
def test_the_reference_library_verifies_what_we_sign(secret: str) -> None:
    verifier(secret).verify(BODY, headers("evt_1", now(), BODY, [secret]))


def test_during_a_rotation_either_secret_verifies() -> None:
    made = headers("evt_1", now(), BODY, [PLAIN, WHSEC])
    for secret in (PLAIN, WHSEC):
        verifier(secret).verify(BODY, made)


def test_the_hex_signature_is_what_a_receiver_of_three_lines_computes() -> None:
    for secret in (WHSEC, PLAIN):
        expected = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
        assert headers("evt_1", 1, BODY, [secret])["X-Webhook-Signature"] == expected


def test_a_changed_body_id_or_timestamp_fails() -> None:
    good = headers("evt_1", now(), BODY, [WHSEC])
    altered = [
        (BODY.replace(b"10", b"11"), good),
        (BODY, good | {"webhook-id": "evt_2"}),
        (BODY, good | {"webhook-timestamp": str(now() - 1)}),
    ]
    for body, made in altered:
        with pytest.raises(WebhookVerificationError):
            verifier(WHSEC).verify(body, made)


def test_another_secret_fails() -> None:
    with pytest.raises(WebhookVerificationError):
        verifier(PLAIN).verify(BODY, headers("evt_1", now(), BODY, [WHSEC]))


@given(
    secrets=st.lists(st.one_of(st.text(min_size=1), st.just(WHSEC)), min_size=1, max_size=4).filter(
        lambda secrets: not any(map(secret_fault, secrets))
    ),
    body=st.text(),
)
def test_the_header_is_what_the_strictest_verifier_can_read(secrets: list[str], body: str) -> None:
    entries = headers("evt_1", 1, body.encode(), secrets)["webhook-signature"].split(" ")
    assert len(entries) == len(secrets)
    for entry in entries:
        version, signature = entry.split(",")
        assert version == "v1"
        assert len(base64.b64decode(signature, validate=True)) == 32


def test_a_whsec_secret_means_the_bytes_it_encodes() -> None:
    assert key_of(WHSEC) == base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    assert key_of("whsec_" + "QUFBQQ") == b"AAAA"  # unpadded, as the verifiers take it
    assert key_of("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw") == b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert key_of("Käse") == "Käse".encode()


@pytest.mark.parametrize(
    "secret",
    ["", "fifteen letters", "whsec_", "whsec_QUFBQQ==", "whsec_no base64!", "whsec_A", "whsec_é"],
)
def test_a_weak_or_broken_secret_has_a_fault(secret: str) -> None:
    assert secret_fault(secret)


@pytest.mark.parametrize("secret", ["whsk_" + "QUFB" * 16, "whpk_" + "QUFB" * 8])
def test_a_key_of_ed25519_is_no_hmac_secret(secret: str) -> None:
    assert "ed25519" in (secret_fault(secret) or "")
    with pytest.raises(UnusableSecret):
        headers("evt_1", 1, BODY, [secret])


@pytest.mark.parametrize("secret", [WHSEC, PLAIN, "sixteen letters!"])
def test_a_good_secret_has_none(secret: str) -> None:
    assert secret_fault(secret) is None


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(UnusableSecret):
        headers("evt_1", 1, BODY, [])


def test_the_error_of_a_broken_secret_does_not_show_it() -> None:
    with pytest.raises(UnusableSecret) as caught:
        headers("evt_1", 1, BODY, ["whsec_canary?"])
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
