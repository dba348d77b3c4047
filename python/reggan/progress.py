"""Progress of long work: a bar on a terminal, otherwise a line every few seconds; and deferred interrupts."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType

from tqdm import tqdm

from .tables import cell

__all__ = ["Progress", "deferred_interrupt", "interrupted_by_sigterm", "note"]

_SECONDS_BETWEEN_LINES = 10.0


def note(line: str) -> None:
    """Print a line on standard error, above any bar."""
    if sys.stderr is not None:
        tqdm.write(line, file=sys.stderr)


class Progress:
    """Shows the units done, the rate, the time left and a few figures on standard error.

    `total` is None while it is unknown, and can be set later.
    """

    def __init__(self, total: int | None, start: int = 0, *, unit: str = "step", enabled: bool = True) -> None:
        self.total, self.start, self.done, self.unit = total, start, start, unit
        self.began = self.last_line = time.monotonic()
        self.figures = ""
        self.enabled = enabled
        bar = enabled and sys.stderr is not None and sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=start, unit=unit, unit_scale=True, dynamic_ncols=True) if bar else None

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.began

    def show(self, figures: Mapping[str, float | str]) -> None:
        """Set the figures shown with the bar."""
        texts = (f"{name} {value if isinstance(value, str) else cell(value, '.3f')}" for name, value in figures.items())
        self.figures = ", ".join(texts)
        if self.bar is not None:
            self.bar.set_postfix_str(self.figures, refresh=False)

    def advance(self, count: int = 1) -> None:
        """Add finished units."""
        self.done += count
        if self.bar is not None:
            self.bar.total = self.total
            self.bar.update(count)
        elif time.monotonic() - self.last_line >= _SECONDS_BETWEEN_LINES or self.done == self.total:
            self.last_line = time.monotonic()
            self.note(self._line())

    def _line(self) -> str:
        rate = (self.done - self.start) / self.seconds
        line = f"{self.unit} {self.done:,}" + ("" if self.total is None else f"/{self.total:,}")
        line += f", {rate:,.1f} {self.unit}s/s"
        if self.total is not None and rate:
            line += f", {tqdm.format_interval((self.total - self.done) / rate)} left"
        return line + (f": {self.figures}" if self.figures else "")

    def note(self, line: str) -> None:
        if self.enabled:
            note(line)

    def close(self) -> None:
        if self.bar is not None:
            self.bar.close()


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Yield an event that Ctrl-C or SIGTERM sets, to stop work at a safe point; a second one interrupts at once.

    Outside the main thread, where Python delivers no signals, the event is never set.
    """
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def request(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise KeyboardInterrupt
        stop.set()

    before = {number: signal.signal(number, request) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Make SIGTERM raise KeyboardInterrupt, as Ctrl-C does: torchrun sends it to the other ranks when one fails.

    Outside the main thread, where Python delivers no signals, nothing changes.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
