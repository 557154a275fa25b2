"""How much gas a transaction needs, by trying it out on one endpoint (eth_estimateGas).

It is tried as it will be sent: its sender, its value, its data. 21,000 is no constant: a rollup, a
recipient with code and EIP-2780's new accounts all need more. No price is named, because a node
would then want the sender to have the fee too, which is often on its way to him.

The sender's balance is asked for with it. Nodes differ in whether a transfer of more than that
fails when it is tried, and in what they say then.
"""

import re
from typing import Any, Final

from ctrip.chain import decode
from ctrip.chain.decode import quantity
from ctrip.chain.endpoint import Provider
from ctrip.chain.faults import Cure, cure_of_refusal, words
from ctrip.chain.verdicts import shown, verdict_of_words
from ctrip.chain.wire import Call, Refusal
from ctrip.core.abi import revert_reason
from ctrip.core.outgoing import Outgoing, Reverts, TooPoor, Verdict

ESTIMATE: Final = "eth_estimateGas"
BALANCE: Final = "eth_getBalance"
MARGIN: Final = (11, 10)  # of what is tried out: the state may differ when it is mined
REVERTED: Final = 3  # geth's code
FAILED: Final = words(r"^\W*((vm|evm|the)\b.{0,30})?(execution |transaction )?revert")
PREFIX: Final = re.compile(r"^\W*(the )?(execution )?reverted:?\s*", re.IGNORECASE)
HEX: Final = re.compile(r"0x[0-9a-fA-F]*")


async def read(provider: Provider, sent: Outgoing) -> int | Reverts | TooPoor:
    """Return the gas to offer, or why the transaction cannot be."""
    calls = [Call(ESTIMATE, (tried(sent), "latest")), Call(BALANCE, (sent.sender, "latest"))]
    estimate, balance = await provider.ask(calls, decode.QUANTITIES, is_answer=is_no)
    if balance.error:
        raise provider.refused(BALANCE, balance.error)
    if quantity(balance.result or "") < sent.value:
        return TooPoor()
    if estimate.error is None:
        whole, part = MARGIN
        return -(-quantity(estimate.result or "") * whole // part)
    if not is_no(estimate.error):
        raise provider.refused(ESTIMATE, estimate.error)
    is_poor = verdict_of_words(estimate.error.message or "") is Verdict.POOR
    failed = is_poor and not is_revert(estimate.error)  # a token's own words may be the same
    return TooPoor() if failed else Reverts(reason(estimate.error))


def tried(sent: Outgoing) -> dict[str, Any]:
    """Return a transaction as a node tries it out."""
    asked: dict[str, Any] = {
        "from": sent.sender,
        "to": sent.to,
        "value": hex(sent.value),
        "data": sent.data,
    }
    if sent.authorizations:
        asked["authorizationList"] = [
            {
                "chainId": hex(a.chain_id),
                "address": a.delegate,
                "nonce": hex(a.nonce),
                "yParity": hex(a.y_parity),
                "r": hex(a.r),
                "s": hex(a.s),
            }
            for a in sent.authorizations
        ]
    return asked


def is_no(refusal: Refusal) -> bool:
    """Tell whether it is the transaction that failed, and not the endpoint."""
    known = verdict_of_words(refusal.message or "")
    return (
        is_revert(refusal)
        or known in (Verdict.POOR, Verdict.REFUSED)
        or cure_of_refusal(refusal, ESTIMATE) is Cure.GIVE_IN
    )


def is_revert(refusal: Refusal) -> bool:
    """Tell whether a contract refused."""
    return refusal.code == REVERTED or bool(FAILED.search(refusal.message or ""))


def reason(refusal: Refusal) -> str:
    """Return why a call failed: what the contract says, else what the node does."""
    data = refusal.data.get("data") if isinstance(refusal.data, dict) else refusal.data
    found = HEX.search(data) if isinstance(data, str) else None
    said = revert_reason(found[0]) if found else ""
    return shown(said or PREFIX.sub("", refusal.message or "")) or "it gives no reason"
