"""A signer with secrets of both kinds, and the secrets that we make."""

import base64
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from ctrip.core.signature import UnusableSecret, headers
from ctrip.settings import Secret
from ctrip.webhooks.signing import Signer, make_secret, public_of, secret_fault

GOLDEN = Path(__file__).parent.parent / "golden" / "webhook_signature_v1a.json"
WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN = "a plain text secret, not base64"
WHSK = (
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg=="
)
BODY = '{"description":"Käse für 10 €"}'.encode()


class Vector(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the golden file."""

    name: str
    secrets: list[str]
    public: list[str]
    id: str
    timestamp: int
    body: str
    signature: str
    hex: str | None


VECTORS = msgspec.json.decode(GOLDEN.read_bytes(), type=list[Vector])


def signer(*secrets: str) -> Signer:
    return Signer([Secret(secret) for secret in secrets])


def now() -> int:
    return int(datetime.now(UTC).timestamp())


def entry_of(public: str, made: dict[str, str], body: bytes) -> str | None:
    """Verify as the specification says, and return the entry that a public key vouches for."""
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(public.removeprefix("whpk_")))
    content = f"{made['webhook-id']}.{made['webhook-timestamp']}.".encode() + body
    for entry in made["webhook-signature"].split(" "):
        version, signature = entry.split(",")
        if version == "v1a":
            try:
                key.verify(base64.b64decode(signature, validate=True), content)
            except InvalidSignature:
                continue
            return entry
    return None


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.name)
def test_the_golden_vectors_hold(vector: Vector) -> None:
    made = signer(*vector.secrets).headers(vector.id, vector.timestamp, vector.body.encode())
    assert made["webhook-signature"] == vector.signature
    assert made.get("X-Webhook-Signature") == vector.hex
    for public in vector.public:
        assert entry_of(public, made, vector.body.encode())


@pytest.mark.parametrize("secrets", [[WHSEC], [PLAIN], [WHSEC, PLAIN], [PLAIN, WHSEC]])
def test_hmac_secrets_sign_as_the_core_does(secrets: list[str]) -> None:
    made = signer(*secrets).headers("evt_1", 1_767_225_600, BODY)
    assert made == headers("evt_1", 1_767_225_600, BODY, secrets)


def test_a_made_hmac_secret_is_verified_by_the_reference_library() -> None:
    secret = make_secret("hmac")
    assert secret.startswith("whsec_")
    assert len(base64.b64decode(secret.removeprefix("whsec_"), validate=True)) == 24
    assert secret_fault(secret) is None
    Webhook(secret).verify(BODY, signer(secret).headers("evt_1", now(), BODY))


def test_a_made_ed25519_secret_is_verified_with_its_public_key() -> None:
    secret = make_secret("ed25519")
    assert secret.startswith("whsk_")
    assert len(base64.b64decode(secret.removeprefix("whsk_"), validate=True)) == 64
    assert secret_fault(secret) is None
    made = signer(secret).headers("evt_1", now(), BODY)
    assert entry_of(public_of(secret), made, BODY) == made["webhook-signature"]
    assert entry_of(public_of(secret), made, BODY + b" ") is None
    assert entry_of(public_of(secret), made | {"webhook-id": "evt_2"}, BODY) is None
    assert entry_of(public_of(secret), made | {"webhook-timestamp": "1"}, BODY) is None


@pytest.mark.parametrize("kind", ["hmac", "ed25519"])
def test_no_secret_is_made_twice(kind: str) -> None:
    made = {make_secret("hmac" if kind == "hmac" else "ed25519") for _ in range(100)}
    assert len(made) == 100


def test_while_secrets_of_both_kinds_are_rotated_each_verifies() -> None:
    new_key, old_key, new, old = (
        make_secret("ed25519"), make_secret("ed25519"), make_secret("hmac"), make_secret("hmac")
    )  # fmt: skip
    made = signer(new_key, new, old_key, old).headers("evt_1", now(), BODY)
    versions = [entry.split(",")[0] for entry in made["webhook-signature"].split(" ")]
    assert versions == ["v1a", "v1", "v1a", "v1"]
    for secret in (new, old):
        Webhook(secret).verify(BODY, made)
    entries = {entry_of(public_of(key), made, BODY) for key in (new_key, old_key)}
    assert len(entries - {None}) == 2
    assert made["X-Webhook-Signature"] == signer(new).headers("e", 1, BODY)["X-Webhook-Signature"]
    with pytest.raises(WebhookVerificationError):
        Webhook(make_secret("hmac")).verify(BODY, made)


def test_an_endpoint_without_an_hmac_secret_has_no_hex_signature() -> None:
    assert "X-Webhook-Signature" not in signer(WHSK).headers("evt_1", 1, BODY)


def test_nothing_is_sent_unsigned() -> None:
    with pytest.raises(UnusableSecret):
        Signer([])


def pair(seed: bytes, public: bytes) -> str:
    return "whsk_" + base64.b64encode(seed + public).decode()


@pytest.mark.parametrize(
    "secret",
    [
        "whsk_",
        "whsk_no base64!",
        "whsk_é",
        "whsk_" + WHSEC.removeprefix("whsec_"),
        pair(bytes(31), b""),
        pair(bytes(32), b""),
        pair(bytes(32), bytes(32)),
        pair(bytes(32), bytes(33)),
        "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=",
        "whsec_QUFBQQ==",
        "short",
    ],
)
def test_a_broken_secret_has_a_fault_that_does_not_show_it(secret: str) -> None:
    fault = secret_fault(secret)
    assert fault
    assert secret[5:] == "" or secret[5:] not in fault


def test_the_error_of_a_broken_key_shows_neither_key_nor_cause() -> None:
    broken = pair(b"canary".ljust(32), bytes(32))
    with pytest.raises(UnusableSecret) as caught:
        signer(WHSEC, broken)
    assert base64.b64encode(b"canary").decode()[:6] not in str(caught.value)
    with pytest.raises(UnusableSecret) as caught:
        signer("whsk_canary?")
    assert "canary" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_a_signer_shows_nothing_of_its_secrets() -> None:
    assert "whs" not in repr(signer(WHSEC, WHSK))
    assert not hasattr(signer(WHSEC, WHSK), "__dict__")
