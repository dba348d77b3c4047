"""Metrics on images whose values are known."""

import numpy as np
import pytest

from reggan import RULES
from reggan.metrics import METRICS, summarize

WHITE, BLACK = np.full((1, 4, 4), 255, np.uint8), np.zeros((1, 4, 4), np.uint8)
DOTS = WHITE.copy()
DOTS[0, 0, 0] = DOTS[0, 3, 3] = 0
ALL = np.concatenate([WHITE, BLACK, DOTS])

KNOWN = {
    "components": (0 + 1 + 2) / 3,
    "diversity": (2 * np.std([1, 0, 0]) + 14 * np.std([1, 0, 1])) / 16,
    "ink": (0 + 16 + 2) / 48,
    "one_piece": 1 / 3,
}


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_known_value(name):
    assert METRICS[name](ALL) == pytest.approx(KNOWN[name])


def test_a_summary_holds_the_score_and_every_metric():
    found = summarize(ALL, RULES["connected"])
    assert found.keys() == {"score", *METRICS}
    assert found["score"] == pytest.approx((0 + 1 + 0.5) / 3)


def test_images_that_are_all_the_same_have_no_diversity():
    assert METRICS["diversity"](np.repeat(DOTS, 5, axis=0)) == 0
