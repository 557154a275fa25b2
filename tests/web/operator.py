"""The caller who looks after webhook endpoints: a shop's site, asked with a key of an admin."""

from typing import Any, Final

from msgspec import json

from tests.web.shop import Answer, Shop

ENDPOINTS: Final = "/api/v1/webhook-endpoints"
URL: Final = "https://shop.example/hook"


class Operator:
    """Asks for anything under the routes of endpoints."""

    def __init__(self, shop: Shop, key: str) -> None:
        self.shop = shop
        self._headers = {"authorization": f"Bearer {key}"}

    async def ask(self, method: str, path: str = "", body: object = None) -> Answer:
        """Call a route of endpoints; without a body nothing is said about its type."""
        headers, data = self._headers, None
        if body is not None:
            headers = {**headers, "content-type": "application/json"}
            data = body if isinstance(body, bytes) else json.encode(body)
        return await self.shop.call(method, ENDPOINTS + path, headers=headers, data=data)

    def keyed(self, key: str) -> dict[str, str]:
        """Return the headers of a request that may be repeated."""
        return {
            **self._headers,
            "content-type": "application/json",
            "idempotency-key": key,
        }

    async def get(self, path: str) -> Answer:
        """Read any path of the API."""
        return await self.shop.call("GET", path, headers=self._headers)

    async def make(self, **asked: Any) -> Any:
        """Make an endpoint and return the answer."""
        made = await self.ask("POST", "", {"url": URL} | asked)
        assert made.status == 201, made.body
        return made.json


async def an_operator(shop: Shop) -> Operator:
    """Return an operator of a shop."""
    return Operator(shop, await shop.issue("admin"))
