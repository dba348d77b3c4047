"""The run report: a run directory in, one self-contained HTML file out. It reads files only."""

from .page import write_report

__all__ = ["write_report"]
