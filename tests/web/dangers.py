"""What attackers and accidents do to an API, and what shows that it does no harm here.

The first twelve are a checklist for payment gateways, the next ten the OWASP API Security Top 10
of 2023 in its order, and the rest what was found by trying uvicorn, Postgres and others. A
line that begins with a dash says why there is nothing to test. test_dangers.py checks that
every number is there, with a test, and that every test exists by the name it has here.

1. one Idempotency-Key fifty times at once; with another body; once more after a crash
    e2e.test_twins.test_two_hundred_twins_of_each_of_fifty_keys_make_fifty_payments
    flows.test_enroll.test_of_twins_one_is_made
    web.test_repeats.test_another_body_is_refused
    web.test_repeats_in_doubt.test_what_a_dead_process_made_is_found_again
2. somebody else's payment or event is read, cancelled, listed or followed, by path, query or body
    web.test_ownership.test_what_is_somebody_elses_is_not_found_and_stays_as_it_is
    web.test_ownership.test_it_is_known_what_each_id_in_a_body_or_a_query_names
    web.test_ownership.test_a_list_holds_ones_own
    web.test_ownership.test_the_stream_of_events_holds_ones_own
    web.test_stream.test_it_is_for_those_who_may_see_the_payment
3. a create says its own status, owner, amount received or address
    web.test_unasked.test_no_body_may_say_what_is_ours_to_say
    web.test_unasked.test_no_query_may_say_what_is_not_asked
    web.test_bad_creates.test_a_bad_create_is_answered_with_what_is_wrong
4. JSON 100,000 levels deep, of a million names, not UTF-8, with U+0000, with a name twice
    web.test_hostile_bodies.test_json_made_to_hurt_is_refused_quickly
    web.test_bad_creates.test_a_bad_create_is_answered_with_what_is_wrong
    web.test_bad_creates.test_a_name_that_is_there_twice_is_refused
    web.test_bad_creates.test_deep_json_does_not_end_the_process_that_a_library_let_recurse
5. amounts that are none: NaN, 1e999999999, -0, Arabic digits, 1_000, floats, a million digits
    web.test_bad_creates.test_a_bad_create_is_answered_with_what_is_wrong
    web.test_hostile_bodies.test_json_made_to_hurt_is_refused_quickly
    core.test_price.test_what_is_no_amount_of_money_is_refused
6. large and endless bodies, two lengths, 20,000 headers, 20 MB of one, no Host, NUL in a path
    web.test_hostile_bodies.test_a_hundred_megabytes_of_body_cost_no_memory
    web.test_hostile_bodies.test_a_body_without_end_is_cut_off_whoever_reads_it
    web.test_hostile_sockets.test_a_body_of_two_lengths_is_refused_and_nothing_is_read_after_it
    web.test_hostile_sockets.test_a_head_is_bounded_in_bytes_in_number_and_in_its_first_line
    web.test_hostile_sockets.test_a_head_of_20_mb_costs_no_memory
    web.test_hostile_sockets.test_what_is_no_request_is_refused
7. thousands of heads that never end, and of sockets that say nothing
    web.test_crowded_sockets.test_heads_that_never_end_are_closed_in_time_and_others_are_served
    web.test_crowded_sockets.test_any_number_of_open_sockets_keeps_nobody_out
    web.test_crowded_sockets.test_who_says_nothing_is_closed_without_a_word
8. receivers that hang, drip, redirect to where clouds keep credentials, send bombs, reset
    webhooks.test_misbehaviour.test_a_receiver_that_hangs_runs_into_the_timeout
    webhooks.test_misbehaviour.test_headers_that_drip_run_into_the_timeout
    webhooks.test_misbehaviour.test_a_redirect_is_never_followed
    webhooks.test_misbehaviour.test_a_gzip_bomb_is_not_unpacked
    webhooks.test_misbehaviour.test_an_endless_body_is_left_after_64_kib
    flows.test_sender_complaints.test_an_endpoint_that_fails_gets_new_events_and_holds_up_no_other
9. receivers inside: 127.1, IPv4 in IPv6, metadata services, names that change their mind
    webhooks.test_ssrf.test_it_is_refused_when_it_is_said
    webhooks.test_ssrf.test_it_is_refused_when_it_is_dialled
    webhooks.test_ssrf.test_a_name_that_was_outside_yesterday_and_is_inside_today_is_refused_today
    webhooks.test_ssrf.test_credentials_of_clouds_are_refused_with_everything_else_open
    webhooks.test_ssrf.test_the_operators_networks_are_open_and_need_no_tls
10. webhooks that are forged, replayed or old, while a secret is rotated too
    client.test_webhooks.test_what_nobody_signed_for_us_is_refused
    client.test_webhooks.test_an_old_one_is_refused_unless_it_is_allowed
    core.test_verify.test_an_old_request_is_right_but_old
    core.test_verify.test_during_a_rotation_the_entry_that_fits_is_named
11. events that arrive out of order, and gaps
    flows.test_tidings.test_every_event_is_seen_once_and_in_order_however_commits_fall
    flows.test_audience.test_nothing_is_missed_or_heard_twice_however_all_of_it_falls
    web.test_payment_lists.test_a_payments_events_are_the_bytes_that_were_signed_in_order
12. a Host or X-Forwarded-* of the caller's choice
    web.test_unasked.test_no_answer_names_the_host_that_a_caller_says
    web.test_auth.test_only_a_proxy_of_ours_says_where_a_caller_is
    web.test_limits.test_the_caller_is_the_last_whom_our_proxies_vouch_for
13. broken object level authorization (API1)
    web.test_ownership.test_what_is_somebody_elses_is_not_found_and_stays_as_it_is
    web.test_ownership.test_it_is_known_whose_everything_in_a_path_is
    flows.test_act.test_a_payment_of_somebody_else_is_none_and_stays_as_it_is
14. broken authentication (API2): what a key is made of and kept as, when and where it opens
    web.test_auth.test_without_a_live_key_nobody_gets_in
    web.test_auth.test_the_key_itself_is_nowhere_in_the_database
    web.test_auth.test_a_key_ends_at_the_moment_it_expires
    web.test_auth.test_a_key_may_be_used_from_its_networks_only
    web.test_auth.test_a_key_that_ends_while_its_body_comes_makes_nothing
    e2e.test_keys.test_a_revoked_key_ends_in_every_process_within_a_second
    web.test_limits.test_guessing_ends_before_the_key_is_looked_up_and_hurts_no_key_that_is_known
    - Keys are found by their SHA-256, and no text of one is compared: time tells nothing.
15. broken object property level authorization (API3): fields that are told or taken too freely
    web.test_openapi.test_every_operation_succeeds_as_it_is_told
    web.test_endpoints.test_a_secret_and_the_values_of_headers_are_told_once_or_never
    web.test_keys.test_the_text_of_a_key_is_shown_once
    web.test_events.test_answers_and_addresses_are_for_administrators
    web.test_unasked.test_no_body_may_say_what_is_ours_to_say
16. unrestricted resource consumption (API4): bodies, heads, depth, pages, rates, streams
    web.test_limits.test_a_site_counts_for_each_key_and_lets_nobody_guess
    web.test_limits.test_memory_is_bounded_and_the_quiet_are_forgotten
    web.test_payment_lists.test_a_query_that_makes_no_sense_is_refused
    web.test_stream_endurance.test_there_are_so_many_and_no_more
    web.test_stream_endurance.test_one_that_does_not_read_is_hung_up_on_and_nobody_else_notices
    - How many payments a key has open is bounded by its rate and their deadlines alone.
17. broken function level authorization (API5): every route with every scope
    web.test_ownership.test_administrators_things_are_forbidden
    web.test_auth.test_a_key_may_do_what_its_scopes_say
    web.test_openapi.test_every_operation_refuses_as_it_is_told
18. unrestricted access to sensitive business flows (API6)
    web.test_limits.test_every_answer_says_what_is_left_and_a_refusal_when_to_come_again
    web.test_acts.test_an_act_needs_a_key_that_may_write
    - Nobody without a key makes a payment: there is no page for the public that does.
19. server side request forgery (API7)
    webhooks.test_ssrf.test_no_url_whatsoever_is_dialled_or_raises
    webhooks.test_ssrf.test_a_redirect_leads_nowhere
    web.test_events.test_an_address_that_was_refused_is_shown_to_nobody
20. security misconfiguration (API8): headers, origins, defaults, words of libraries
    web.test_health.test_every_answer_has_its_manners
    web.test_manners.test_other_sites_learn_nothing_unless_they_are_listed
    web.test_docs_page.test_the_policy_lets_run_what_is_in_the_page_and_nothing_else
    flows.test_supervise.test_a_bug_is_red_without_its_words
21. improper inventory management (API9): routes that nobody documented
    web.test_openapi.test_it_tells_of_every_operation_and_of_no_other
    web.test_api_docs.test_every_route_is_told_and_no_other
    web.test_fuzz.test_nothing_that_is_asked_breaks_what_is_told
22. unsafe consumption of APIs (API10): nodes and price feeds say what they like
    faults.test_each_fault.test_a_fault_of_the_only_endpoint
    chain.test_aggregators.test_words_that_are_no_round_are_never_a_rate
    flows.test_price.test_a_round_that_may_not_be_used_refuses_and_says_why
    flows.test_price.test_a_rate_that_is_not_configured_is_never_one_to_one
23. uvicorn ends requests that are under way when it is told to stop
    e2e.test_shutdown.test_a_request_under_way_is_answered_before_the_end
    web.test_crowded_sockets.test_requests_that_do_not_end_are_answered_when_we_stop
24. Postgres is away, is killed, or its commit's answer is lost
    web.test_auth.test_while_postgres_is_away_nobody_is_refused_for_good
    web.test_repeats_in_doubt.test_an_endpoint_whose_commit_was_not_heard_is_made_once
    web.test_stream_endurance.test_it_outlives_connections_to_the_database
    e2e.test_chaos.test_a_killed_database_stops_nothing_for_good
25. a secret in a log, a traceback, an error, a page or the arguments of a process
    e2e.test_secrets.test_no_secret_is_shown_whatever_happens
26. a request's name, or a field, that forges a line of the log
    web.test_manners.test_a_name_that_could_do_harm_is_replaced
    test_logs.test_a_line_cannot_be_forged_nor_a_terminal_commanded
27. text that a page would run: script in a redirect, a name, an order
    web.test_bad_creates.test_a_bad_create_is_answered_with_what_is_wrong
    web.test_manners.test_every_answer_has_the_common_headers_and_what_its_page_adds
28. requests sent ahead, upgrades and trailers that smuggle another one
    web.test_hostile_sockets.test_too_many_requests_ahead_are_left_unanswered_but_the_first
    web.test_hostile_sockets.test_an_upgrade_is_not_taken_and_what_follows_is_not_read
    web.test_hostile_sockets.test_a_trailer_is_no_header
    web.test_hostile_sockets.test_a_fault_after_a_request_takes_nobody_elses_answer
29. a caller who reads slowly or not at all
    web.test_crowded_sockets.test_who_does_not_read_is_cut_off_and_costs_little_until_then
    web.test_stream_endurance.test_one_that_does_not_read_is_hung_up_on_and_nobody_else_notices
"""
