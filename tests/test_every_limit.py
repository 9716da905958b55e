"""Every limit and every refusal of the document has a test with a real client that states what the client sees."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from test_protocol_doc import first_cells, section

TESTS = Path(__file__).parent

LIMITS = {
    "connections in all": "limits::one_connection_too_many_is_told_so_and_when_to_come_back",
    "connections of one address": "limits::one_address_has_its_own_limit",
    "handshake time": "limits::who_says_nothing_or_half_a_request_gets_408"
    " auth::who_shows_no_token_in_time_is_sent_away tls::who_never_greets_is_cut_off",
    "pause between two requests": "limits::a_connection_of_http_may_be_silent_between_requests_for_so_long",
    "requests a second": "limits::one_request_too_many_gets_an_error_with_its_id"
    " limits::who_goes_on_and_on_is_sent_away_and_others_dont_notice"
    " limits::requests_of_http_have_the_same_rate",
    "requests a second of one address": "address_rates::many_connections_have_no_more_than_their_address"
    " address_rates::a_connection_for_each_request_is_no_way_around_it",
    "symbols a second that the answers to one connection": "budget::who_owes_is_told_how_long_to_wait_and_may_still_ping",
    "symbols a second that the answers to one address": "budget::coming_anew_doesnt_help",
    "frames of the WebSocket": "inbound::pings_without_end_are_closed_and_nobody_waits_for_them"
    " inbound::what_gets_no_answer_counts_as_well",
    "URL of HTTP": "unreadable::an_http_client_sees_a_long_url_refused",
    "parameters in a URL": "unfinished::a_url_has_so_many_parameters_and_no_more",
    "bytes of the parameters": "unfinished::an_upgrade_has_parameters_of_a_few_kilobytes_and_no_more",
    "headers of HTTP": "unreadable::it_is_answered_in_json_and_neither_repeated_nor_logged"
    " unfinished::headers_that_are_too_long_together_get_431_and_the_connection_ends"
    " unfinished::a_head_without_end_is_refused_before_it_is_whole",
    "size of a request": "limits::a_message_too_big_is_refused_and_one_far_too_big_ends_the_connection"
    " inbound::a_compressed_message_that_unfolds_beyond_the_limit_is_closed_with_1009",
    "bytes of requests over WebSocket": "unfinished::requests_without_end_are_bounded_and_nobody_else_notices",
    "symbols of one connection": "limits::a_subscription_that_comes_to_too_many_symbols_changes_nothing",
    "different rates of": "paced::a_connection_has_so_many_different_rates",
    "symbols times channels with `latest`, of all connections of one address": "paced::one_address_cant_have_all_of_it",
    "symbols times channels with": "paced::there_is_a_limit_to_what_all_have_at_a_pace",
    "characters of a pattern": "bad_input::a_request_that_cant_be_done_is_answered_and_nothing_changes",
    "entries of one request": "bad_input::a_request_that_cant_be_done_is_answered_and_nothing_changes",
    "unread bytes of plain answers": "unread_answers::of_too_much_that_is_unread_who_has_waited_longest_goes_first",
    "unread bytes": "slow_clients::over_the_hard_limit_or_behind_for_too_long_a_client_is_evicted",
}

SLOW = {
    "soft limit": "slow_clients::who_pauses_gets_the_newest_of_each_with_what_was_merged_and_is_live_again",
    "low-water mark": "slow_clients::who_pauses_gets_the_newest_of_each_with_what_was_merged_and_is_live_again",
    "hard limit": "slow_clients::over_the_hard_limit_or_behind_for_too_long_a_client_is_evicted",
    "no-progress time": "slow_clients::who_never_reads_is_evicted_and_the_others_get_everything"
    " unread_answers::who_reads_nothing_of_an_answer_is_cut_off",
    "soft seconds": "slow_clients::over_the_hard_limit_or_behind_for_too_long_a_client_is_evicted"
    " unread_answers::who_sips_is_cut_off_when_the_time_is_up",
}

_ANSWERED = "bad_input::a_request_that_cant_be_done_is_answered_and_nothing_changes"

ERRORS = {
    "invalid_json": "bad_input::what_isnt_json_is_answered_with_the_place",
    "invalid_utf8": "bad_input::text_that_isnt_utf8_is_answered_and_closed_with_1007",
    "binary_frame": "bad_input::a_binary_message_is_answered_and_nothing_changes",
    "message_too_big": _ANSWERED,
    "invalid_request": _ANSWERED,
    "unknown_action": _ANSWERED,
    "missing_field": _ANSWERED,
    "unknown_field": _ANSWERED,
    "invalid_value": _ANSWERED,
    "unknown_symbol": _ANSWERED,
    "unknown_channel": _ANSWERED,
    "too_many_symbols": _ANSWERED,
    "rate_limited": "limits::one_request_too_many_gets_an_error_with_its_id",
    "unauthorized": "auth::before_it_everything_else_is_refused_and_the_connection_lives",
    "invalid_token": "auth::a_wrong_token_ends_the_connection",
    "auth_not_configured": _ANSWERED,
    "too_many_errors": "bad_input::a_hundred_malformed_requests_in_a_row_are_closed_with_1008",
}

HTTP = {
    "invalid_request": "unreadable::it_is_answered_in_json_and_neither_repeated_nor_logged"
    " upgrade::a_key_that_is_none_gets_400",
    "unauthorized": "auth::paths_with_data_want_the_token",
    "invalid_token": "auth::a_wrong_one_ends_the_upgrade",
    "forbidden_origin": "origins::a_page_from_elsewhere_gets_403",
    "forbidden_host": "origins::a_name_that_was_made_to_lead_here_gets_403",
    "not_found": "rest::a_path_that_there_isnt_is_named",
    "unknown_session": "plants::an_unknown_session_is_told_with_the_known_ones",
    "method_not_allowed": "server::the_websockets_path_without_an_upgrade_says_what_it_is",
    "request_timeout": "limits::who_says_nothing_or_half_a_request_gets_408",
    "uri_too_long": "unreadable::an_http_client_sees_a_long_url_refused",
    "upgrade_required": "upgrade::another_version_gets_426_with_the_one_that_is_spoken",
    "rate_limited": "limits::an_aiohttp_client_sees_the_same_over_one_connection",
    "too_many_from_address": "limits::one_address_has_its_own_limit",
    "headers_too_large": "unreadable::it_is_answered_in_json_and_neither_repeated_nor_logged",
    "internal_error": "unreadable::an_error_inside_the_server_is_logged_and_told_as_json",
    "stopping": "upgrade::an_upgrade_while_the_server_stops_gets_503",
    "too_many_connections": "limits::one_connection_too_many_is_told_so_and_when_to_come_back",
}

CLOSES = {
    "1000": "server::a_client_that_closes_is_answered_and_forgotten",
    "1001": "server::stopping_closes_every_connection_with_1001",
    "1002": "bad_input::a_frame_that_breaks_the_standard_is_closed_with_1002"
    " inbound::a_frame_that_isnt_masked_is_closed_with_1002_after_what_came_before",
    "1006": "dead_peers::who_doesnt_answer_a_ping_is_cut_off_and_forgotten",
    "1007": "bad_input::a_library_sees_the_close_codes_too",
    "1008": "bad_input::a_library_sees_the_close_codes_too",
    "1009": "bad_input::a_message_of_5_mib_isnt_read_and_closed_with_1009",
    "1011": "server::an_error_inside_the_server_closes_one_connection_with_1011",
    "1012": "plants::a_reset_touches_one_session_only",
}


def named(rows: dict[str, str]) -> list[str]:
    return [name for names in rows.values() for name in names.split()]


@pytest.mark.parametrize(
    "name", sorted({n for table in (LIMITS, SLOW, ERRORS, HTTP, CLOSES) for n in named(table)})
)
def test_the_test_is_there(name: str) -> None:
    module, function = name.split("::")
    tree = ast.parse((TESTS / f"test_{module}.py").read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    assert f"test_{function}" in {node.name for node in tree.body if isinstance(node, kinds)}


def test_every_limit_of_the_document_is_in_the_table() -> None:
    rows = first_cells(section("Limits"))
    assert len(rows) == len(LIMITS)
    for row, limit in zip(rows, LIMITS, strict=True):
        assert row.startswith(limit)


def test_every_limit_of_slow_consumers_is_in_the_table() -> None:
    assert first_cells(section("Slow consumers")) == list(SLOW)


def test_every_refusal_of_the_document_is_in_the_table() -> None:
    assert [code.strip("`") for code in first_cells(section("Errors"))] == list(ERRORS)
    assert first_cells(section("Close codes")) == list(CLOSES)
    rows = re.findall(r"^\| `(\w+)` \| \d{3} \|", section("HTTP"), re.MULTILINE)
    assert rows == list(HTTP)
