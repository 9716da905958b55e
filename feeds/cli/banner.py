"""What ``tickerplant serve`` says when it is ready."""

import json
import os
from datetime import UTC, datetime, timedelta

from feeds.server import FeedServer
from ticker import __version__
from ticker.trading_day.sessions import new_york_offset_s, session_at

__all__ = ["banner", "ready_line"]


def ready_line(server: FeedServer) -> str:
    """Give the line of JSON that says where it is served."""
    ready = {
        "event": "ready",
        "url": server.url,
        "ws": server.ws_url,
        "port": server.port,
        "seed": server.config.seed,
        "pid": os.getpid(),
        "version": __version__,
    }
    if server.config.control:
        ready["control"] = f"{server.url}/control"
    if server.tls is not None and server.tls.certificate is not None:
        ready["certificate"] = server.tls.certificate
    return json.dumps(ready, separators=(",", ":"))


def banner(server: FeedServer) -> str:
    """Give the same for people."""
    config, symbols = server.config, len(server.plant.market.universe)
    page = server.url + "/" if config.web_root else "(not installed)"
    fingerprint = server.tls and server.tls.fingerprint
    made = f"  certificate of this run, SHA-256\n    {fingerprint}\n" if fingerprint else ""
    driven = f"  control    {server.url}/control\n" if config.control else ""
    reached = f"  listens    on all addresses of this machine ({server.everywhere})\n"
    reached = reached if server.everywhere else ""
    noun = "symbol" if symbols == 1 else "symbols"
    pace = f"{config.rate * symbols:,.0f} events a second on average"
    pace += "" if config.clock == "wall" else " of its own time"
    what = (
        f"{symbols} invented {noun}, {pace}, seed {config.seed}"
        if config.replay is None
        else f"{symbols} {noun} of {config.replay.path}"
    )
    return (
        f"tickerplant {__version__}: {what}, clock {server.plant.clock.name}\n"
        f"{_session(server)}"
        f"  page       {page}\n"
        f"  websocket  {server.ws_url}\n{driven}{reached}{made}"
        "Ctrl-C stops it."
    )


def _session(server: FeedServer) -> str:
    """Tell the session that is, and until when, of a market that has them: who starts one at night sees nothing move."""
    if server.plant.market.rules == "open":
        return ""
    session = session_at(server.plant.market.now_us // 1_000_000)
    until = datetime.fromtimestamp(session.end_s, UTC)
    local = until + timedelta(seconds=new_york_offset_s(session.end_s))
    return (
        f"  session    {session.status} until {until:%a %Y-%m-%d %H:%M} UTC,"
        f" {local:%H:%M} in New York\n"
    )
