"""Metric families in Prometheus's shape, made from plain numbers and our histograms."""

from collections.abc import Mapping

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeHistogramMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.utils import floatToGoString

from feeds.counters.histogram import AgeHistogram, Histogram

__all__ = ["PREFIX", "counter", "counters", "gauge", "gauges", "histogram", "info", "spread"]

PREFIX = "tickerplant_"
"""What every name begins with."""


def gauge(name: str, text: str, value: float) -> Metric:
    """Give what goes up and down."""
    return GaugeMetricFamily(PREFIX + name, text, value)


def gauges(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Give what goes up and down, by a label."""
    family = GaugeMetricFamily(PREFIX + name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def counter(name: str, text: str, value: float) -> Metric:
    """Give what only goes up; Prometheus adds ``_total``."""
    return CounterMetricFamily(PREFIX + name, text, value)


def counters(name: str, text: str, label: str, values: Mapping[str, float]) -> Metric:
    """Give what only goes up, by a label."""
    family = CounterMetricFamily(PREFIX + name, text, labels=(label,))
    for key, value in values.items():
        family.add_metric((key,), value)
    return family


def histogram(name: str, text: str, values: Histogram | AgeHistogram) -> Metric:
    """Give a distribution of all values since the start."""
    return HistogramMetricFamily(
        PREFIX + name, text, buckets=_buckets(values), sum_value=values.sum
    )


def spread(name: str, text: str, values: Histogram) -> Metric:
    """Give a distribution of values as they are now, which may fall too."""
    return GaugeHistogramMetricFamily(PREFIX + name, text, _buckets(values), values.sum)


def info(name: str, text: str, about: dict[str, str]) -> Metric:
    """Give facts, as labels of a 1; Prometheus adds ``_info``."""
    return InfoMetricFamily(PREFIX + name, text, about)


def _buckets(values: Histogram | AgeHistogram) -> list[tuple[str, float]]:
    names = map(floatToGoString, (*values.bounds, float("inf")))
    return list(zip(names, map(float, values.cumulative()), strict=True))
