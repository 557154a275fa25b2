"""Names that are there twice are found, however they are written and wherever they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctrip.core.twins import twin_in

NAMES = st.sampled_from(["amount", "a", "größe", ":", 'say "', "\\", " x"])
VALUES = st.recursive(
    st.text(max_size=4) | st.integers() | st.sampled_from(['"a":', ',"amount":1', '\\"a": ']),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.booleans())
def test_an_honest_text_has_none(value: object, plain: bool) -> None:  # noqa: FBT001
    text = json.dumps({"payload": value}, ensure_ascii=plain).encode()
    assert twin_in(text) == ""


@given(VALUES, VALUES, VALUES, st.sampled_from(["amount", "größe", "a", 'say "']), st.booleans())
def test_two_of_one_name_are_found(
    first: object,
    second: object,
    other: object,
    name: str,
    plain: bool,  # noqa: FBT001
) -> None:
    def told(value: object) -> str:
        return json.dumps(value, ensure_ascii=plain)

    members = [f"{told(name)}: {told(first)}", f'"other": {told(other)}']
    members.append(f"{told(name)} :{told(second)}")
    inner = "{" + ",".join(members) + "}"
    for text in (inner, f'{{"deep": [{inner}]}}'):
        assert twin_in(text.encode()) == name


@pytest.mark.parametrize("text", ['{"amount":1,"amo\\u0075nt":2}', '{"a":{"b":1,"b":1}}'])
def test_a_disguise_does_not_help(text: str) -> None:
    assert twin_in(text.encode())


@pytest.mark.parametrize(
    "text", ["", "{", '{"a":1,"a"', "[" * 100_000, '{"a":' + "9" * 10_000 + "}"]
)
def test_what_is_no_json_is_for_the_decoder(text: str) -> None:
    assert twin_in(text.encode()) == ""
