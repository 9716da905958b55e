"""Errors carry their data, and all of them are one family."""

import pytest

from feeds.errors import CloseCode, Code, ConfigError, FeedError, RequestError


def test_a_request_error_carries_what_goes_over_the_wire() -> None:
    error = RequestError(Code.UNKNOWN_SYMBOL, "unknown symbol 'APPL'", 7)
    assert (error.code, error.message, error.request_id) == (
        "unknown_symbol",
        "unknown symbol 'APPL'",
        7,
    )
    assert str(error) == "unknown symbol 'APPL'"
    assert RequestError(Code.INVALID_JSON, "x").request_id is None


@pytest.mark.parametrize("error", [RequestError(Code.INVALID_JSON, "x"), ConfigError("x")])
def test_every_error_can_be_caught_as_one_of_the_feeds(error: Exception) -> None:
    with pytest.raises(FeedError):
        raise error


def test_a_config_error_is_a_value_error_too() -> None:
    assert issubclass(ConfigError, ValueError)


def test_codes_are_lower_case_words() -> None:
    assert all(code.value == code.name.lower() for code in Code)


def test_close_codes_are_those_that_a_server_may_send() -> None:
    """1005, 1006 and 1015 must not be sent (RFC 6455, section 7.4.1); 1012 and 1013 came later (IANA's registry)."""
    assert {int(code) for code in CloseCode} <= {1000, 1001, 1002, 1003, *range(1007, 1014)}
