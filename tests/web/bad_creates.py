"""Everything that is wrong with a create, each with the answer it gets.

    bad("amount_zero", "amount", amount=0)        a body that is good but for one field
    said(name, body, code, *words)                any body

`words` must all stand in the detail: they are what lets somebody mend his request.
"""

from typing import Any, Final

from msgspec import Struct, json

from tests.support.builders import CHAIN, TOKEN
from tests.web.shop import DISABLED, ELSEWHERE

UNKNOWN_TOKEN: Final = "00000000-0000-4000-8000-000000000000"  # noqa: S105  an id, not a password
JSON: Final = "application/json"


class Bad(Struct, frozen=True, kw_only=True):
    """One bad create."""

    name: str
    body: bytes
    status: int = 400
    code: str = "invalid_request"
    words: tuple[str, ...] = ()
    field: str = ""  # named in `errors`
    content_type: str | None = JSON


def bad(name: str, field: str, *words: str, **asked: Any) -> Bad:
    """Return a create in which one field is wrong; None takes it out."""
    body = {"chain": CHAIN, "amount": 1} | asked
    sent = json.encode({key: value for key, value in body.items() if value is not ...})
    return Bad(name=name, body=sent, field=field, words=(field, *words))


USD = {"currency": "USD", "amount": "19.99"}


def written(name: str, amount: str, *words: str, code: str = "invalid_request") -> Bad:
    """Return a create whose amount is spelt like this in the JSON itself."""
    body = f'{{"chain":"{CHAIN}","amount":{amount}}}'.encode()
    field = "amount" if code == "invalid_request" else ""
    return Bad(name=name, body=body, code=code, field=field, words=(field, *words))


def said(name: str, body: bytes | str, code: str, *words: str, **more: Any) -> Bad:
    """Return a create that is wrong as a whole."""
    sent = body.encode() if isinstance(body, str) else body
    return Bad(name=name, body=sent, code=code, words=words, **more)


def refused(name: str, code: str, detail: str, **asked: Any) -> Bad:
    """Return a create that is well-formed and impossible; its detail is exactly this."""
    body = json.encode({"chain": CHAIN, "amount": 1} | asked)
    return Bad(name=name, body=body, code=code, words=(detail,))


def no_token(token_id: str) -> str:
    return f"Token {token_id} not found for chain {CHAIN}"


AMOUNTS: Final = (
    bad("amount_missing", "amount", "required", amount=...),
    bad("price_beside_an_amount", "amount", "beside a price", price=USD),
    bad("price_of_zero", "price", "above 0", amount=..., price=USD | {"amount": "0"}),
    bad("price_as_number", "price", "such as", amount=..., price=USD | {"amount": 19.99}),
    bad("price_exponent", "price", "such as", amount=..., price=USD | {"amount": "1e3"}),
    bad("price_without_currency", "price", "such as", amount=..., price={"amount": "1"}),
    bad("price_with_a_rate", "price", "such as", amount=..., price=USD | {"rate": "1"}),
    bad("price_in_small_letters", "price", "such as", amount=..., price=USD | {"currency": "usd"}),
    bad("price_as_text", "price", "such as", amount=..., price="19.99 USD"),
    bad("amount_zero", "amount", "between 1 and", amount=0),
    bad("amount_negative", "amount", "between 1 and", amount=-1),
    written("amount_2_256", str(2**256), "2^256-1"),
    bad("amount_2_256_as_text", "amount", "2^256-1", amount=str(2**256)),
    written("amount_of_10000_digits", "9" * 10_000, "2^256-1"),
    bad("amount_of_10000_digits_as_text", "amount", "78 digits", amount="9" * 10_000),
    written("amount_float", "1.0", "integer"),
    written("amount_with_exponent", "1e3", "integer"),
    written("amount_beyond_floats", "1e999999999", "out of range"),
    written("amount_minus_zero", "-0", "between 1 and"),
    written("amount_with_leading_zeros", "007", code="invalid_json"),
    written("amount_nan_literal", "NaN", code="invalid_json"),
    written("amount_infinity_literal", "-Infinity", code="invalid_json"),
    bad("amount_true", "amount", "integer", amount=True),
    bad("amount_null", "amount", "integer", amount=None),
    bad("amount_list", "amount", "integer", amount=[1]),
    bad("amount_object", "amount", "integer", amount={"wei": 1}),
    *(
        bad(f"amount_text_{name}", "amount", "digits 0-9", amount=text)
        for name, text in {
            "empty": "",
            "underscore": "1_000",
            "spaces": " 1 ",
            "newline": "1\n",
            "arabic": "١٢",
            "fullwidth": "\uff11\uff12",
            "superscript": "²",
            "nan": "NaN",
            "hex": "0x10",
            "float": "1.0",
            "exponent": "1e3",
            "sign": "+1",
            "minus": "-1",
            "nul": "1\0",
        }.items()
    ),
    bad("amount_text_zero", "amount", "between 1 and", amount="0"),
)

FIELDS: Final = (
    bad("chain_missing", "chain", "required", chain=...),
    bad("chain_number", "chain", "str", chain=1),
    bad("chain_null", "chain", "str", chain=None),
    bad("chain_short", "chain", "3", chain="ab"),
    bad("chain_long", "chain", "20", chain="a" * 21),
    bad("chain_nul", "chain", "U+0000", chain="an\0vil"),
    bad("token_number", "token_id", token_id=7),
    bad("token_word", "token_id", "UUID", token_id="USDT"),  # noqa: S106
    bad("token_nul", "token_id", "UUID", token_id=f"{TOKEN.id}\0"),
    bad("expires_in_59", "expires_in", "60", expires_in=59),
    bad("expires_in_604801", "expires_in", "604800", expires_in=604_801),
    bad("expires_in_text", "expires_in", "int", expires_in="60"),
    bad("expires_in_float", "expires_in", "int", expires_in=60.5),
    bad("expires_in_true", "expires_in", "int", expires_in=True),
    bad("expires_in_2_200", "expires_in", expires_in=2**63),
    bad("order_id_number", "order_id", "str", order_id=1),
    bad("order_id_empty", "order_id", "1", order_id=""),
    bad("order_id_long", "order_id", "500", order_id="x" * 501),
    bad("order_id_nul", "order_id", "U+0000", order_id="a\0b"),
    bad("description_list", "description", "str", description=["x"]),
    bad("description_nul", "description", "U+0000", description="\0"),
    bad("description_long", "description", "500", description="x" * 501),
    bad("metadata_list", "metadata", "object", metadata=[]),
    bad("metadata_null", "metadata", "object", metadata=None),
    bad("metadata_number", "metadata", "str", metadata={"a": 1}),
    bad("metadata_nested", "metadata", "str", metadata={"a": {"b": "c"}}),
    bad("metadata_51", "metadata", "50", metadata={str(n): "" for n in range(51)}),
    bad("metadata_value_long", "metadata", "500", metadata={"a": "x" * 501}),
    bad("metadata_key_long", "metadata", "40", metadata={"k" * 41: "x"}),
    bad("metadata_key_empty", "metadata", "1", metadata={"": "x"}),
    bad("metadata_value_nul", "metadata", "U+0000", metadata={"a": "\0"}),
    bad("metadata_key_nul", "metadata", "U+0000", metadata={"\0": "x"}),
    bad("redirect_number", "redirect_url", "http(s)", redirect_url=1),
    bad("redirect_javascript", "redirect_url", "http(s)", redirect_url="javascript:alert(1)"),
    bad("redirect_data", "redirect_url", "http(s)", redirect_url="data:text/html,x"),
    bad("redirect_without_host", "redirect_url", "http(s)", redirect_url="https:///path"),
    bad("redirect_bracket", "redirect_url", "http(s)", redirect_url="https://[::1"),
    bad("redirect_nul", "redirect_url", "http(s)", redirect_url="https://a.example/\0"),
    bad("redirect_long", "redirect_url", "2000", redirect_url="https://a.example/" + "x" * 2000),
    bad("webhook_number", "webhook_url", "http(s)", webhook_url=1),
    bad("webhook_ftp", "webhook_url", "http(s)", webhook_url="ftp://a.example/"),
    bad("webhook_nul", "webhook_url", "http(s)", webhook_url="https://a.example/\0"),
    *(
        bad(f"unknown_field_{name}", name, "unknown field", **{name: "x"})
        for name in ("foo", "status", "address", "amount_received", "id", "derivation_index")
    ),
)

IMPOSSIBLE: Final = (
    refused(
        "chain_unknown", "unsupported_chain", "Unsupported chain: dogechain", chain="dogechain"
    ),
    refused("chain_upper_case", "unsupported_chain", "Unsupported chain: ANVIL", chain="ANVIL"),
    refused("token_unknown", "token_not_found", no_token(UNKNOWN_TOKEN), token_id=UNKNOWN_TOKEN),
    refused(
        "token_of_another_chain",
        "token_not_found",
        no_token(str(ELSEWHERE.id)),
        token_id=str(ELSEWHERE.id),
    ),
    refused(
        "token_disabled", "token_not_found", no_token(str(DISABLED.id)), token_id=str(DISABLED.id)
    ),
)

WEBHOOKS: Final = tuple(
    said(
        f"webhook_{name}",
        json.encode({"chain": CHAIN, "amount": 1, "webhook_url": url}),
        "invalid_webhook_url",
        "webhook_url",
        words,
    )
    for name, url, words in (
        ("loopback", "https://127.0.0.1/x", "not public"),
        ("localhost", "https://localhost/x", "not public"),
        ("private", "https://10.1.2.3/x", "not public"),
        ("metadata_service", "http://169.254.169.254/latest/", "not public"),
        ("loopback_ipv6", "https://[::1]/x", "not public"),
        ("mapped_ipv4", "https://[::ffff:10.0.0.1]/x", "not public"),
        ("decimal_address", "https://2130706433/x", "valid host"),
        ("userinfo", "https://user:pass@shop.example/x", "user name"),
        ("plain_http", "http://shop.example/x", "https"),
        ("backslash", "https://shop.example\\@10.0.0.1/", "backslash"),
        ("port_out_of_range", "https://shop.example:99999/", "valid URL"),
    )
)

GOOD: Final = b'{"chain":"anvil","amount":1}'
BODIES: Final = (
    said("empty", b"", "invalid_json", "JSON"),
    said("broken", b'{"chain":"anvil","amount":1', "invalid_json", "JSON"),
    said("two", GOOD + GOOD, "invalid_json", "JSON"),
    said("single_quotes", b"{'chain':'anvil'}", "invalid_json", "JSON"),
    said("broken_after_a_wrong_field", b'{"chain":1,"amount":1,!', "invalid_json", "JSON"),
    said("broken_after_an_unknown_field", b'{"foo":1,"amount":tru}', "invalid_json", "JSON"),
    said("list", b"[" + GOOD + b"]", "invalid_request", "object"),
    said("null", b"null", "invalid_request", "object"),
    said("text", b'"anvil"', "invalid_request", "object"),
    said("number", b"1", "invalid_request", "object"),
    said("bad_utf8", b'{"chain":"anvil\xff","amount":1}', "invalid_json", "JSON"),
    said("bad_utf8_in_amount", b'{"chain":"anvil","amount":"\xff"}', "invalid_json", "JSON"),
    said("bad_utf8_in_a_key", b'{"chain":"anvil","amount":1,"\xff":1}', "invalid_json", "JSON"),
    said(
        "bad_utf8_unknown", b'{"foo":"\xff","chain":"anvil","amount":1}', "invalid_request", "foo"
    ),
    said("utf16", GOOD.decode().encode("utf-16"), "invalid_json", "JSON"),
    said("surrogate", rb'{"chain":"anvil","amount":1,"order_id":"\ud800"}', "invalid_json"),
    said("surrogate_in_chain", rb'{"chain":"\udfff\ud800","amount":1}', "invalid_json"),
    said(
        "surrogate_in_a_key",
        rb'{"chain":"anvil","amount":1,"metadata":{"\ud800":"x"}}',
        "invalid_json",
    ),
    said("surrogate_in_amount", rb'{"chain":"anvil","amount":"\ud800"}', "invalid_json"),
    said("surrogate_unknown", rb'{"chain":1,"amount":1,"foo":"\ud800"}', "invalid_json", "JSON"),
    said("deep", b"[" * 30_000 + b"]" * 30_000, "invalid_json", "nested"),
    said("deep_by_one", b'{"foo":' + b"[" * 32 + b"]" * 32 + b"}", "invalid_json", "nested"),
    said(
        "deep_enough", b'{"foo":' + b'[[],"]",[' * 15 + b"]]" * 15 + b"}", "invalid_request", "foo"
    ),
    said("deep_amount", b'{"chain":"anvil","amount":' + b"[" * 60_000, "invalid_json", "JSON"),
    said("deep_unknown", b'{"chain":"anvil","foo":' + b'{"a":' * 12_000, "invalid_json", "JSON"),
    said(
        "deep_closed",
        b'{"chain":"anvil","amount":' + b"[" * 30_000 + b"]" * 30_000 + b"}",
        "invalid_json",
    ),
    said("deep_100000", b"[" * 100_000, "body_too_large", "65536", status=413),
    said(
        "2_mb", b'{"order_id":"' + b"x" * 2_000_000 + b'"}', "body_too_large", "65536", status=413
    ),
    *(
        said(
            f"type_{name}",
            GOOD,
            "unsupported_media_type",
            JSON,
            status=415,
            content_type=content_type,
        )
        for name, content_type in {
            "form": "application/x-www-form-urlencoded",
            "text": "text/plain",
            "multipart": "multipart/form-data; boundary=x",
            "absent": None,
            "empty": "",
            "jsonp": "application/jsonp",
        }.items()
    ),
)

BAD_CREATES: Final = (*AMOUNTS, *FIELDS, *IMPOSSIBLE, *WEBHOOKS, *BODIES)
