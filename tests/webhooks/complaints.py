"""Fifteen complaints about other senders of webhooks, and what shows that they are none here.

Below is who complained and which tests show that it does no harm here; a line that begins
with a dash says why it cannot happen. What test_complaints.py checks is that every number is
there, with a test, and that every test exists, under tests/, by the name it has here.

1. btcpayserver 3146: after failures in a row new events do not reach an endpoint
    flows.test_sender_complaints.test_an_endpoint_that_fails_gets_new_events_and_holds_up_no_other
2. btcpayserver 2549: a list of deliveries and "resend all", which may send what is outdated
    flows.test_replay.test_everything_that_was_missed_is_sent_once
    flows.test_replay.test_what_was_delivered_is_left_out_unless_it_is_asked_for
    - A body has its sequence, and `thin` has no state at all: what is older can be told apart.
3. btcpayserver 2173 and 2177: an exception ends the sender's loop, and webhooks stop
    flows.test_sender_complaints.test_what_raises_in_one_delivery_takes_no_other_along
    flows.test_supervise.test_a_bug_is_red_without_its_words
4. convoy 1833: retries without end, attempts that are not counted
    flows.test_sender_complaints.test_attempts_are_counted_and_end
    flows.test_deliver.test_after_the_last_attempt_it_is_dead
5. convoy 1667: retries stop, and the next attempt is in the past
    flows.test_sender_complaints.test_the_next_attempt_is_never_in_the_past
    flows.test_sender_machine.test_whatever_happens_what_was_promised_is_sent_or_says_why_not
6. convoy 1927: the rate limit of an endpoint has no effect
    flows.test_sender_complaints.test_a_rate_has_its_effect
7. svix 1511: an endpoint is deleted before a delivery, whose task fails again and again
    flows.test_sender_complaints.test_an_endpoint_is_removed_with_deliveries_waiting_and_on_the_wire
    flows.test_prune.test_what_waits_for_an_endpoint_that_is_disabled_or_gone_is_ended
8. svix 2181: a lease is shorter than a request may take, so deliveries overlap
    flows.test_sender_complaints.test_a_lease_is_longer_than_a_request_may_take
    flows.test_sender_complaints.test_an_answer_after_the_lease_changes_nothing
    flows.test_sender_complaints.test_a_sender_that_lost_a_lease_to_itself_writes_down_one_end
9. outpost 663 and 997: a task that fails loops for ever
    flows.test_sender_complaints.test_faults_of_our_own_end
10. outpost 486, 1014 and 881: polling that never rests; an outage of seconds ends retries for good
    flows.test_sender_complaints.test_a_sender_with_nothing_to_do_asks_little
    flows.test_sender_faults.test_postgres_is_killed_while_deliveries_are_on_the_wire
11. pgqueuer 630: SIGTERM leaves jobs claimed, and they use up the limit
    flows.test_sender_complaints.test_a_sender_that_is_told_to_stop_leaves_nothing_claimed
    e2e.test_shutdown.test_it_ends_in_time_with_a_hanging_receiver_and_an_open_request
12. procrastinate 393, 1225 and 1454: fetching slows down with the size of the table
    flows.test_sender_complaints.test_what_was_sent_leaves_the_queue
    store.test_statements.test_a_hot_statement_uses_its_index
    - bench/webhooks.py measures it, from an empty queue to a million that wait.
13. pg-boss 228 and 418: a fetch takes 30 s with millions of rows, and a backlog costs CPU
    store.test_outbox.test_the_backlog_is_counted_up_to_a_limit
    store.test_statements.test_a_hot_statement_uses_its_index
14. oban 364 and 1037, solid_queue 159: jobs hang in "executing" after a crash
    flows.test_sender_complaints.test_what_a_dead_sender_had_in_hand_goes_on_after_its_lease
    e2e.test_sender_chaos.test_a_hundred_kills_lose_nothing_and_repeat_only_what_was_in_hand
15. mission-control 919, inbox-zero 2893: receivers in chosen private networks
    webhooks.test_ssrf.test_the_operators_networks_are_open_and_need_no_tls
    webhooks.test_guard.test_the_operator_opens_networks_of_his_own_and_no_others
"""
