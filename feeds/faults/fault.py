"""One fault as a value: what, whom it hits, when, and how often. Checked when it is made."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from typing import Any, Self

from feeds.errors import CommandError
from feeds.faults.kinds import KINDS, Kind, Layer

__all__ = ["TRIGGERS", "Fault", "FaultError", "unknown_fault"]

TRIGGERS = ("connect", "subscribe", "unsubscribe", "snapshot", "symbols", "ping", "auth")
"""What ``on`` may be: a client that connects, or a request's action."""


class FaultError(CommandError):
    """A fault isn't allowed as it was asked for; the message names what is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """
    One fault. Without a target, it hits everybody; without a trigger, from now on; without ``times``, until cleared.

    Use :meth:`make`, which sorts out parameters and the fields here.

    Raises:
        FaultError: something isn't allowed; the message names it, and what is.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    """All parameters of its kind."""
    client: int | None = None
    """Target: the id of one open connection."""
    nth: int | None = None
    """Target: the nth connection after now, from 1; every try counts, over WebSocket."""
    symbol: str | None = None
    """Target: events of this symbol only. For what is done to connections: count only these with ``after``."""
    after: int | None = None
    """Trigger: how many are let through first: events of the target, or, for handshakes, attempts."""
    at: int | None = None
    """Trigger: the market's time, in microseconds, has been reached."""
    on: str | None = None
    """Trigger: one of :data:`TRIGGERS`, after now."""
    times: int | None = None
    """How often it strikes. What is done to a connection once strikes once, unless told otherwise."""
    probability: float = 1.0
    """How likely it is to strike where it can."""
    seed: int = 0
    """Of the draws. The same seed decides alike in every run, whoever is connected."""

    @classmethod
    def make(cls, name: str, **values: Any) -> Self:
        """
        Make a fault of a name, parameters and fields, all by name.

        Raises:
            FaultError: a name is unknown, or a value isn't allowed.
        """
        kind = _kind(name)
        own = {key: values.pop(key) for key in list(values) if key in kind.parameters}
        for key in values:
            if key not in _FIELDS:
                known = ", ".join([*kind.parameters, *_FIELDS])
                raise FaultError(f"fault {name!r} has no {key!r}; it has {known}")
        return cls(name=name, params=own, **values)

    def __post_init__(self) -> None:
        kind = _kind(self.name)
        for key, value in self.params.items():
            parameter = kind.parameters.get(key)
            if parameter is None:
                known = ", ".join(kind.parameters) or "none"
                raise FaultError(f"fault {self.name!r} has no {key!r}; its parameters: {known}")
            if not parameter.check(value):
                raise FaultError(f"{self.name}: {key} {value!r} must be {parameter.allowed}")
        defaults = {key: parameter.default for key, parameter in kind.parameters.items()}
        object.__setattr__(self, "params", defaults | dict(self.params))
        for key in ("client", "nth", "after", "at", "times"):
            value = getattr(self, key)
            least = 0 if key == "at" else 1
            if value is not None and (type(value) is not int or value < least):
                raise FaultError(
                    f"{self.name}: {key} {value!r} must be a whole number from {least}"
                )
        if type(self.probability) not in (int, float) or not 0 <= self.probability <= 1:
            raise FaultError(f"{self.name}: probability {self.probability!r} must be from 0 to 1")
        if type(self.seed) is not int:
            raise FaultError(f"{self.name}: seed {self.seed!r} must be a whole number")
        self._check_trigger(kind.layer)
        self._check_target(kind.layer)

    @property
    def layer(self) -> Layer:
        """Where it strikes."""
        return KINDS[self.name].layer

    def as_dict(self) -> dict[str, Any]:
        """Give it as an object for JSON: name, parameters, and the fields that were set."""
        shown = {key: getattr(self, key) for key in _FIELDS}
        shown = {key: v for key, v in shown.items() if v != _DEFAULTS[key]}
        return {"name": self.name, **self.params, **shown}

    def __str__(self) -> str:
        values = ", ".join(f"{k}={v!r}" for k, v in self.as_dict().items() if k != "name")
        return f"{self.name}({values})"

    def _check_trigger(self, layer: Layer) -> None:
        given = [key for key in ("after", "at", "on") if getattr(self, key) is not None]
        if len(given) > 1:
            raise FaultError(f"{self.name}: {' and '.join(given)}: one trigger is allowed")
        allowed = _WHEN[layer]
        for key in given:
            if key not in allowed:
                known = " or ".join(allowed) or "nothing"
                raise FaultError(f"{self.name} can't wait for {key!r}; it can for {known}")
        if self.on is not None and self.on not in TRIGGERS:
            raise FaultError(
                f"{self.name}: on={self.on!r}: unknown; known are {', '.join(TRIGGERS)}"
            )

    def _check_target(self, layer: Layer) -> None:
        allowed = _WHOM[layer]
        given = [k for k in ("client", "nth", "symbol") if getattr(self, k) is not None]
        for key in given:
            if key not in allowed:
                known = ", ".join(allowed)
                raise FaultError(
                    f"{self.name} can't be aimed at a {key!r}; its target is {known}, or all"
                )
        if self.name == "epoch_change" and self.symbol is not None:
            raise FaultError("epoch_change can't be aimed at a 'symbol'; it hits everybody")
        if self.client is not None and self.nth is not None:
            raise FaultError(f"{self.name}: client and nth: one connection is allowed")
        if layer is Layer.MARKET and (self.times is not None or self.probability != 1):
            raise FaultError(f"{self.name} happens once: it has no times and no probability")
        if self.client is not None and self.on == "connect":
            raise FaultError(f"{self.name}: client {self.client} has connected already; give nth")
        counted = layer in (Layer.EVENT, Layer.MARKET) or self.after is not None
        if self.symbol is not None and not counted:
            raise FaultError(f"{self.name}: symbol is what to count, so after is needed with it")


_WHEN: Mapping[Layer, tuple[str, ...]] = {
    Layer.HANDSHAKE: ("after", "at"),
    Layer.REQUEST: ("after", "at"),
    Layer.COMMAND: ("after", "at", "on"),
    Layer.LASTING: ("after", "at", "on"),
    Layer.EVENT: ("after", "at"),
    Layer.MARKET: ("at",),
}
_WHOM: Mapping[Layer, tuple[str, ...]] = {
    Layer.HANDSHAKE: ("nth",),
    Layer.REQUEST: ("client", "nth"),
    Layer.COMMAND: ("client", "nth", "symbol"),
    Layer.LASTING: ("client", "nth", "symbol"),
    Layer.EVENT: ("client", "nth", "symbol"),
    Layer.MARKET: ("symbol",),
}
_DEFAULTS = {f.name: f.default for f in fields(Fault) if f.name not in ("name", "params")}
_FIELDS = tuple(_DEFAULTS)


def _kind(name: str) -> Kind:
    if name in KINDS:
        return KINDS[name]
    raise FaultError(unknown_fault(name))


def unknown_fault(name: str) -> str:
    """Tell that there is no fault of a name, and which one was meant."""
    near = get_close_matches(name, KINDS, 1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    return f"unknown fault {name!r}; {hint}the faults are {', '.join(KINDS)}"
