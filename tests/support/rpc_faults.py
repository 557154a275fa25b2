"""Every way in which an endpoint is known to let its users down, by name.

tests/faults makes payments during each of them, and docs/chains.md lists them.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Final

from tests.support.rpc_exchange import Fault
from tests.support.rpc_faults_batch import BATCH_FAULTS
from tests.support.rpc_faults_final import FINAL_FAULTS
from tests.support.rpc_faults_http import HTTP_FAULTS
from tests.support.rpc_faults_money import BLOCK_FAULTS, LOG_FAULTS
from tests.support.rpc_faults_tip import TIP_FAULTS
from tests.support.rpc_faults_words import RANGE_FAULTS, REFUSAL_FAULTS

# By what they are about, in the order of the page.
GROUPS: Final[Mapping[str, tuple[Fault, ...]]] = {
    "The connection": HTTP_FAULTS,
    "The batch": BATCH_FAULTS,
    "The tip": TIP_FAULTS,
    "Finality": FINAL_FAULTS,
    "Blocks and receipts": BLOCK_FAULTS,
    "Logs": LOG_FAULTS,
    "Range limits": RANGE_FAULTS,
    "Refusals": REFUSAL_FAULTS,
}

FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault for fault in chain.from_iterable(GROUPS.values())
}
