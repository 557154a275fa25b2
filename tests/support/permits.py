"""Sweeps by what owners of a token signed off the chain (EIP-2612, EIP-3009), to be measured.

    signed = await signed_sweeps(batch, token)
    owners = await signed.holding(10, amount=70)
    receipt = await signed.by_authorization(owners)        # mined

eth-account signs, so what the contract takes is what any wallet would make.
"""

from collections.abc import Sequence
from typing import Any, Final

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from ctrip.core.ids import RawAddress
from ctrip.dev.anvil import CHAIN_ID
from tests.support.batching import TREASURY, Batch
from tests.support.token_contracts import Contract, deploy

FOREVER: Final = 2**256 - 1
BY_AUTHORIZATION: Final = "byAuthorization(address,bytes32,bytes32[3][])"
BY_PERMIT: Final = "byPermit(address,bytes32[3][])"
TRANSFER_TYPES: Final = {
    "TransferWithAuthorization": [
        {"name": "from", "type": "address"},
        {"name": "to", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "validAfter", "type": "uint256"},
        {"name": "validBefore", "type": "uint256"},
        {"name": "nonce", "type": "bytes32"},
    ]
}
PERMIT_TYPES: Final = {
    "Permit": [
        {"name": "owner", "type": "address"},
        {"name": "spender", "type": "address"},
        {"name": "value", "type": "uint256"},
        {"name": "nonce", "type": "uint256"},
        {"name": "deadline", "type": "uint256"},
    ]
}

Order = tuple[bytes, bytes, bytes]  # as SignedSweep reads it


class SignedSweeps:
    """A contract that sweeps by signatures, and the gas wallet that calls it."""

    def __init__(self, batch: Batch, token: Contract, contract: Contract) -> None:
        self._batch = batch
        self._token = token
        self._contract = contract
        self._used = 0
        self._rounds = 0

    async def holding(self, count: int, *, amount: int) -> list[LocalAccount]:
        """Return new owners that hold so much each."""
        first, self._used = self._used, self._used + count
        owners = [Account.from_key(keccak(text=f"owner {n}")) for n in range(first, self._used)]
        await self.fund(owners, amount=amount)
        return owners

    async def fund(self, owners: Sequence[LocalAccount], *, amount: int) -> None:
        for owner in owners:
            await self._token.send("mint(address,uint256)", owner.address, amount)
        await self._batch.anvil.mine()

    async def by_authorization(self, owners: Sequence[LocalAccount]) -> Any:
        """Sweep all that owners have by EIP-3009, and return the receipt."""
        self._rounds += 1
        nonce = self._rounds.to_bytes(32)
        orders = []
        for owner in owners:
            value = await self._token.ask("balanceOf(address)", owner.address)
            message = {
                "from": owner.address,
                "to": TREASURY,
                "value": value,
                "validAfter": 0,
                "validBefore": FOREVER,
                "nonce": nonce,
            }
            orders.append(self._order(owner, value, TRANSFER_TYPES, message))
        return await self._call(BY_AUTHORIZATION, self._token.address, nonce, orders)

    async def by_permit(self, owners: Sequence[LocalAccount]) -> Any:
        """Sweep all that owners have by EIP-2612, and return the receipt."""
        orders = []
        for owner in owners:
            value = await self._token.ask("balanceOf(address)", owner.address)
            message = {
                "owner": owner.address,
                "spender": self._contract.address,
                "value": value,
                "nonce": await self._token.ask("nonces(address)", owner.address),
                "deadline": FOREVER,
            }
            orders.append(self._order(owner, value, PERMIT_TYPES, message))
        return await self._call(BY_PERMIT, self._token.address, orders)

    def _order(
        self, owner: LocalAccount, value: int, types: dict[str, Any], message: dict[str, Any]
    ) -> Order:
        domain = {
            "name": "USD Coin",
            "version": "2",
            "chainId": CHAIN_ID,
            "verifyingContract": self._token.address,
        }
        signature = owner.sign_typed_data(domain, types, message)
        first = int(owner.address, 16) << 96 | value
        last = (signature.v - 27) << 255 | signature.s
        return first.to_bytes(32), signature.r.to_bytes(32), last.to_bytes(32)

    async def _call(self, signature: str, *args: object) -> Any:
        data = self._contract.call(signature, *args)
        return await self._batch.call(RawAddress(self._contract.address), data)


async def signed_sweeps(batch: Batch, token: Contract) -> SignedSweeps:
    """Deploy the contract for a treasury and a gas wallet."""
    wallet = batch.signer.gas_address
    contract = await deploy(batch.anvil, "SignedSweep(address,address)", TREASURY, wallet)
    return SignedSweeps(batch, token, contract)
