"""Hooks of mkdocs: the command line reference is what each command prints for --help."""

from __future__ import annotations

import io
import os
import re
import runpy
import shlex
import sys
import textwrap
import warnings
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any
from unittest import mock

ROOT = Path(__file__).parent.parent
WIDTH = 76
"""Columns of a code block on a desktop's page."""


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Add to each `--help` of docs/cli.md what it prints."""
    if page.file.src_uri != "cli.md":
        return markdown
    pattern = r"```bash\n(.+ --help)\n```"
    return re.sub(pattern, lambda block: f"{block[0]}\n\n```text\n{output(block[1])}\n```", markdown)


def output(command: str) -> str:
    """What `python -m MODULE OPTIONS` prints, run in this process; long lines are wrapped."""
    python, minus_m, module, *options = shlex.split(command)
    if (python, minus_m) != ("python", "-m"):
        raise ValueError(f"{command!r} in docs/cli.md has to begin with python -m")
    out, environment = io.StringIO(), {"COLUMNS": str(WIDTH), "NO_COLOR": "1", "PYTHONPATH": str(ROOT)}
    with (
        mock.patch.object(sys, "argv", [module, *options]),
        mock.patch.object(sys, "path", [str(ROOT), *sys.path]),
        mock.patch.dict(os.environ, environment),
        redirect_stdout(out),
        warnings.catch_warnings(action="ignore"),  # of runpy: the module was imported before
    ):
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
        except SystemExit as end:
            if end.code:
                raise RuntimeError(f"{command!r} ended with {end.code}") from end
    wide = re.compile(rf"^\S.{{{WIDTH},}}$", re.MULTILINE)
    return wide.sub(lambda line: textwrap.fill(line[0], WIDTH), out.getvalue()).strip()
