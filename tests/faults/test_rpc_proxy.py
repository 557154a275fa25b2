"""The proxy that plays the faults, and the catalogue it plays from."""

from aiohttp import ClientSession

from tests.support.anvil import Anvil
from tests.support.rpc_faults import FAULTS, GROUPS
from tests.support.rpc_proxy import proxy

ASKED = {"jsonrpc": "2.0", "id": 7, "method": "eth_blockNumber", "params": []}


def test_no_two_faults_have_one_name() -> None:
    assert len(FAULTS) == sum(len(faults) for faults in GROUPS.values())


def test_there_are_enough_faults() -> None:
    assert len(FAULTS) >= 100


def test_each_fault_is_told_in_sentences() -> None:
    for fault in FAULTS.values():
        for sentence in (fault.happens, fault.answered):
            assert sentence[0].isupper(), fault.name
            assert sentence.endswith("."), fault.name


async def test_a_fault_is_played_for_so_many_requests(anvil: Anvil) -> None:
    async with proxy(anvil.url) as endpoint, ClientSession() as session:
        await endpoint.plays("503", requests=2)
        said = [(await session.post(endpoint.url, json=[ASKED])).status for _ in range(3)]
    assert said == [503, 503, 200]
    assert (endpoint.requests, endpoint.played) == (3, 2)
    assert endpoint.methods == {"eth_blockNumber": 3}


async def test_a_fault_ends_when_the_proxy_calms(anvil: Anvil) -> None:
    async with proxy(anvil.url) as endpoint, ClientSession() as session:
        await endpoint.plays("503")
        refused = await session.post(endpoint.url, json=[ASKED])
        endpoint.calms()
        answered = await session.post(endpoint.url, json=[ASKED])
        assert (refused.status, answered.status) == (503, 200)
        assert await answered.json() == [
            {"jsonrpc": "2.0", "id": 7, "result": await anvil.rpc("eth_blockNumber")}
        ]


async def test_a_fault_that_does_not_concern_a_request_is_not_counted(anvil: Anvil) -> None:
    async with proxy(anvil.url) as endpoint, ClientSession() as session:
        await endpoint.plays("empty logs")
        answer = await session.post(endpoint.url, json=ASKED)
        assert await answer.json() == {
            "jsonrpc": "2.0",
            "id": 7,
            "result": await anvil.rpc("eth_blockNumber"),
        }
    assert endpoint.played == 0
