"""docs/api.md tells every route and every code, and none that does not exist."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec import Struct

import ctrip
from ctrip.core.errors import RequestError
from ctrip.core.view import PaymentView
from ctrip.web.acts import ExtendPayment
from ctrip.web.endpoint_wire import (
    ChangeEndpoint,
    CreateEndpoint,
    DeliveryView,
    EndpointView,
    ListDeliveries,
    Recover,
    Redeliver,
    ReplayView,
    RotateSecret,
)
from ctrip.web.events import AttemptView, KnownEventView, ListEvents, StretchView, TrailView
from ctrip.web.payment_lists import ListPaymentEvents, ListPayments
from ctrip.web.site import operations
from ctrip.web.wire import CreatePayment
from tests.web.shop import Shop

PAGE = (Path(__file__).parents[2] / "docs" / "api.md").read_text()
ROW = re.compile(r"^\| `([a-z_]+)` \| (\d{3}) \|", re.MULTILINE)
ROUTE = re.compile(r"^\| `([A-Z]+) (/\S*)` \|", re.MULTILINE)
PARAMETER = re.compile(r"\{\w+\}")
# Not made by an error of ours: a dependency is down, and a fault nobody foresaw.
ANSWERS = {"unavailable": 503, "price_unavailable": 503, "internal_error": 500}


def leaves(kind: type[RequestError]) -> Iterator[type[RequestError]]:
    """Yield every error that a caller may be shown."""
    for leaf in kind.__subclasses__():
        yield leaf
        yield from leaves(leaf)


def known_codes() -> dict[str, int]:
    """Return every code of ctrip with its status."""
    for module in pkgutil.walk_packages(ctrip.__path__, "ctrip."):
        if module.name != "ctrip.__main__":
            importlib.import_module(module.name)
    ours = [leaf for leaf in leaves(RequestError) if leaf.__module__.startswith("ctrip.")]
    return {leaf.code: leaf.status for leaf in ours} | ANSWERS


def test_every_code_is_told_with_its_status_and_no_other() -> None:
    told = {code: int(status) for code, status in ROW.findall(PAGE)}
    assert told == known_codes()


def test_every_route_is_told_and_no_other(shop: Shop) -> None:
    there = {
        (operation.method, PARAMETER.sub("{id}", operation.path))
        for operation in operations(shop.parts)
    }
    assert set(ROUTE.findall(PAGE)) == there


def test_every_field_is_told() -> None:
    create, _, rest = PAGE.partition("## The payment")
    for field in CreatePayment.__struct_fields__:
        assert f"`{field}`" in create
    for field in PaymentView.__struct_fields__:
        assert f"`{field}`" in rest


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [
        ("## List payments", [ListPayments, ListPaymentEvents]),
        ("## Decide by hand", [ExtendPayment]),
        ("## Webhook endpoints", [CreateEndpoint, ChangeEndpoint, EndpointView, RotateSecret]),
        ("### Send again", [Redeliver, Recover, ReplayView, DeliveryView, ListDeliveries]),
        ("## Events", [ListEvents, StretchView, KnownEventView, TrailView, AttemptView]),
    ],
)
def test_every_field_of_webhooks_is_told(heading: str, kinds: list[type[Struct]]) -> None:
    _, found, rest = PAGE.partition(f"\n{heading}\n")
    assert found
    section = rest.partition("\n## ")[0]
    for kind in kinds:
        for field in kind.__struct_fields__:
            assert f"`{field}`" in section, f"{kind.__name__}.{field}"
