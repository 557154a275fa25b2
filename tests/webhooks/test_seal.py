"""Sealed secrets open with the right key for the right owner, and otherwise not at all."""

import logging
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.errors import ConfigError
from ctrip.settings import Secret
from ctrip.webhooks.seal import Sealer, Unsealable, UnusableKey, key_fault

KEY = Secret("3c9f1d20a1b7e4580f6d2c3b4a5968778695a4b3c2d1e0f00112233445566778")
OTHER = Secret("another text that is thirty-two bytes long")
WEAK = Secret("a weak canary")
PLAIN = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OWNER = "we_5f0e"

# Made once by this code, with a nonce that was random then: what is in databases must open.
RECORDED = bytes.fromhex(
    "01ae378194d0b0a3ce4fc7ae87b672f27b51a14a4d1089298ad00a1576b51d1ddd63"
    "3804dc5bf809a1636776b416dd30832d17344d5cfff0870262bf13c195c2291c7d"
)


@given(plain=st.binary(max_size=500), owner=st.text(st.characters(codec="utf-8"), max_size=50))
def test_what_was_sealed_opens_unchanged(plain: bytes, owner: str) -> None:
    sealer = Sealer(KEY)
    assert sealer.open(sealer.seal(plain, owner=owner), owner=owner) == plain


def test_a_secret_sealed_by_an_earlier_release_opens() -> None:
    assert Sealer(KEY).open(RECORDED, owner=OWNER) == PLAIN


def test_sealing_twice_never_gives_the_same() -> None:
    sealer = Sealer(KEY)
    sealed = {sealer.seal(PLAIN, owner=OWNER) for _ in range(1000)}
    assert len(sealed) == 1000
    assert len({one[1:13] for one in sealed}) == 1000
    assert {one[0] for one in sealed} == {1}
    assert {len(one) for one in sealed} == {1 + 12 + len(PLAIN) + 16}


def test_nothing_of_the_secret_can_be_read_in_it() -> None:
    sealed = Sealer(KEY).seal(PLAIN, owner=OWNER)
    assert not any(PLAIN[i : i + 4] in sealed for i in range(len(PLAIN) - 4))


def test_a_secret_that_was_copied_to_another_endpoint_does_not_open() -> None:
    sealed = Sealer(KEY).seal(PLAIN, owner="we_1")
    with pytest.raises(Unsealable, match="we_2"):
        Sealer(KEY).open(sealed, owner="we_2")


def test_another_key_does_not_open_it_and_the_operator_is_told_which_to_mend() -> None:
    sealed = Sealer(KEY).seal(PLAIN, owner=OWNER)
    with pytest.raises(ConfigError, match=r"\[webhooks\] secrets_key .* we_5f0e"):
        Sealer(OTHER).open(sealed, owner=OWNER)


@pytest.mark.parametrize("at", range(len(RECORDED)))
def test_no_byte_of_it_can_be_changed(at: int) -> None:
    changed = bytearray(RECORDED)
    changed[at] ^= 1
    with pytest.raises(Unsealable):
        Sealer(KEY, OTHER).open(bytes(changed), owner=OWNER)


@pytest.mark.parametrize("size", [0, 1, 2, 12, 13, 14, 28, len(RECORDED) - 1])
def test_no_part_of_it_opens(size: int) -> None:
    with pytest.raises(Unsealable):
        Sealer(KEY).open(RECORDED[:size], owner=OWNER)


def test_while_the_key_is_changed_both_open_and_the_new_one_seals() -> None:
    old = Sealer(KEY).seal(PLAIN, owner=OWNER)
    both = Sealer(OTHER, KEY)
    assert both.open(old, owner=OWNER) == PLAIN
    new = both.seal(PLAIN, owner=OWNER)
    assert Sealer(OTHER).open(new, owner=OWNER) == PLAIN
    with pytest.raises(Unsealable):
        Sealer(KEY).open(new, owner=OWNER)


def test_resealing_moves_a_secret_to_the_newest_key_and_then_has_nothing_to_do() -> None:
    both = Sealer(OTHER, KEY)
    moved = both.reseal(Sealer(KEY).seal(PLAIN, owner=OWNER), owner=OWNER)
    assert moved is not None
    assert Sealer(OTHER).open(moved, owner=OWNER) == PLAIN
    assert both.reseal(moved, owner=OWNER) is None


@pytest.mark.parametrize("keys", [[], [Secret("")], [Secret("x" * 31)], [KEY, Secret("short")]])
def test_a_weak_key_or_none_seals_nothing(keys: list[Secret]) -> None:
    with pytest.raises(UnusableKey, match="secrets_key"):
        Sealer(*keys)


def test_a_key_of_32_bytes_will_do() -> None:
    assert key_fault("x" * 31)
    assert key_fault("x" * 32) is None
    assert key_fault("é" * 16) is None


def test_neither_key_nor_secret_is_ever_shown(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    sealer = Sealer(KEY)
    sealed = sealer.seal(PLAIN, owner=OWNER)
    shown = [repr(sealer), str(sealer)]
    for attempt in (lambda: Sealer(OTHER).open(sealed, owner=OWNER), lambda: Sealer(WEAK)):
        try:
            attempt()
        except ConfigError as error:
            shown += [repr(error), "".join(traceback.format_exception(error))]
    shown.append(caplog.text)
    assert len(shown) == 7
    for secret in (KEY.reveal(), OTHER.reveal(), PLAIN.decode(), WEAK.reveal()):
        assert not any(secret in text for text in shown)
    assert not hasattr(sealer, "__dict__")
