"""What every test shares: the oracles' folder on the path, and reproducible property tests.

`HYPOTHESIS_PROFILE=explore pytest` looks at new examples instead of the same ones each time.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import settings

sys.path.insert(0, str(Path(__file__).parent))

settings.register_profile("fixed", derandomize=True, deadline=None, database=None, max_examples=100)
settings.register_profile("explore", deadline=None, database=None, max_examples=2000, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fixed"))


@pytest.fixture
def in_short(monkeypatch):
    """Evaluations of few resamples, renders and pairs: what they give is tested in test_judging.py."""
    from reggan.metrics import bootstrap, parameters
    from reggan.modalities import PairModality, pairs

    monkeypatch.setattr(bootstrap, "_RESAMPLES", 10)
    monkeypatch.setattr(parameters, "_RENDERS", 500)
    monkeypatch.setattr(PairModality, "num_summary", 40)
    monkeypatch.setattr(pairs, "_REFERENCES", 40)
    parameters._estimator.cache_clear()
    yield
    parameters._estimator.cache_clear()
