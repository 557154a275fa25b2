"""/docs shows the document without a network, and runs nothing but what is in it."""

import re
from base64 import b64encode
from hashlib import sha256

from tests.web.shop import Shop


def hash_of(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


async def test_the_page_asks_no_other_host(shop: Shop) -> None:
    answer = await shop.call("GET", "/docs", headers={})
    page = answer.body.decode()
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert not re.findall(r"https?:|\bsrc=|<link|@import|[^c]url\(|//[a-z]+\.", page)


async def test_the_policy_lets_run_what_is_in_the_page_and_nothing_else(shop: Shop) -> None:
    answer = await shop.call("GET", "/docs", headers={})
    policy = dict(
        rule.split(" ", 1) for rule in answer.headers["content-security-policy"].split("; ")
    )
    page = answer.body.decode()
    for tag, directive in (("script", "script-src"), ("style", "style-src")):
        [text] = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        assert policy[directive] == hash_of(text)
    assert policy["default-src"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert not re.findall(r"\son\w+=|\sstyle=|innerHTML|eval\(", page)
