"""The URL of an endpoint, which may hold an API key, is in no error."""

import traceback
from collections.abc import Callable, Iterable

import pytest

from ctrip.chain.client import ChainOutage, InconsistentChain
from ctrip.chain.rpc import RpcChain
from tests.chain.asking import HANG_SECONDS, client_of, read
from tests.chain.lies import TRANSPORT_FAULTS, WRONG_FIELDS, wrong_field
from tests.chain.lying_node import BLOCKS, PATH, Json, LyingNode


async def every_fault(node: LyingNode) -> Iterable[Exception]:
    """Return the exceptions that all the ways to fail end in."""
    faults = []
    lies = [lie for lie, _ in TRANSPORT_FAULTS.values()]
    for lie in (*lies, *(wrong_field(n, v) for n, v in WRONG_FIELDS), shown_url(node)):
        node.lie_about(BLOCKS, lie)
        faults.append(await fault_of(client_of(node, timeout_seconds=HANG_SECONDS)))
    node.tell_the_truth()
    node.chain_id = 1
    gone = node.url.replace("127.0.0.1:", "127.0.0.1:1")
    for urls in ([node.url], [node.url] * 2, [gone], [f"http://{PATH}"], [PATH]):
        faults.append(await fault_of(client_of(*urls, timeout_seconds=HANG_SECONDS)))  # noqa: PERF401
    return faults


def shown_url(node: LyingNode) -> Callable[[list[Json]], Json]:
    error = {"code": -32000, "message": f"bad project at {node.url}"}
    return lambda replies: [{"id": reply["id"], "error": error} for reply in replies]


async def fault_of(chain: RpcChain) -> Exception:
    try:
        await read(chain)
    except (ChainOutage, InconsistentChain) as fault:
        return fault
    finally:
        await chain.close()
    pytest.fail("it was believed")


async def test_no_error_shows_where_the_endpoint_is(node: LyingNode) -> None:
    host = node.url.removeprefix("http://").removesuffix(PATH)
    faults = list(await every_fault(node))
    assert len(faults) > 30
    for fault in faults:
        said = "".join(traceback.format_exception(fault)) + repr([fault, fault.__context__])
        for secret in (node.url, PATH, "planted-key", host):
            assert secret not in said


async def test_a_client_shows_no_url_in_its_repr(chain: RpcChain) -> None:
    assert "planted-key" not in repr(chain) + repr(vars(chain))
