"""Progress of long work: a bar on a terminal, a plain line every few seconds elsewhere; and a patient Ctrl-C."""

from __future__ import annotations

import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from tqdm import tqdm

__all__ = ["Progress", "deferred_interrupt"]

_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Shows step, rate, time left and a few figures on standard error."""

    def __init__(self, total: int, start: int = 0, *, enabled: bool = True) -> None:
        self.total, self.start, self.step = total, start, start
        self.began = self.last_line = time.monotonic()
        self.figures = ""
        self.enabled = enabled
        bar = enabled and sys.stderr.isatty()
        self.bar = tqdm(total=total, initial=start, unit="step", dynamic_ncols=True) if bar else None

    @property
    def seconds(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self.began

    def show(self, figures: dict[str, float]) -> None:
        """Set the figures beside the bar."""
        self.figures = ", ".join(f"{name} {value:.3f}" for name, value in figures.items())
        if self.bar is not None:
            self.bar.set_postfix_str(self.figures)

    def advance(self) -> None:
        """Count one step."""
        self.step += 1
        if self.bar is not None:
            self.bar.update()
        elif time.monotonic() - self.last_line >= _SECONDS_BETWEEN_LINES or self.step == self.total:
            self.last_line = time.monotonic()
            rate = (self.step - self.start) / self.seconds
            left = tqdm.format_interval((self.total - self.step) / rate)
            tail = f": {self.figures}" if self.figures else ""
            self.note(f"step {self.step}/{self.total}, {rate:.1f} steps/s, {left} left{tail}")

    def note(self, line: str) -> None:
        """Print a line on standard error, above the bar."""
        if self.enabled:
            tqdm.write(line, file=sys.stderr)

    def close(self) -> None:
        """End the bar."""
        if self.bar is not None:
            self.bar.close()


@contextmanager
def deferred_interrupt() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C or SIGTERM sets, to stop work at a good place; a second one interrupts at once.

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
