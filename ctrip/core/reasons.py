"""Why a payment is not paid, and what is known of it: the codes of explanations.

They are a public contract: add, never rename. docs/explain.md has a row for each.
"""

from enum import StrEnum


class Reason(StrEnum):
    """The answer, in a word."""

    # The payment is fine.
    SETTLED = "settled"
    PAID = "paid"
    CONFIRMED = "confirmed"
    # It may still be paid.
    WAITING_FOR_MONEY = "waiting_for_money"
    WAITING_FOR_CONFIRMATIONS = "waiting_for_confirmations"
    WAITING_FOR_SECOND_OPINION = "waiting_for_second_opinion"
    UNDERPAID = "underpaid"
    # We cannot see.
    CHAIN_UNREACHABLE = "chain_unreachable"
    CHAIN_BEHIND = "chain_behind"
    # It is over.
    EXPIRED_UNPAID = "expired_unpaid"
    EXPIRED_UNDERPAID = "expired_underpaid"
    CANCELLED = "cancelled"
    REVERSED = "reversed"
    # Money came, and does not count.
    LATE = "late"
    WRONG_TOKEN = "wrong_token"  # noqa: S105  a reason, not a password
    WRONG_CHAIN = "wrong_chain"
    REORGED = "reorged"
    # A transaction brought nothing.
    FAILED_TRANSACTION = "failed_transaction"
    WRONG_ADDRESS = "wrong_address"
    NO_TRANSFER = "no_transfer"
    OTHER_PAYMENT = "other_payment"
    # Or not yet.
    NOT_MINED = "not_mined"
    REPLACED = "replaced"
    NOT_READ_YET = "not_read_yet"
    NOT_ON_RECORD = "not_on_record"
    NOT_FOUND = "not_found"


class FactCode(StrEnum):
    """What a fact is of."""

    CREATED = "created"
    WATCHED = "watched"
    CHAIN_READ = "chain_read"
    CHAIN_UNREAD = "chain_unread"
    CHAIN_UNSERVED = "chain_unserved"
    CHAIN_GAP = "chain_gap"
    CHAIN_TROUBLE = "chain_trouble"
    EXTENDED = "extended"
    CANCELLED = "cancelled"
    ACCEPTED = "accepted"
    DEADLINE = "deadline"
    CLOSED = "closed"
    NOTHING_CAME = "nothing_came"
    TRANSFER_COUNTED = "transfer_counted"
    TRANSFER_LATE = "transfer_late"
    TRANSFER_WRONG_TOKEN = "transfer_wrong_token"  # noqa: S105  nor is this one
    TRANSFER_WRONG_CHAIN = "transfer_wrong_chain"
    TRANSFER_REORGED = "transfer_reorged"
    TRANSFER_NAMED = "transfer_named"
    MORE_TRANSFERS = "more_transfers"
    CONFIRMATIONS = "confirmations"
    SECOND_OPINION = "second_opinion"
    ENDPOINT_TROUBLE = "endpoint_trouble"
    ANNOUNCED = "announced"
    NO_RECEIVER = "no_receiver"
    DELIVERIES = "deliveries"
    DELIVERY_FAILING = "delivery_failing"
    TRANSACTION_MINED = "transaction_mined"
    TRANSACTION_FAILED = "transaction_failed"
    TRANSACTION_UNMINED = "transaction_unmined"
    TRANSACTION_UNKNOWN = "transaction_unknown"
    TRANSACTION_UNASKED = "transaction_unasked"
    TRANSACTION_PAID_SEVERAL = "transaction_paid_several"
