"""The size of the benches' batches, which is small in a smoke test."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pixels", type=int, default=1 << 23, help="pixels of a batch to score or label")


@pytest.fixture
def pixels(request: pytest.FixtureRequest) -> int:
    """8 Mi by default: 8 MiB of uint8 or 32 MiB of float32, more than the second-level cache of any core."""
    given: int = request.config.getoption("pixels")
    return given
