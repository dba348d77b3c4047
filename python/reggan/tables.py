"""How metrics are labeled, explained and formatted, in every table and report."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["METRIC_TABLE", "Metric", "cell", "describe", "order"]


def cell(value: float | None, form: str) -> str:
    """A value by its format specification; "–" where it is undefined: NaN, or null in JSON."""
    return "–" if value is None or math.isnan(value) else format(value, form)


@dataclass(frozen=True)
class Metric:
    """How the values of a metric are presented."""

    label: str
    about: str = ""
    """What it is, in which unit, and which values are good."""
    form: str = ".3f"
    """Format specification."""

    def cell(self, value: float | None) -> str:
        """The value as text: "yes" or "no" for a bool, "–" where it is undefined."""
        return ("no", "yes")[value] if isinstance(value, bool) else cell(value, self.form)


METRIC_TABLE = {
    "score": Metric("exact score", "mean, from 0 to 1; higher is better"),
    "expected_score": Metric("expected score", "mean score by the recipe's own classifier"),
    "honesty_gap": Metric("honesty gap", "expected score less the exact one; best near 0"),
    "obeying": Metric("obeying", "share of images with a score of 1; higher is better", ".1%"),
    "one_piece": Metric("one piece", "share of images whose ink is a single component", ".1%"),
    "components": Metric("pieces an image", "mean number of components", ".2f"),
    "ink": Metric("ink", "share of pixels that are ink; best near the data's", ".1%"),
    "ink_of_reference": Metric("ink / reference", "best near 1", ".2f"),
    "diversity": Metric("diversity", "mean standard deviation of a pixel, from 0 to 0.5; best near the data's"),
    "copies": Metric("copies", "how much more often a training image is nearest than a held-out one; best near 0"),
    "copies_error": Metric("error of copies", "standard error"),
    "memorizes": Metric("memorizes", "whether the images are copies of training images"),
    "frechet": Metric("Fréchet", "distance of features to the references'; lower is better", ".1f"),
    "kernel": Metric("kernel", "maximum mean discrepancy of features, squared; best near 0"),
    "precision": Metric("precision", "share of images near a reference; higher is better"),
    "recall": Metric("recall", "share of references near an image; higher is better"),
    "density": Metric("density", "references near an image, over those expected; best near 1"),
    "coverage": Metric("coverage", "share of references with an image near them; higher is better"),
    "vendi": Metric("Vendi / reference", "effective number of different images, over the references'", ".2f"),
    "blob_size": Metric("blob size", "distance of its distribution to the references', in pixels; lower is better"),
    "blob_perimeter": Metric("blob perimeter", "the same, in sides of pixels; lower is better"),
    "edge_softness": Metric("edge softness", "the same, in gray pixels for each side of an outline; lower is better"),
    "two_sample_masks": Metric(
        "told apart by masks", "share of masks that a classifier tells from references' masks; 50% is chance", ".1%"
    ),
    "two_sample_gray": Metric(
        "told apart by gray", "share of images that a classifier tells from references; 50% is chance", ".1%"
    ),
    "ks_count": Metric("discs", "distance of estimated numbers of discs to the references'; 0 to 1, best near 0"),
    "ks_radius": Metric("radius", "the same for the discs' mean radius"),
    "ks_blur": Metric("blur", "the same for the standard deviation of the blur"),
    "modes": Metric("modes found", "with a point within three standard deviations; higher is better", ".0f"),
    "reverse_kl": Metric("reverse KL", "of the points' modes to equal parts, in nats; lower is better"),
    "wasserstein": Metric("distance to the data", "Wasserstein-1, in standard deviations of the data; lower is better"),
    "to_first": Metric("Fréchet to the first", "distance of translations to the first kind; lower is better", ".1f"),
    "to_second": Metric("Fréchet to the second", "distance of translations to the second kind; lower is better", ".1f"),
}
"""Metrics of summaries, evaluations and records by name, in the order of the report."""


def describe(name: str) -> Metric:
    """The metric of this name; an unknown one is labeled by its name."""
    return METRIC_TABLE.get(name) or Metric(name.replace("_", " "), form=".4g")


def order(names: Iterable[str]) -> list[str]:
    """Names in the order of METRIC_TABLE, then unknown ones by name."""
    known = list(METRIC_TABLE)
    return sorted(names, key=lambda name: (known.index(name) if name in METRIC_TABLE else len(known), name))
