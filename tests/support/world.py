"""A gateway and all that it talks to: a chain, a provider in front of it, a receiver.

    async with world(database_url, evidence, warm) as it:
        await it.gateway.start()
        payment = await it.gateway.create(amount=5)
        await it.pay(payment, 5)
        await it.chain.mine()
        await it.gateway.reaches(payment["id"], "detected")

Every secret in the gateway's configuration is a canary.
"""

import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from aiohttp import ClientSession, ClientTimeout, TCPConnector

from ctrip.core.chains import Token
from ctrip.core.ids import ChainName, RawAddress, TxHash
from ctrip.dev import token as tokens
from ctrip.dev.anvil import CHAIN_ID
from tests.support import canaries
from tests.support.anvil import FUNDER, Anvil, running_anvil
from tests.support.canaries import Evidence
from tests.support.gateway import Gateway
from tests.support.provider import Provider, provider
from tests.support.receiver import Receiver, receiver
from tests.support.warm_ctrip import WarmCtrip

GAS_MONEY: Final = 10**18  # wei kept beside what is paid

CHAINS: Final = """
chains:
  anvil:
    chain_id: 31337
    rpc_url: {rpc_url}
    confirmations: {confirmations}
    finality_depth: 64
    block_seconds: {block_seconds}
    settlement: {{ batch: {batch} }}
    poll_interval_seconds: 0.1
    coin: {{ symbol: ETH, decimals: 18 }}
    tokens:
      - {{ symbol: TEST, address: "{token}", decimals: 6 }}
"""


class World(NamedTuple):
    """A gateway and all that it talks to."""

    gateway: Gateway
    chain: Anvil
    provider: Provider
    receiver: Receiver
    token: RawAddress
    token_id: str

    async def pay(self, payment: Mapping[str, Any], amount: int) -> TxHash:
        """Send money in the asset that was asked for; it is in no block yet."""
        to = RawAddress(payment["address"].lower())
        if payment["token_id"]:
            return await self.chain.send_token(self.token, to, amount)
        return await self.chain.send(to, amount)

    async def fund(self, *, coin: int = 0, token: int = 0) -> None:
        """Let the payer have this much; tokens are minted in a block of their own."""
        if coin:
            await self.chain.set_balance(FUNDER, coin + GAS_MONEY)
        if token:
            await self.chain.mint(self.token, FUNDER, token)
            await self.chain.mine()


@asynccontextmanager
async def world(
    database_url: str,
    evidence: Evidence,
    warm: WarmCtrip,
    *,
    confirmations: int = 3,
    block_seconds: int = 12,
    batch: bool = False,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[World]:
    """Start a chain that mines when told to, a receiver, and a gateway that is not yet started.

    `settings` are variables of its own; one that is empty is left out.
    """
    timeout = ClientTimeout(total=10)
    with tempfile.TemporaryDirectory(prefix="ctrip-test-") as name:
        folder = Path(name)
        async with (
            running_anvil() as chain,
            provider(chain.url) as rpc,
            receiver() as shop,
            ClientSession(timeout=timeout, connector=TCPConnector(limit=0)) as session,
        ):
            contract = await chain.ensure_token()
            text = CHAINS.format(
                rpc_url=rpc.template,
                confirmations=confirmations,
                block_seconds=block_seconds,
                batch=str(batch).lower(),
                token=tokens.ADDRESS,
            )
            (folder / "chains.yaml").write_text(text)
            variables = {**environ(database_url, shop.url), **settings}
            given = {name: value for name, value in variables.items() if value}
            gateway = Gateway(folder, given, session, evidence, warm)
            try:
                yield World(gateway, chain, rpc, shop, contract, token_id())
            finally:
                await gateway.close()


def token_id() -> str:
    """Return the id of the dev token on the dev chain."""
    return str(
        Token(
            chain=ChainName("anvil"),
            chain_id=CHAIN_ID,
            contract=tokens.ADDRESS,
            symbol=tokens.SYMBOL,
            decimals=tokens.DECIMALS,
        ).id
    )


def environ(database_url: str, webhook_url: str) -> dict[str, str]:
    """Return the whole configuration of a gateway, chains.yaml apart."""
    password = quote(canaries.DATABASE_PASSWORD, safe="")
    return {
        "CTRIP_CHAINS_FILE": "chains.yaml",
        "CTRIP_CHAINS_USE": "anvil",
        "CTRIP_DATABASE_URL": database_url.replace("postgres@", f"postgres:{password}@"),
        "CTRIP_SERVER_PORT": "0",
        "CTRIP_SERVER_RATE_PER_KEY": "0",  # tests ask as fast as they can
        "CTRIP_WALLET_MNEMONIC": canaries.MNEMONIC,
        "CTRIP_WEBHOOKS_ALLOW_CIDRS": "127.0.0.0/8",
        "CTRIP_WEBHOOKS_SECRET": canaries.WEBHOOK_SECRET,
        "CTRIP_WEBHOOKS_SECRETS_KEY": canaries.SECRETS_KEY,
        "CTRIP_WEBHOOKS_TIMEOUT_SECONDS": "5",
        "CTRIP_WEBHOOKS_URL": webhook_url,
        "PATH_KEY": canaries.RPC_PATH_KEY,
        "QUERY_KEY": canaries.RPC_QUERY_KEY,
    }
