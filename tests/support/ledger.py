"""What stands on a chain, found by reading all of it in the plainest way: the judge of tests."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from tests.support.anvil import Anvil

TRANSFER: Final = "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


async def on_chain(chain: Anvil, token: str, addresses: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return what each address received, in its one asset, by transaction hash."""
    wanted = {address.lower() for address in addresses}
    received: dict[str, dict[str, int]] = defaultdict(dict)
    newest = int(await chain.rpc("eth_blockNumber"), 16)
    for number in range(newest + 1):
        block = await chain.rpc("eth_getBlockByNumber", hex(number), True)  # noqa: FBT003  JSON-RPC
        for sent in block["transactions"]:
            to, value = (sent["to"] or "").lower(), int(sent["value"], 16)
            if to in wanted and value:
                receipt = await chain.rpc("eth_getTransactionReceipt", sent["hash"])
                if receipt["status"] == "0x1":
                    received[to][sent["hash"]] = value
    everything = {"fromBlock": "0x0", "toBlock": hex(newest), "topics": [TRANSFER]}
    for entry in await chain.rpc("eth_getLogs", {**everything, "address": token}):
        to = f"0x{entry['topics'][2][-40:]}"
        if to in wanted:
            assert entry["transactionHash"] not in received[to]
            received[to][entry["transactionHash"]] = int(entry["data"], 16)
    return dict(received)
