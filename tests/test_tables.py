"""Figures as people read them."""

import math

from reggan.tables import cell


def test_what_is_undefined_is_a_dash():
    assert cell(0.25, ".1%") == "25.0%"
    assert cell(2, ".3f") == "2.000"
    assert cell(math.nan, ".3f") == cell(None, ",.0f") == "–"
