"""What commands that look at chains are given, as long as they need it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from msgspec import Struct

from ctrip import logs
from ctrip.assembly import close
from ctrip.chain.rpc import RpcChain
from ctrip.clock import Clock, SystemClock
from ctrip.core.errors import ConfigError
from ctrip.core.ids import ChainName
from ctrip.settings import Network, Settings, secrets_of
from ctrip.store.pool import Pool, connect


class Outsides(Struct, frozen=True):
    """Postgres, the chains, and the time."""

    pool: Pool
    clients: Mapping[ChainName, RpcChain]
    clock: Clock


@asynccontextmanager
async def outsides(
    settings: Settings, networks: Sequence[Network], *, connections: int
) -> AsyncIterator[Outsides]:
    """Lend what is needed to look at some chains, and log as a gateway does."""
    logs.configure(settings.log, secrets_of(settings))
    async with AsyncExitStack() as stack:
        pool = await connect(settings.database.url, size_max=connections)
        stack.push_async_callback(close, pool)
        clock = SystemClock()
        clients = {n.chain.name: RpcChain(n.chain, n.rpc_urls, clock) for n in networks}
        for client in clients.values():
            stack.push_async_callback(client.close)
        yield Outsides(pool, clients, clock)


def network_of(networks: Sequence[Network], chain: str) -> Network:
    """Return the network that was named."""
    found = next((network for network in networks if network.chain.name == chain), None)
    if found is None:
        served = ", ".join(network.chain.name for network in networks)
        raise ConfigError(f"--chain: {chain} is not served; name one of: {served}")
    return found
