"""Giving memory back to the system: asked for where the C library can, harmless elsewhere."""

import pytest

from feeds import memory


def test_it_can_be_asked_for_at_any_time() -> None:
    asked = [memory.give_back() for _ in range(3)]
    assert len(set(asked)) == 1


def test_without_glibc_nothing_happens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "_trim", None)
    assert memory.give_back() is False


@pytest.mark.parametrize("error", [AttributeError, OSError, TypeError])
def test_a_system_without_the_call_is_found_out(
    monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    def missing(_: object) -> object:
        raise error

    monkeypatch.setattr(memory.ctypes, "CDLL", missing)
    assert memory._find() is None
