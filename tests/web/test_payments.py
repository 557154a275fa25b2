"""Creating a payment and reading it: each field of the contract."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from ctrip.core.payment import Status
from ctrip.store.pool import Pool, connection
from tests.support.builders import CHAIN, CHAIN_ID, TOKEN
from tests.web.shop import OTHER, Shop, open_shop

UNKNOWN = "/api/v1/payments/00000000-0000-4000-8000-000000000000"


def time(text: str) -> datetime:
    """Read a time as the contract writes it."""
    assert text.endswith("Z")
    return datetime.fromisoformat(text)


async def test_the_answer_to_a_plain_create_has_every_field(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        payment = await shop.create(amount=1_500_000_000_000_000_000)
    id_, address = payment["id"], payment["address"]
    assert payment == {
        "id": id_,
        "status": Status.PENDING,
        "flags": [],
        "chain": CHAIN,
        "chain_id": CHAIN_ID,
        "token_id": None,
        "currency": "ETH",
        "address": "0x58A57ed9d8d624cBD12e2C467D34787555bB1b25",  # m/44'/60'/0'/0/0
        "amount": 1_500_000_000_000_000_000,
        "amount_decimal": "1.5",
        "price": None,
        "amount_received": 0,
        "confirmations": 0,
        "confirmations_required": 3,
        "confirmed_by": None,
        "detected_in_block": None,
        "created_at": "2026-01-01T12:00:00Z",
        "expires_at": "2026-01-01T12:30:00Z",
        "extended_seconds": 0,
        "order_id": None,
        "description": None,
        "metadata": {},
        "redirect_url": None,
        "webhook_url": None,
        "payment_uri": f"ethereum:{address}@31337?value=1500000000000000000",
        "checkout_url": None,
        "settlement": "hold",
        "transfers": [],
        "amount_refunded": 0,
        "refunds": [],
    }


async def test_what_was_asked_for_is_in_the_answer(shop: Shop) -> None:
    asked: dict[str, Any] = {
        "chain": CHAIN,
        "amount": 1_234_567,
        "token_id": str(TOKEN.id),
        "order_id": "No. 5, ü€",
        "description": "\n two\tlines \U0001f600",
        "metadata": {"größe": "'; DROP TABLE payments; --", "empty": ""},
        "redirect_url": "https://shop.example/thanks?order=5",
        "webhook_url": "https://shop.example/hook",
    }
    payment = await shop.create(**asked, expires_in=60)
    assert payment.items() >= asked.items()
    assert payment["currency"] == "TEST"
    assert payment["amount_decimal"] == "1.234567"
    assert time(payment["expires_at"]) - time(payment["created_at"]) == timedelta(seconds=60)
    assert payment["payment_uri"] == (
        f"ethereum:{TOKEN.contract}@{CHAIN_ID}/transfer"
        f"?address={payment['address']}&uint256=1234567"
    )


@pytest.mark.parametrize("field", ["token_id", "expires_in", "order_id", "description"])
async def test_null_is_as_good_as_nothing(shop: Shop, field: str) -> None:
    payment = await shop.create(**{field: None})
    assert payment.get(field) is None
    assert time(payment["expires_at"]) == time(payment["created_at"]) + timedelta(minutes=30)


async def test_the_limits_themselves_are_allowed(shop: Shop) -> None:
    payment = await shop.create(
        expires_in=604_800,
        order_id="x" * 500,
        description="d" * 500,
        metadata={f"{n:040}": "v" * 500 for n in range(50)},
        redirect_url="https://shop.example/".ljust(2_000, "x"),
    )
    assert len(payment["metadata"]) == 50
    answer = await shop.get(f"/api/v1/payments/{payment['id']}")
    assert answer.json == payment


@pytest.mark.parametrize(
    "amount", [1, 2**53 - 1, 2**53 + 1, 2**63, 2**64, 10**38, 2**255, 2**256 - 1], ids=str
)
async def test_an_amount_is_exact_as_a_number_and_as_text(shop: Shop, amount: int) -> None:
    for spelt in (f"{amount}", f'"{amount}"'):
        answer = await shop.post(f'{{"chain":"{CHAIN}","amount":{spelt}}}'.encode())
        assert answer.status == 201
        assert f'"amount":{amount},'.encode() in answer.body
        read = await shop.get(f"/api/v1/payments/{answer.json['id']}")
        assert f'"amount":{amount},'.encode() in read.body


async def test_zeros_before_an_amount_in_text_mean_nothing(shop: Shop) -> None:
    assert (await shop.create(amount="007"))["amount"] == 7


async def test_what_was_created_is_what_is_read(shop: Shop) -> None:
    created = await shop.post(b'{"chain":"other","amount":5,"metadata":{"b":"1","a":"2"}}')
    read = await shop.get(f"/api/v1/payments/{created.json['id']}")
    assert (read.status, read.json) == (200, created.json)
    assert created.json["confirmations_required"] == 12
    assert created.json["chain"] == OTHER


async def test_a_create_is_announced_once(shop: Shop) -> None:
    async with connection(shop.parts.pool) as conn:
        await conn.execute("DELETE FROM endpoints WHERE kind = 'api'")  # other tests' receivers
    await shop.create()  # the first one of an account makes its row of indexes
    before = await shop.written()
    await shop.create(webhook_url="https://shop.example/hook")
    after = await shop.written()
    grown = {name: after[name] - before[name] for name in after}
    assert grown == {
        "payments": 1, "events": 1, "deliveries": 2, "transfers": 0, "next_index": 1
    }  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        UNKNOWN,
        "/api/v1/payments/1",
        "/api/v1/payments/%F0%9F%98%80",
        "/api/v1/payments/..%2F..%2Fhealth",
        "/api/v1/payments/' OR 1=1 --",
        "/api/v1/payments/" + "a" * 5_000,
        "/api/v1/payments/00000000-0000-4000-8000-00000000000g",
        "/api/v1",
        "/api/v2/payments",
        "/",
        "//",
        "/.env",
    ],
)
async def test_what_is_not_there_is_not_found(shop: Shop, path: str) -> None:
    answer = await shop.get(path)
    assert (answer.status, answer.json["code"]) == (404, "not_found")
    assert answer.json["detail"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/v1/payments"),
        ("DELETE", UNKNOWN),
        ("POST", UNKNOWN),
        ("POST", "/api/v1/chains"),
        ("POST", "/health"),
        ("TRACE", "/health"),
    ],
)
async def test_a_method_that_is_not_there_is_refused(shop: Shop, method: str, path: str) -> None:
    answer = await shop.call(method, path)
    assert (answer.status, answer.json["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"]


async def test_a_slash_at_the_end_changes_nothing_and_leads_nowhere_else(shop: Shop) -> None:
    body = b'{"chain":"anvil","amount":1}'
    headers = {"x-api-key": shop.key, "content-type": "application/json"}
    created = await shop.call("POST", "/api/v1/payments/", headers=headers, data=body)
    assert created.status == 201
    read = await shop.get(f"/api/v1/payments/{created.json['id']}/")
    assert (read.status, read.body) == (200, created.body)
    for path in ("/api/v1/chains/", "/api/v1/tokens/", "/health/", "/metrics/"):
        assert (await shop.get(path)).status == 200


async def test_two_hundred_creates_at_once_share_no_address_and_no_index(pool: Pool) -> None:
    async with open_shop(pool) as shop:
        payments = await asyncio.gather(*(shop.create(amount=n + 1) for n in range(200)))
    assert len({payment["address"] for payment in payments}) == 200
    assert sorted(payment["amount"] for payment in payments) == list(range(1, 201))
    async with connection(pool) as conn:
        rows = await conn.fetch("SELECT derivation_index FROM payments")
        next_index = await conn.fetchval("SELECT next_index FROM wallets")
    indexes = [row["derivation_index"] for row in rows]
    assert len(set(indexes)) == 200
    assert max(indexes) < next_index


async def test_a_chain_that_was_never_read_takes_no_payments(pool: Pool) -> None:
    async with open_shop(pool, watched=[OTHER]) as shop:
        answer = await shop.post(b'{"chain":"anvil","amount":1}')
        assert (answer.status, answer.json["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"].isdecimal()
        assert (await shop.written())["payments"] == 0


async def test_chains_and_tokens_are_listed(shop: Shop) -> None:
    chains = (await shop.get("/api/v1/chains")).json["data"]
    assert chains[1] == {
        "name": "other",
        "chain_id": 31338,
        "currency": "OTH",
        "decimals": 18,
        "confirmations_required": 12,
        "confirmed_after_seconds": None,
        "confirmed_by": None,
        "explorer": "https://explorer.example",
    }
    tokens = (await shop.get("/api/v1/tokens")).json["data"]
    assert tokens[0] == {
        "id": str(TOKEN.id),
        "chain": CHAIN,
        "symbol": "TEST",
        "address": TOKEN.contract,
        "decimals": 6,
        "enabled": True,
    }
    assert [token["enabled"] for token in tokens] == [True, False, True]
