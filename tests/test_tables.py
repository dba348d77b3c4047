"""The table of metrics: labels and formats of every metric that is computed."""

import math

from reggan.metrics import METRICS, REFERENCE_METRICS
from reggan.presets import preset
from reggan.tables import METRIC_TABLE, Metric, cell, describe, order


def test_what_is_undefined_is_a_dash():
    assert cell(0.25, ".1%") == "25.0%"
    assert cell(2, ".3f") == "2.000"
    assert cell(math.nan, ".3f") == cell(None, ",.0f") == "–"


def test_values_have_the_format_of_their_metric():
    assert describe("ink").cell(0.25) == "25.0%"
    assert describe("modes").cell(8.0) == "8"
    assert describe("memorizes").cell(True) == "yes"
    assert describe("memorizes").cell(False) == "no"
    assert describe("frechet").cell(math.nan) == describe("frechet").cell(None) == "–"


def test_every_metric_is_in_the_table_with_a_label_of_its_own():
    assert METRICS.keys() | REFERENCE_METRICS.keys() <= METRIC_TABLE.keys()
    assert len({metric.label for metric in METRIC_TABLE.values()}) == len(METRIC_TABLE)
    for name in METRIC_TABLE:
        assert order(["zebra", name, "ant"]) == [name, "ant", "zebra"]


def test_the_metrics_of_progress_are_in_the_table():
    configs = (preset("quick", "dcgan"), preset("pairs", "cyclegan"), preset("points", "gan"))
    for config in configs:
        assert set(config.modality.progress_metrics) <= METRIC_TABLE.keys()


def test_an_unknown_metric_is_labeled_by_its_name():
    assert describe("some_metric") == Metric("some metric", form=".4g")
