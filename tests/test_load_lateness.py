"""How late a load generator's own event loop is."""

from __future__ import annotations

import asyncio

from clients.loadgen.lateness import LOOK_S, Lateness


def test_it_is_the_worst_hundredth() -> None:
    """Two of a hundred looks were late; one alone is an outlier. To be early is not to be late."""
    lateness = Lateness()
    assert lateness.p99_ms() == 0.0
    for late_s in [-0.001] * 98 + [0.020]:
        lateness.look(late_s)
    assert lateness.p99_ms() == 20.0, "of less than a hundred, the worst"
    for _ in range(98):
        lateness.look(0.001)
    assert lateness.p99_ms() == 1.0
    lateness.look(0.030)
    lateness.look(0.030)
    assert lateness.p99_ms() == 30.0


def test_it_looks_until_it_is_cancelled() -> None:
    """By the timer that it was given: here one on which each sleep takes 5 ms too long."""

    async def look() -> float:
        now = 0.0

        def timer() -> float:
            nonlocal now
            now += LOOK_S + 0.005
            return now

        enough = asyncio.Event()

        class Counting(Lateness):
            def look(self, late_s: float) -> None:
                super().look(late_s)
                if len(self._late_s) == 3:
                    enough.set()

        lateness = Counting(timer)
        task = asyncio.create_task(lateness.run())
        await enough.wait()
        task.cancel()
        return lateness.p99_ms()

    assert asyncio.run(look()) == 5.0
