"""What a node says to a transaction that it is handed, in the dialect of its makers.

There is no standard here either (faults.py), and more depends on it: who takes "already known" for
a refusal sends again what is out, who takes "nonce too low" for success waits for ever. Words come
first. Without known words a refusal is the node's own no if its code is one that nodes use for it;
any other fault, such as a limit of the endpoint, says nothing about the transaction.

The words may be shown, because an operator has to read them, but without what could be a key: an
endpoint quotes its own URL in them.
"""

import re
from typing import Final

from ctrip.chain.faults import Cure, cure_of_words, words
from ctrip.chain.wire import Refusal
from ctrip.core.abi import on_one_line
from ctrip.core.outgoing import Verdict

SEND: Final = "eth_sendRawTransaction"

# Codes by which nodes refuse a transaction for its own sake: geth's for everything, EIP-1474's for
# rejected ones, Nethermind's, and that of parameters, for bytes that are no transaction.
REJECTING: Final = frozenset({-32000, -32003, -32010, -32602})

# In this order: "replacement transaction underpriced" and "already known" say more than what
# else is in a text.
WORDS: Final = (
    (
        Verdict.TAKEN,
        words(
            r"already ?known", r"\bknown transaction", r"already (been )?imported",
            r"already in (the )?mem ?pool", r"already have transaction", r"AlreadyImported",
            r"existing tx with same hash", r"transaction already (finalized|exists)",
            r"tx already (exists?|in)",
        ),
    ),
    (
        Verdict.NONCE_SPENT,
        words(
            r"nonce (is )?too low", r"OldNonce", r"Pool\(Stale\)", r"invalid transaction nonce",
            r"nonce has already been used", r"NonceTooLow",
        ),
    ),
    (
        Verdict.UNDERPRICED,
        words(
            r"underpriced", r"could not replace existing", r"ReplacementNotAllowed",
            r"OwnNonceAlreadyUsed", r"another tx(ransaction)? (which has the|with) same nonce",
            r"another transaction with same nonce", r"gas ?price.{0,30}(too low|below|less than)",
            r"fee ?too ?low", r"gas tip cap .*minimum", r"effective tip .*below",
            r"fee ?(cap|per ?gas) .{0,30}(less than|too low|needs to be higher|below)",
            r"(max fee per gas|fee cap) less than block base fee", r"tip needed",
            r"(txpool|transaction pool|tx pool|queue) (is )?full", r"limit.{0,9}increasing the fee",
        ),
    ),
    (
        Verdict.POOR,
        words(
            r"insufficient ?(funds|balance)", r"not enough funds", r"not have enough funds",
            r"upfront cost exceeds", r"would cause overdraft", r"lack of funds", r"out ?of ?funds",
        ),
    ),
    (
        Verdict.REFUSED,
        words(
            r"intrinsic gas", r"exceeds block gas limit", r"gas ?limit ?(is )?(too|exceed)",
            r"invalid (sender|signature|chain ?id)", r"nonce (is )?too high", r"NonceGap",
            r"exceeds the configured cap", r"fee cap exceeded", r"type not supported",
            r"oversized data", r"not authorized", r"in-flight transaction limit",
            r"failed to decode (signed )?transaction", r"\brlp\b",
        ),
    ),
)  # fmt: skip

# Where a text leads to, and what looks like a key in it: long, with a digit, and no number.
PLACE: Final = re.compile(r"\w+://\S+|\b(?:[\w-]+\.)+[a-z]\w*(?::\d+)?/\S*", re.IGNORECASE)
KEY: Final = re.compile(r"(?<![\w-])(?!0x[0-9a-fA-F]+\b|\d+\b)(?=[\w-]*\d)[\w-]{16,}")
HIDDEN: Final = "***"


def verdict_of(refusal: Refusal) -> Verdict | None:
    """Return what a refusal says of the transaction; None if it is about something else."""
    text = refusal.message or ""
    if said := verdict_of_words(text):
        return said
    cure = cure_of_words(text, SEND)
    is_own = cure is Cure.GIVE_IN or (cure is None and refusal.code in REJECTING)
    return Verdict.REFUSED if is_own else None


def verdict_of_words(text: str) -> Verdict | None:
    """Return what known words say."""
    return next((verdict for verdict, known in WORDS if known.search(text)), None)


def is_verdict(refusal: Refusal) -> bool:
    """Tell whether a refusal is about the transaction."""
    return verdict_of(refusal) is not None


def shown(text: str) -> str:
    """Return a node's words as an operator may read them."""
    return on_one_line(KEY.sub(HIDDEN, PLACE.sub(HIDDEN, text)))
