"""Failures that others reported, and a checklist of what may go wrong: a test for each.

Below is who met a failure and which tests show that it does no harm here; then the
checklist, whose numbers leave out what is no matter of chains. What test_table.py checks
is that every number is there and every test exists, under tests/, by the name it has here.

Reported
1. go-ethereum 24078, ethers 2274, boba_legacy 239: a lagging node says that there are no logs
    wild.test_silence.test_a_lagging_node_behind_a_balancer_answers_with_no_logs
2. execution-apis 875, bsc, bor: a query beyond the head is an error or an empty answer
    wild.test_silence.test_logs_are_asked_for_beyond_the_head_of_the_node_that_has_them
3. lotus 13749: no logs for a block that is known by its hash
    wild.test_silence.test_a_node_has_no_logs_for_a_block_it_knows_by_hash
4. go-ethereum 31593: logs missing after a reorg
    wild.test_silence.test_an_index_loses_its_logs_in_a_reorg
5. ponder 2182 and 2309, erigon 22106: log indexes that are wrong or come twice
    wild.test_silence.test_a_transaction_is_read_again_with_other_log_indexes
    wild.test_silence.test_a_log_index_comes_twice_in_one_block
6. RequestNetwork 4fddbd8: a transaction is mined again in another block
    wild.test_branches.test_a_transaction_is_mined_again_as_it_was_before_it_is_confirmed
7. a transaction is dropped or replaced in a reorg
    wild.test_branches.test_a_transaction_is_replaced_by_another_with_its_nonce
    wild.test_branches.test_a_dropped_payment_runs_out_of_time_and_is_paid_again_too_late
    wild.test_branches.test_a_confirmed_payment_is_taken_back
8. ponder 1212, Polygon in 2025: reorgs of every depth, and deeper than what is final
    wild.test_branches.test_a_reorg_reaches_below_what_was_final
    reorgs.test_random_reorgs.test_what_is_credited_is_what_stands_on_the_chain
9. ethereumjs-blockstream 10: a reorg while a reorg is walked back
    wild.test_branches.test_the_chain_changes_again_while_a_reorg_is_walked_back
    wild.test_branches.test_a_node_and_its_replica_stand_on_two_branches_and_change_places
10. Ghoststake 58: a pruned node cannot show again what was deleted
    wild.test_silence.test_a_pruned_node_cannot_show_again_what_a_reorg_dropped
11. erigon 15334, nethermind 3052, parity 7689: receipts that are stale or null
    wild.test_silence.test_a_receipt_is_of_a_block_that_is_gone_or_is_null
12. chainlink-evm 431: final blocks replaced, hidden by sparse storage
    wild.test_branches.test_final_blocks_are_replaced_while_no_block_had_any_money
    wild.test_branches.test_final_blocks_are_replaced_while_nothing_is_open
13. rindexer 172, Safe 1542: duplicates where backfill meets live
    wild.test_outages.test_blocks_are_read_by_backfill_and_live_at_their_seam
14. bsc 1215, Alchemy: range limits, and suggestions upside down
    wild.test_outages.test_a_suggested_range_gives_its_width_and_never_its_beginning
    chain.test_faults.test_a_range_that_is_refused_gets_narrower
    chain.test_faults.test_only_the_words_of_bsc_mean_that_there_are_no_logs
15. web3.py 3657 and 3518, web3.js 4250, erigon 7072: broken batches
    wild.test_outages.test_a_batch_comes_back_broken
    wild.test_outages.test_one_reply_of_a_batch_is_missing_and_only_that_is_asked_again
16. Bitcart: a gap after an outage is skipped
    wild.test_outages.test_a_long_outage_is_read_afterwards_every_block_once_and_in_order
17. bepusdt, epusdt: a cursor in memory only, no backfill, removed logs ignored
    wild.test_outages.test_a_restart_comes_between_a_payment_and_its_confirmation
    wild.test_outages.test_an_expired_payment_is_paid_while_nothing_else_is_open
    wild.test_silence.test_a_log_says_that_it_was_removed
18. Bitcart: a block is taken without its logs or receipts
    wild.test_silence.test_receipts_or_logs_of_a_block_fail_once_or_for_good
19. geth 21438, SlowMist 2020: inner calls that were reverted
    wild.test_coins.test_an_inner_call_is_reverted_and_the_transaction_succeeds
20. connext 2755, oisy 6220, me-hub 54: decimals
    wild.test_coins.test_a_token_has_other_decimals_than_elsewhere
21. rotki 5749, scam-database 789, SlowMist 2018: spoofed transfers
    wild.test_coins.test_transfers_are_spoofed_in_every_way
22. spellbook 6459, EIP-7708: native coin counted twice
    wild.test_coins.test_native_coin_is_seen_as_a_value_and_as_a_log
    wild.test_coins.test_a_log_of_native_coin_appears_on_a_chain_that_has_none
23. oisy 13938 and 13944, vultisig 5019, optimism 2834: all coin of an address, on a rollup
    sweeps.test_reported.test_all_coin_of_an_address_is_sent_on_a_rollup_that_charges_for_bytes
    sweeps.test_reported.test_the_fee_for_bytes_rises_between_the_signature_and_the_pool
24. dfinity 11363, EIP-2780: gas that was thought to be a constant
    sweeps.test_reported.test_a_treasury_takes_more_gas_than_a_plain_transfer
25. shkeeper 165 and 47: a top-up that comes late, or twice
    sweeps.test_reported.test_a_top_up_is_mined_late_and_nothing_is_sent_before_or_twice
    sweeps.test_crashes.test_a_death_at_any_statement_moves_the_money_once
26. KelpDAO in 2026: a poisoned endpoint
    wild.test_liars.test_a_poisoned_endpoint_invents_a_payment
27. Base in 2025 and 2026: the chain stops
    wild.test_clocks.test_a_chain_halts_and_goes_on
28. Flashblocks: a receipt before its block
    wild.test_silence.test_a_receipt_comes_before_its_block
29. eth_defi: an endpoint of another chain
    wild.test_liars.test_an_endpoint_serves_another_chain
    wild.test_liars.test_an_endpoint_falls_back_by_ten_thousand_blocks
30. eRPC in 2026: tips frozen everywhere
    wild.test_clocks.test_all_tips_are_frozen_and_no_endpoint_says_so

The checklist

1. native coin in a transaction that failed
    wild.test_coins.test_a_failed_transaction_offers_coin
2. a receipt that is missing
    wild.test_silence.test_a_receipt_is_of_a_block_that_is_gone_or_is_null
3. receipts that cannot be had
    wild.test_silence.test_receipts_or_logs_of_a_block_fail_once_or_for_good
4. a transfer that returns false
    traps.test_books_and_logs.test_a_transfer_that_returns_false_and_succeeds
5. a Transfer without a balance behind it
    traps.test_books_and_logs.test_a_log_without_a_balance_is_the_risk_of_listing_its_token
    traps.test_audited.test_a_log_without_a_balance_is_not_taken_back
6. a fee on the transfer
    traps.test_books_and_logs.test_a_fee_that_goes_to_the_issuer_in_a_second_log
7. the same symbol from another contract
    traps.test_counterfeits.test_a_counterfeit_with_the_symbol_and_decimals_of_a_listed_token
8. the right address on another chain
    traps.test_counterfeits.test_a_contract_that_has_the_address_of_a_real_token_of_another_chain
    flows.test_unexpected.test_money_on_another_chain_does_not_complete_what_came_on_the_right_one
9. Transfers of another shape
    traps.test_other_standards.test_an_erc_721_whose_fourth_topic_is_a_number
    traps.test_other_standards.test_data_that_is_not_one_word
10. a transfer of nothing
    traps.test_poisoning.test_nothing_is_moved_twenty_times_around_the_one_real_transfer
11. a log that was removed
    wild.test_silence.test_a_log_says_that_it_was_removed
12. native coin through a contract
    wild.test_native_money.test_money_that_a_contract_pays_is_credited_once
13. an inner call that was reverted
    wild.test_coins.test_an_inner_call_is_reverted_and_the_transaction_succeeds
14. CREATE2, selfdestruct, coinbase, withdrawals
    wild.test_native_money.test_money_that_a_contract_pays_is_credited_once
    wild.test_coins.test_a_withdrawal_raises_a_balance_and_no_transaction_names_it
    wild.test_coins.test_a_block_pays_its_fees_to_a_payment
16. DELEGATECALL and CALLCODE
    wild.test_coins.test_code_is_borrowed_with_a_value_in_context
17. the largest amount
    traps.test_amounts.test_the_largest_amount_there_is
    core.test_view.test_amounts_of_any_length_are_exact_json_integers
18. decimals from 0 to 30
    traps.test_amounts.test_base_units_are_what_counts_however_many_make_a_coin
    traps.test_amounts.test_one_base_unit_too_little
19. addresses in any spelling
    traps.test_spelling.test_a_payer_may_spell_the_payments_address_as_they_like
    traps.test_spelling.test_a_node_that_answers_in_capitals
20. an address used again
    traps.test_too_late.test_a_second_transfer_to_a_settled_payment
    traps.test_too_late.test_a_transfer_to_an_expired_payment
    traps.test_too_late.test_a_transfer_to_a_cancelled_payment
21. less, exactly, more, and in parts
    traps.test_amounts.test_one_payment_in_fifty_parts_of_one_transaction
    flows.test_watch.test_two_parts_in_one_block_are_one_payment
    flows.test_watch.test_too_little_is_said_and_waits
    flows.test_watch.test_too_much_is_said
22. two assets for one payment
    traps.test_poisoning.test_half_in_coin_and_half_in_tokens_is_half
24. mined again before it is confirmed
    wild.test_branches.test_a_transaction_is_mined_again_as_it_was_before_it_is_confirmed
25. mined again with another log index
    wild.test_branches.test_a_transaction_is_mined_again_with_another_log_index
26. mined again in a later block
    wild.test_branches.test_a_transaction_is_mined_again_in_a_later_block
27. dropped before it is confirmed
    wild.test_branches.test_a_transaction_is_dropped_before_it_is_confirmed
28. spent elsewhere with the same nonce
    wild.test_branches.test_a_transaction_is_replaced_by_another_with_its_nonce
29. a reorg deeper than the confirmations
    wild.test_branches.test_a_confirmed_payment_is_taken_back
30. a reorg below what is final
    wild.test_branches.test_a_reorg_reaches_below_what_was_final
32. a reorg between a block and its logs
    wild.test_silence.test_a_reorg_comes_between_a_block_and_its_logs
    wild.test_liars.test_logs_come_from_another_branch_than_their_blocks
34. no logs for a block that has some
    wild.test_silence.test_a_node_has_no_logs_for_a_block_it_knows_by_hash
    wild.test_silence.test_the_logs_of_a_block_come_by_halves
35. two endpoints on two branches
    wild.test_liars.test_two_endpoints_disagree_about_the_block_at_a_height
37. the wrong chain id, at first and later
    wild.test_liars.test_an_endpoint_serves_another_chain
    wild.test_liars.test_an_endpoint_comes_back_as_one_of_another_chain
38. every way in which HTTP and batches fail
    wild.test_outages.test_an_endpoint_fails_in_every_way_in_turn
    faults.test_each_fault.test_a_fault_of_the_only_endpoint
39. range limits, and what lies beyond the head
    wild.test_outages.test_a_suggested_range_gives_its_width_and_never_its_beginning
    wild.test_silence.test_logs_are_asked_for_beyond_the_head_of_the_node_that_has_them
40. a final block that is unknown or stands still
    wild.test_outages.test_a_node_does_not_know_the_final_block
    wild.test_outages.test_the_final_block_stands_still_while_the_chain_goes_on
41. equal times, future times, an hour's gap
    wild.test_clocks.test_blocks_have_the_same_time
    wild.test_clocks.test_a_block_is_from_the_future
    wild.test_clocks.test_an_hour_lies_between_two_blocks
    wild.test_clocks.test_money_comes_around_its_deadline_and_is_read_after_it
"""
