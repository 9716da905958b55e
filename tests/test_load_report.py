"""The report of a load test."""

from clients.loadgen.report import Latency, merge
from clients.loadgen.swarm import Result
from clients.loadgen.tally import Traffic, new_histogram


def encoded(*late_us: int) -> bytes:
    histogram = new_histogram()
    for late in late_us:
        histogram.record_value(late)
    return bytes(histogram.encode())


MERGED = Traffic(1000, 20_000, 2_200_000, merged_events=3, merged=30)


def result(**changes: object) -> Result:
    figures: dict[str, object] = {
        "connected": 50,
        "connect_s": 0.5,
        "duration_s": 10.0,
        "traffic": Traffic(1000, 20_000, 2_200_000),
        "cpu_percent": 40.0,
        "late_ms": 0.3,
        "histogram": encoded(*range(1000, 2000)),
    }
    return Result(**(figures | changes))  # type: ignore[arg-type]


def test_figures_of_processes_add_up() -> None:
    """Rates are those of all together, times those of the slowest, percentiles those of all samples."""
    one = result(failures={"HTTP status 503": 2}, lost={"1006": 1}, traffic=MERGED)
    two = result(connect_s=0.8, cpu_percent=60.0, failures={"HTTP status 503": 1}, histogram=b"")
    report = merge([one, two], clients=103)
    figures = report.as_dict()
    assert (report.connected, report.clients) == (100, 103)
    assert report.failures == {"HTTP status 503": 3}
    assert report.lost == {"1006": 1}
    assert (report.connect_s, report.cpu_percent, report.processes) == (0.8, 60.0, 2)
    assert figures["connects_per_s"] == 125.0
    assert figures["deliveries_per_s"] == 4000.0
    assert figures["bytes_per_event"] == 110.0
    assert figures["events_per_frame"] == 20.0
    assert figures["warnings"] == ()
    assert report.latency_us == Latency(1499, 1899, 1989, 1998, 1999, 1000)


def test_the_report_is_readable() -> None:
    """The whole of it, as it is printed."""
    one = result(lost={"1006": 2}, traffic=MERGED)
    assert merge([one], clients=50).lines() == [
        "connections  50 of 50, 100 a second",
        "             0 failed, 2 lost",
        "deliveries   2,000 a second, for 10.0 s",
        "frames       100 a second, 20.0 events each",
        "bytes        0.2 MB a second, 110.0 an event",
        "latency      p50 1.5  p90 1.9  p99 2.0  p99.9 2.0  max 2.0 ms  (1,000 samples)",
        "merged       30 events into 3",
        "own CPU      40 % of a core; p99 0.3 ms late",
        "lost         2 x close code 1006",
    ]


def test_failures_and_processes_are_told() -> None:
    """With their reasons."""
    report = merge([result(failures={"HTTP status 503": 2}), result()], clients=102)
    assert "failed       2 x HTTP status 503" in report.lines()
    line = "own CPU      40 % of a core, the busiest of 2 processes; p99 0.3 ms late"
    assert line in report.lines()


def test_a_busy_load_generator_warns_that_it_measured_itself() -> None:
    """Above 90 % of a core."""
    assert not merge([result(cpu_percent=90.0)], clients=50).warnings
    (warning,) = merge([result(cpu_percent=97.2)], clients=50).warnings
    assert warning.startswith("the load generator used 97 % of a core: it may have been the bottle")
    assert merge([result(cpu_percent=97.2)], clients=50).lines()[-1] == f"warning: {warning}"


def test_a_late_load_generator_warns_that_latencies_are_partly_its_own() -> None:
    """Above a quarter of the 99th percentile, in any of its processes; without latencies there is nothing to doubt."""
    assert not merge([result(late_ms=0.49)], clients=50).warnings
    (warning,) = merge([result(), result(late_ms=0.51)], clients=100).warnings
    assert warning.startswith("the load generator was 0.5 ms late itself at p99, and so much of")
    assert not merge([result(late_ms=9.0, histogram=b"")], clients=50).warnings


def test_rates_of_a_machine_that_others_keep_busy_are_doubted() -> None:
    """Where nothing has a latency: late with a core of its own left over, the load generator didn't get that core."""
    starved = {"late_ms": 94.7, "histogram": b""}
    (warning,) = merge([result(**starved, cpu_percent=8.0)], clients=50, timed=False).warnings
    assert warning.startswith("the load generator was 94.7 ms late at p99, with 8 % of a core: ")
    assert not merge([result(**starved, cpu_percent=60.0)], clients=50, timed=False).warnings


def test_without_a_wall_clock_there_is_no_latency() -> None:
    """A scaled or manual clock is told by what the samples say."""
    report = merge([result(insane=5000)], clients=50)
    assert report.latency_us is None
    assert "latency      n/a: only events of the wall clock have an age" in report.lines()
    assert report.warnings == (
        "no latency: the feed does not run on the wall clock, or this machine's clock is off",
    )
    assert merge([result(insane=5000)], clients=50, timed=False).warnings == (), "it is known"


def test_a_test_without_events_divides_by_nothing() -> None:
    """All zero, and no warning about clocks."""
    report = merge([Result()], clients=10)
    assert report.latency_us is None
    assert report.warnings == ()
    assert report.as_dict()["bytes_per_event"] == 0.0
    assert report.deliveries_per_s == report.connects_per_s == 0.0
