"""One cell of the table: one row, one scenario, one round."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.clients import close_all, open_all
from bench.load import EVERYTHING, MARKER, Scenario
from bench.process import Child, Cores, Usage, usage
from bench.rows import Row
from bench.tools import Tools
from bench.witness import examine

__all__ = ["Cell", "Pace", "measure"]

_START_TIMEOUT_S = 30.0
_SPARE_TIME_S = 10.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How long to warm up, and how long to count."""

    warm_up: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Cell:
    """What was measured, or why not."""

    row: str
    round: int
    error: str | None = None
    rate: float = 0.0
    """Events delivered a second, of all clients together."""
    events: int = 0
    bytes: int = 0
    reads: int = 0
    wall: float = 0.0
    server_cpu: float = 0.0
    """Share of its core that the server used."""
    client_cpu: float = 0.0
    server_waited: float = 0.0
    """Share of the time for which the server could have run, but something else had its core."""
    client_waited: float = 0.0
    server_peak_mb: float = 0.0
    """The most memory that the server ever had."""
    least: int = 0
    """Events that the client with the fewest got."""
    most: int = 0
    gone: int = 0
    """Connections that ended while they were being measured."""
    bytes_per_event: float = 0.0

    def to_json(self) -> dict[str, object]:
        """Return the fields, without what doesn't apply."""
        if self.error is not None:
            return {"row": self.row, "round": self.round, "error": self.error}
        return {key: value for key, value in asdict(self).items() if key != "error"}


def measure(
    row: Row, scenario: Scenario, number: int, tools: Tools, cores: Cores, pace: Pace
) -> Cell:
    """Measure one row once; whatever goes wrong is the cell's error."""
    if row.needs and row.needs in tools.missing:
        return Cell(row.key, number, error=tools.missing[row.needs])
    words = tools.words(scenario)
    command = [part.format(**words) for part in row.command]
    try:
        with Child(command, cores.server) as server:
            return _serve(row, scenario, number, server, tools.drain, cores, pace)
    except (OSError, RuntimeError, ValueError) as error:
        return Cell(row.key, number, error=f"{type(error).__name__}: {error}")


def _serve(
    row: Row,
    scenario: Scenario,
    number: int,
    server: Child,
    drain: Sequence[str],
    cores: Cores,
    pace: Pace,
) -> Cell:
    port = int(server.read_json(_START_TIMEOUT_S)["port"])
    names = row.names(port) if row.names else scenario.names()
    if len(names) < scenario.symbols:
        raise ValueError(f"the server has {len(names)} symbols, not {scenario.symbols}")
    wanted = [_wanted(scenario, client, names) for client in range(scenario.clients)]
    clients = open_all(port, row.dialect, wanted)
    try:
        seen = examine(clients[0], row.dialect, _as_set(wanted[0]))
        fds = [client.fileno() for client in clients]
        command = [*drain, str(pace.warm_up), str(pace.seconds), MARKER.decode()]
        with Child([*command, *map(str, fds)], cores.client, pass_fds=fds) as client:
            client.read_json(pace.warm_up + _SPARE_TIME_S)
            before = usage(server.pid, cores.server), usage(client.pid, cores.client)
            counts = client.read_json(pace.seconds + _SPARE_TIME_S)
            after = usage(server.pid, cores.server), usage(client.pid, cores.client)
            peak = _peak_mb(server.pid)
    finally:
        close_all(clients)
    return _cell(row, number, counts, before, after, peak, seen.bytes_per_event)


def _cell(
    row: Row,
    number: int,
    counts: dict[str, float],
    before: tuple[Usage, Usage],
    after: tuple[Usage, Usage],
    peak: float,
    bytes_per_event: float,
) -> Cell:
    server_cpu, server_waited = after[0].since(before[0])
    _, client_waited = after[1].since(before[1])
    wall = counts["wall"]
    return Cell(
        row=row.key,
        round=number,
        rate=counts["events"] / wall,
        events=int(counts["events"]),
        bytes=int(counts["bytes"]),
        reads=int(counts["reads"]),
        wall=wall,
        server_cpu=server_cpu,
        client_cpu=counts["cpu"] / wall,
        server_waited=server_waited,
        client_waited=client_waited,
        server_peak_mb=peak,
        least=int(counts["least"]),
        most=int(counts["most"]),
        gone=int(counts["gone"]),
        bytes_per_event=bytes_per_event,
    )


def _wanted(scenario: Scenario, client: int, names: Sequence[str]) -> str | list[str]:
    picks = scenario.picks(client)
    return EVERYTHING if picks is None else [names[index] for index in picks]


def _as_set(wanted: str | list[str]) -> frozenset[str] | None:
    return None if isinstance(wanted, str) else frozenset(wanted)


def _peak_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
