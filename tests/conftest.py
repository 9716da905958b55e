"""What all tests share: property tests draw the same examples in every run, however slow the machine is."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "tickerplant",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("tickerplant")
