"""
For schemathesis, which loads this: what it must not do to the control API, as to wait for minutes or to have a busy market
run for years; and a symbol and a client that are there.
"""

from __future__ import annotations

from typing import Any

import schemathesis

from feeds.control.document import SESSION
from feeds.control.kinds import CHANGES, CLIENT_ID, DURATION, SYMBOL, TIMEOUT
from feeds.control.schema import check
from feeds.errors import RequestError

# Valid values are replaced by harmless ones that are valid, too; what is to be refused stays as it is.
HARMLESS = {
    "timeout": (TIMEOUT, "1ms"),
    "by": (DURATION, "250ms"),
    "duration": (DURATION, "1s"),
    "rate": (CHANGES["rate"], 0),
    "clock": (CHANGES["clock"], "manual"),
    "symbols": (CHANGES["symbols"], 2),
    "symbol": (SYMBOL, "AAPL"),
    "client": (CLIENT_ID, 1),
}
WAITING = ("/control/wait", "/control/sync")
OF_CLIENTS = (*WAITING, "/control/assert_subscribed")


def _valid(value: Any, schema: dict[str, Any]) -> bool:
    try:
        check(value, schema)
    except RequestError:
        return False
    return True


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    body = case.body
    if not isinstance(body, dict):
        return
    if case.operation.path in OF_CLIENTS and _valid((case.query or {}).get("session"), SESSION):
        del case.query["session"]  # in one that is new there would be nobody
    if case.operation.path in WAITING:
        body.setdefault("timeout", "1ms")
    for name, (schema, harmless) in HARMLESS.items():
        if name in body and _valid(body[name], schema):
            body[name] = harmless
