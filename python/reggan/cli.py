"""The command line: `reggan COMMAND` is the same as `python -m reggan.COMMAND`.

Exit codes: 0 done, 1 a failure explained in one line on standard error, 2 wrong usage, 130 stopped by Ctrl-C, 141
ended silently because the reader of the output closed it (as `| head` does).
"""

from __future__ import annotations

import codecs
import importlib
import io
import os
import sys
from collections.abc import Callable, Mapping, Sequence

__all__ = ["COMMANDS", "UsageError", "choose", "execute", "main"]

COMMANDS: dict[str, str] = {
    "data": "make, verify and show sets of images; score pictures under a rule; find images that obey",
    "evaluate": "compare a trained generator's images with images that obey the rule",
    "generate": "make images with a trained generator, with their exact scores",
    "rules": "list the rules and their options, or draw an example of each",
    "train": "train a generator whose samples obey a rule",
}

_PRINTABLE = "reggan.printable"
"""Name of the encoding error handler of the output."""


class UsageError(Exception):
    """Options that are wrong or contradict each other."""


def _printable(error: UnicodeError) -> tuple[str | bytes, int]:
    """Print file names as their bytes, and other characters that the encoding lacks as numeric escapes."""
    try:
        return codecs.lookup_error("surrogateescape")(error)
    except UnicodeEncodeError:
        return codecs.lookup_error("backslashreplace")(error)


codecs.register_error(_PRINTABLE, _printable)


def execute(command: Callable[[], None]) -> int:
    """Run a command, and turn its errors into one line on standard error and an exit code."""
    try:
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors=_PRINTABLE)
        try:
            return _outcome(command)
        finally:  # --help leaves by SystemExit
            if sys.stdout is not None:  # the process may have none
                sys.stdout.flush()
    except OSError as error:  # the output cannot be written: its reader closed it, or the disk is full
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the interpreter fails to flush the rest
        return 141 if isinstance(error, BrokenPipeError) else _fail(error, 1)


def _outcome(command: Callable[[], None]) -> int:
    try:
        command()
    except UsageError as error:
        return _fail(error, 2)
    except KeyboardInterrupt as error:
        return _fail(str(error) or "interrupted", 130)
    except MemoryError as error:
        return _fail(f"out of memory: {error}" if str(error) else "out of memory", 1)
    except BrokenPipeError:
        raise
    except (ValueError, OSError, ArithmeticError) as error:
        return _fail(error, 1)
    except RuntimeError as error:
        # torch raises no MemoryError: these are its messages on the CPU and on an accelerator.
        if "can't allocate memory" in str(error) or "out of memory" in str(error):
            return _fail(error, 1)
        raise
    return 0


def _fail(error: object, code: int) -> int:
    print("error:" if code != 130 else "stopped:", " ".join(str(error).split()), file=sys.stderr)
    return code


def choose(
    program: str, commands: Mapping[str, str], arguments: Sequence[str], run: Callable[[str, list[str]], int]
) -> int:
    """Run the command that the first argument names, or print the list of commands; returns the exit code."""
    if arguments and arguments[0] in commands:
        return run(arguments[0], list(arguments[1:]))
    listing = "\n".join(f"  {name:10} {about}" for name, about in commands.items())
    usage = f"usage: {program} COMMAND [OPTIONS]\n\n{listing}\n\n`{program} COMMAND --help` lists a command's options."
    if arguments and arguments[0] in ("-h", "--help"):
        print(usage)
        return 0
    print(usage, file=sys.stderr)
    return 2


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of `reggan`."""
    return choose("reggan", COMMANDS, list(sys.argv[1:] if argv is None else argv), _run)


def _run(name: str, arguments: list[str]) -> int:
    sys.path.insert(0, "")  # as with `python -m`, so that your own rule is found in the working directory
    module = f".{name}.__main__" if name in ("data", "rules") else f".{name}"
    code: int = importlib.import_module(module, __package__).main(arguments)
    return code
