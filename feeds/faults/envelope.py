"""The envelope of a connection whose messages faults look into: the same framing as before, around other events."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson

from feeds.faults.fault import Fault
from feeds.faults.mangle import Mangler, cut, identify
from feeds.faults.plan import Event
from feeds.wire.envelope import Envelope, Stateless
from feeds.wire.transport import Data

__all__ = ["Tap"]

_join = b"".join


class Tap(Stateless):
    """
    Stands before the envelope of one connection. About 3 us an event, where a message without costs a copy.

    Args:
        inner: what frames the messages.
        judge: gives the faults that strike an event; called once for each, with what tells whether a fault fits it.
        counted: told of each event that goes out; tells whether that was the last one for now.
    """

    number = 1

    def __init__(
        self,
        inner: Envelope,
        judge: Callable[[Event, Callable[[Fault], bool]], list[Fault]],
        counted: Callable[[Event], bool],
    ) -> None:
        self.inner = inner
        self._judge, self._counted = judge, counted
        self._mangler = Mangler()
        self._deferred: list[Data] | None = None

    def seal(self, pieces: Iterable[bytes]) -> Data:
        """Make one message, or several, or none."""
        array = _join(pieces)
        return self._pass(array[:-1] + b"]", whole=True) if len(array) > 1 else b""

    def wrap(self, payload: bytes, *, whole: bool = True) -> Data:
        """Likewise."""
        return self._pass(payload, whole=whole)

    def deferred(self) -> list[Data]:
        """Give what came after the last event that was let out, and let the next ones out again."""
        messages, self._deferred = self._deferred or [], None
        return messages

    def release(self) -> Data:
        """Give what faults had held back, as a message, before it is used no more."""
        items = [orjson.dumps(item) for item in self._mangler.release()]
        return self.inner.wrap(b"[" + b",".join(items) + b"]") if items else b""

    def _pass(self, array: bytes, *, whole: bool) -> Data:
        out: list[Data] = []
        objects: list[bytes] = []
        broken = False
        for raw in cut(array):
            item = orjson.loads(raw)
            event = identify(item)
            if event is None:
                objects.append(raw)
                continue
            faults = self._judge(event, partial(self._fits, item))
            items = self._mangler.passes(item, faults)
            objects += [raw] if items is None else map(orjson.dumps, items)
            broken = broken or any(fault.name == "invalid_json" for fault in faults)
            if self._counted(event):
                self._put(out, objects, broken=broken, whole=False)
                objects, broken = [], False
                self._deferred = self._deferred or []
        self._put(out, objects, broken=broken, whole=whole)
        return _join(out)

    def _fits(self, item: dict[str, Any], fault: Fault) -> bool:
        return self._mangler.fits(fault, item)

    def _put(self, out: list[Data], objects: list[bytes], *, broken: bool, whole: bool) -> None:
        if not objects:
            return
        array = b"[" + b",".join(objects) + b"]"
        data = self.inner.wrap(array[:-2] if broken else array, whole=whole)
        (out if self._deferred is None else self._deferred).append(data)
