"""What is under way."""

import pytest

from feeds.engine.underway import Underway


def test_it_is_under_way_until_all_have_ended() -> None:
    underway = Underway()
    assert not underway
    with underway:
        with underway:
            assert underway
        assert underway
    assert not underway


def test_what_fails_is_not_under_way_any_more() -> None:
    underway = Underway()
    with pytest.raises(KeyError), underway:
        raise KeyError
    assert not underway
