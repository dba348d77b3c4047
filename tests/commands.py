"""What `python` does with a module or a script, in a process that need not import torch anew."""

from __future__ import annotations

import multiprocessing
import os
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

_FORKSERVER = multiprocessing.get_context("forkserver")
# The first optimizer imports torch._dynamo. Not the modules of commands: runpy warns of what is imported already.
_FORKSERVER.set_forkserver_preload(["torch._dynamo", "reggan.runs", "reggan.report"])


def python(
    *arguments: object, cwd: str | os.PathLike[str] = ".", env: Mapping[str, str] = os.environ
) -> subprocess.CompletedProcess[str]:
    """Run `python -m MODULE ...` or `python SCRIPT ...` in a fork of a server that has imported the library.

    What an interpreter does when it starts needs a process of its own: encodings, locales, imports.
    """
    words = [str(word) for word in arguments]
    with TemporaryDirectory() as folder:
        out, err = Path(folder, "out"), Path(folder, "err")
        process = _FORKSERVER.Process(target=_run, args=(words, Path(cwd).resolve(), dict(env), out, err))
        process.start()
        process.join()
        code = process.exitcode
        assert code is not None
        return subprocess.CompletedProcess(words, code, out.read_text(), err.read_text())


def _run(words: list[str], cwd: Path, env: dict[str, str], out: Path, err: Path) -> None:
    for descriptor, path in ((1, out), (2, err)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    is_module = words[0] == "-m"
    sys.argv = words[is_module:]
    sys.path.insert(0, str(cwd if is_module else cwd / Path(words[0]).parent))
    if is_module:
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
    else:
        runpy.run_path(sys.argv[0], run_name="__main__")
