"""Transactions for the tests of sending, signed by eth-account."""

from typing import Any, Final

from eth_account import Account
from eth_utils.address import to_checksum_address

from ctrip.core.ids import Amount, RawAddress, TxHash
from ctrip.core.outgoing import Authorization, Outgoing, Signed

GWEI: Final = 10**9
ETHER: Final = 10**18
KEY: Final = Account.from_key("0x" + "11" * 32)
SENDER: Final = RawAddress(KEY.address.lower())
SHOP: Final = RawAddress("0x" + "5a" * 20)


def an_outgoing(**changes: Any) -> Outgoing:
    """Return a transfer of 5 wei to the shop, at a price that the first block of anvil takes."""
    fields = {
        "chain_id": 31337,
        "sender": SENDER,
        "nonce": 0,
        "to": SHOP,
        "value": Amount(5),
        "gas": 21_000,
        "max_fee": 4 * GWEI,
        "priority_fee": GWEI,
    }
    return Outgoing(**{**fields, **changes})


def signed(outgoing: Outgoing) -> Signed:
    """Sign for SENDER, whoever is named."""
    fields: dict[str, Any] = {
        "chainId": outgoing.chain_id,
        "nonce": outgoing.nonce,
        "to": to_checksum_address(outgoing.to),
        "value": outgoing.value,
        "data": outgoing.data,
        "gas": outgoing.gas,
    }
    if outgoing.authorizations:
        fields["authorizationList"] = [
            {
                "chainId": a.chain_id,
                "address": bytes.fromhex(a.delegate[2:]),
                "nonce": a.nonce,
                "yParity": a.y_parity,
                "r": a.r,
                "s": a.s,
            }
            for a in outgoing.authorizations
        ]
    if outgoing.priority_fee is None:
        fields["gasPrice"] = outgoing.max_fee
    else:
        fields["maxFeePerGas"] = outgoing.max_fee
        fields["maxPriorityFeePerGas"] = outgoing.priority_fee
    made = KEY.sign_transaction(fields)
    return Signed(TxHash("0x" + made.hash.hex()), "0x" + made.raw_transaction.hex())


def an_authorization(key: Any, delegate: RawAddress, *, nonce: int = 0) -> Authorization:
    """Return the word of a key that a contract may act for its address."""
    said = key.sign_authorization(
        {"chainId": 31337, "address": bytes.fromhex(delegate[2:]), "nonce": nonce}
    )
    return Authorization(
        chain_id=said.chain_id,
        delegate=delegate,
        nonce=said.nonce,
        y_parity=said.y_parity,
        r=said.r,
        s=said.s,
    )


def a_signed(**changes: Any) -> Signed:
    return signed(an_outgoing(**changes))
