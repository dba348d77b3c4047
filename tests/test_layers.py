"""The map of CONTRIBUTING.md: no import runs upward, and no file is long."""

from pathlib import Path

from importlinter.cli import lint_imports

ROOT = Path(__file__).parent.parent


def test_no_import_runs_upward():
    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_no_file_of_the_package_is_long():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in ROOT.glob("python/reggan/**/*.py")}
    assert len(lengths) > 50
    assert not {str(path): length for path, length in lengths.items() if length > 400}
