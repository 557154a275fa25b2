"""What a node says to a transaction, in the words of those who make nodes and of rollups."""

import pytest

from ctrip.chain.verdicts import shown, verdict_of
from ctrip.chain.wire import Refusal
from ctrip.core.outgoing import Verdict

A = "0x" + "ab" * 20
H = "0x" + "cd" * 32

TAKEN = [
    ("geth", -32000, "already known"),
    ("geth before 1.9", -32000, f"known transaction: {H}"),
    ("erigon", -32000, "ALREADY_EXISTS: already known"),
    ("erigon's pool", -32000, "INTERNAL_ERROR: existing tx with same hash"),
    ("nethermind", -32010, "AlreadyKnown"),
    ("besu", -32000, "Known transaction"),
    ("reth", -32000, "already known"),
    ("bor", -32000, "already known"),
    ("bsc", -32000, "already known"),
    ("anvil", -32003, "transaction already imported"),
    ("parity", -32010, "Transaction with the same hash was already imported."),
    ("moonbeam", -32603, "submit transaction to pool failed: Pool(AlreadyImported(Any {..}))"),
    ("a proxy", -32000, "transaction already in mempool"),
    ("another proxy", -32000, "already have transaction"),
]
NONCE_SPENT = [
    ("geth", -32000, "nonce too low"),
    ("geth since 1.11", -32000, f"nonce too low: address {A}, tx: 3 state: 5"),
    ("geth's pool", -32000, "nonce too low: next nonce 5, tx nonce 3"),
    ("erigon", -32000, "NONCE_TOO_LOW: nonce too low"),
    ("nethermind", -32010, "OldNonce, Current nonce: 5, nonce of rejected tx: 3"),
    ("besu", -32001, "Nonce too low"),
    ("reth", -32000, "nonce too low: next nonce 5, tx nonce 3"),
    ("arbitrum", -32000, f"nonce too low: address {A}, tx: 3 state: 5"),
    ("arbitrum before nitro", -32000, "invalid transaction nonce"),
    ("avalanche", -32000, f"nonce too low: address {A} current nonce (5) > tx nonce (3)"),
    ("zksync", 3, "nonce too low. allowed nonce range: 5 - 55, actual: 3"),
    ("anvil", -32003, "nonce too low"),
    ("parity", -32010, "Transaction nonce is too low. Try incrementing the nonce."),
    ("moonbeam", -32603, "submit transaction to pool failed: Pool(Stale)"),
]
UNDERPRICED = [
    ("geth, a replacement", -32000, "replacement transaction underpriced"),
    ("geth, its minimum", -32000, "transaction underpriced"),
    (
        "geth, its minimum in numbers",
        -32000,
        "transaction underpriced: gas tip cap 1, minimum needed 1000000",
    ),
    ("geth, a tip", -32000, "transaction underpriced: tip needed 30000000000, tip permitted 1"),
    ("geth, a full pool", -32000, "txpool is full"),
    ("erigon, a replacement", -32000, "INTERNAL_ERROR: could not replace existing tx"),
    ("erigon, its minimum", -32000, "UNDERPRICED: underpriced"),
    ("erigon, a fee", -32000, "FEE_TOO_LOW: fee too low"),
    ("nethermind, a replacement", -32010, "ReplacementNotAllowed"),
    (
        "nethermind, the base fee",
        -32010,
        (
            "FeeTooLow, MaxFeePerGas too low. MaxFeePerGas: 1, BaseFee: 7, MaxPriorityFeePerGas:1, "
            "Block number: 5"
        ),
    ),
    (
        "nethermind, a tip",
        -32010,
        "FeeTooLow, EffectivePriorityFeePerGas too low 1 < 5, BaseFee: 7",
    ),
    ("nethermind, a full pool", -32010, "FeeTooLowToCompete"),
    ("besu, a replacement", -32000, "Replacement transaction underpriced"),
    ("besu, its minimum", -32009, "Gas price below configured minimum gas price"),
    (
        "bor",
        -32000,
        "transaction gas price below minimum: gas tip cap 1500000000, minimum needed 25000000000",
    ),
    ("bsc", -32000, "transaction underpriced: gas tip cap 1, minimum needed 50000000"),
    (
        "arbitrum",
        -32000,
        f"max fee per gas less than block base fee: address {A}, maxFeePerGas: 1 baseFee: 7",
    ),
    ("arbitrum before nitro", -32000, "gas price too low"),
    ("arbitrum, a full queue", -32000, "sequencer pending tx pool full, please try again"),
    ("reth", -32000, "max fee per gas less than block base fee"),
    ("anvil, a replacement", -32003, "replacement transaction underpriced"),
    ("anvil, the base fee", -32003, "max fee per gas less than block base fee"),
    ("metis", -32000, "gas price too low: 1 wei, use at least tx.gasPrice = 7 wei"),
    ("celo", -32000, "gasprice is less than gas price minimum floor"),
    (
        "parity",
        -32010,
        (
            "Transaction gas price 1wei is too low. There is another transaction with same nonce "
            "in the queue. Try increasing the gas price or incrementing the nonce."
        ),
    ),
    (
        "parity, a full queue",
        -32010,
        (
            "There are too many transactions in the queue. Your transaction was dropped due to "
            "limit. Try increasing the fee."
        ),
    ),
    ("klaytn", -32000, "there is another tx which has the same nonce in the tx pool"),
]
POOR = [
    ("geth", -32000, "insufficient funds for gas * price + value: have 3 want 5"),
    (
        "geth's pool",
        -32000,
        "insufficient funds for gas * price + value: balance 3, tx cost 5, overshot 2",
    ),
    ("geth, a transfer", -32000, "insufficient funds for transfer"),
    (
        "geth, with others",
        -32000,
        "insufficient funds for gas * price + value: address 0xab have 3",
    ),
    (
        "op-geth",
        -32000,
        "insufficient funds for gas * price + value + L1 fee: balance 3, tx cost 5",
    ),
    ("erigon", -32000, "INSUFFICIENT_FUNDS: insufficient funds for gas * price + value"),
    ("nethermind", -32010, "InsufficientFunds, Balance is 3 less than sending value + gas 5"),
    (
        "nethermind, with others",
        -32010,
        "InsufficientFunds, Account balance: 3, cumulative cost: 5",
    ),
    ("besu", -32004, "Upfront cost exceeds account balance"),
    ("reth", -32000, "insufficient funds for gas * price + value: have 3 want 5"),
    ("arbitrum before nitro", -32000, "not enough funds for gas"),
    ("anvil", -32003, "Insufficient funds for gas * price + value"),
    ("bsc", -32000, "insufficient balance for transfer"),
    ("geth since 1.14", -32000, "transaction would cause overdraft"),
    (
        "parity",
        -32010,
        (
            "Insufficient funds. The account you tried to send transaction from does not have "
            "enough funds. Required 5 and got: 3."
        ),
    ),
    ("revm", -32003, "lack of funds (3) for max fee (5)"),
]
REFUSED = [
    ("geth, gas", -32000, "intrinsic gas too low: gas 20999, minimum needed 21000"),
    ("geth, too much gas", -32000, "exceeds block gas limit"),
    ("geth, a signature", -32000, "invalid sender"),
    ("geth, a chain", -32000, "invalid chain id for signer: have 1 want 31337"),
    ("geth, a kind", -32000, "transaction type not supported"),
    ("geth, a dear one", -32000, "tx fee (1.20 ether) exceeds the configured cap (1.00 ether)"),
    ("geth, a long one", -32000, "oversized data: transaction size 131082, limit 131072"),
    ("geth, EIP-7702", -32000, "in-flight transaction limit reached for delegated accounts"),
    ("geth, in words unheard of", -32000, "gapped-nonce tx from delegated accounts"),
    ("arbitrum, which tries it out", 3, "execution reverted: paused"),
    ("arbitrum, a gap", -32000, f"nonce too high: address {A}, tx: 9 state: 5"),
    ("nethermind, a gap", -32010, "NonceGap, Future nonce. Expected nonce: 5"),
    ("nethermind, gas", -32010, "GasLimitExceeded, Gas limit: 30, gas limit of rejected tx: 31"),
    ("besu, gas", -32003, "Intrinsic gas exceeds gas limit"),
    ("besu, too much gas", -32005, "Transaction gas limit exceeds block gas limit"),
    ("besu, a permission", -32007, "Sender account not authorized to send transactions"),
    ("besu, a cap", -32000, "Transaction fee cap exceeded"),
    ("anvil, gas", -32000, "intrinsic gas too low"),
    ("anvil, bytes", -32602, "Failed to decode transaction"),
    ("harmony", -32000, "`from` address of transaction in blacklist"),
]
NOTHING = [
    ("too often", -32005, "limit exceeded"),
    ("too often, in words", -32000, "call rate limit exhausted"),
    ("no credit", -32000, "You've reached the free tier limit"),
    ("no method", -32601, "the method eth_sendRawTransaction does not exist/is not available"),
    ("read-only", -32000, "eth_sendRawTransaction is not whitelisted"),
    ("no backend", -32011, "no backend is currently healthy to serve traffic"),
    ("an inner fault", -32603, "internal error"),
    ("late", -32000, "request timed out"),
    ("no words", -32099, None),
]


@pytest.mark.parametrize(
    ("verdict", "code", "text"),
    [
        pytest.param(verdict, code, text, id=f"{verdict} {who}")
        for verdict, sayings in (
            (Verdict.TAKEN, TAKEN),
            (Verdict.NONCE_SPENT, NONCE_SPENT),
            (Verdict.UNDERPRICED, UNDERPRICED),
            (Verdict.POOR, POOR),
            (Verdict.REFUSED, REFUSED),
            (None, NOTHING),
        )
        for who, code, text in sayings
    ],
)
def test_each_node_is_understood(verdict: Verdict | None, code: int, text: str | None) -> None:
    assert verdict_of(Refusal(code=code, message=text)) is verdict


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("nonce too low: next nonce 5, tx nonce 3", "nonce too low: next nonce 5, tx nonce 3"),
        (f"no funds at {A}", f"no funds at {A}"),
        ("have 10000000000000000000000 want 2", "have 10000000000000000000000 want 2"),
        ("see https://eth.example/v3/0123456789abcdef now", "see *** now"),
        ("no route at eth.example:8545/v3/abc", "no route at ***"),
        ("project 9f1c0ddc3b1e4f0aa2b7 is over", "project *** is over"),
        ("id 123e4567-e89b-12d3-a456-426614174000", "id ***"),
        ("two\nlines\x1b[2J", "two lines [2J"),
        ("x" * 999, "x" * 200),
    ],
)
def test_its_words_are_shown_without_what_could_be_a_key(said: str, read: str) -> None:
    assert shown(said) == read
