"""Every command and every code block of the README does what it says."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.M | re.S)
INSTALL = "pip install ."
TEST = "make test"
_FEW = (
    "--steps=6 --classifier-steps=4 --warmup=0.34 --width=4 --classifier-width=4 --kept=20 --replay=40 --eval-images=64"
)
SHORT = {
    "python -m reggan.train --data": _FEW,
    "python -m reggan.train": f"{_FEW} --data.images=500",
    "python -m reggan.evaluate": "-n 200",
    "torchrun": f"{_FEW} --data.images=500 --batch-size=8",
    "python -m studies": "--reduced --seeds=1 --only harvest dcgan",
}
"""Long commands run as they are written, with these options after them."""


def commands():
    lines = [line for kind, text in BLOCKS if kind == "bash" for line in text.splitlines()]
    return [part.strip() for line in lines for part in line.split("  #")[0].split("&&")]


def test_the_first_screen_has_a_command_that_trains_and_one_that_tests():
    head = "\n".join(README.splitlines()[:40])
    assert f"{INSTALL} && python -m reggan.train" in head
    assert TEST in head
    (picture,) = re.findall(r"!\[.+?\]\((.+?)\)", head)
    assert (ROOT / picture).stat().st_size > 1000


def test_ci_runs_the_test_command_of_the_readme():
    assert TEST in commands()
    assert TEST in (ROOT / ".ci" / "run").read_text().splitlines()


@pytest.fixture
def benches(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benches")
    return json.loads((ROOT / "docs" / "bench.json").read_text())


def test_what_it_says_of_the_benches_is_what_they_measured(benches):
    import readme

    assert readme.section(benches) in README


def test_tables_of_results_are_up_to_date(benches):
    import readme

    for path, count in readme.PAGES.items():
        page = path.read_text()
        assert readme.with_results(page, count) == page
        assert "| seeds |" in page


def test_the_targets_are_checked_against_the_medians_that_stand_beside_them(benches):
    import acceptance

    assert acceptance.check(benches["benches"]) == benches["acceptance"]


def test_a_run_without_a_bench_that_a_target_needs_is_an_error(benches):
    import acceptance

    others = [row for row in benches["benches"] if row["dtype"] != "bits"]
    with pytest.raises(LookupError, match="'bits'"):
        acceptance.check(others)


def test_linked_files_are_there():
    links, pictures = re.findall(r"\]\(([^)#:]+)\)", README), re.findall(r'src(?:set)?="(.+?)"', README)
    for target in links + pictures:
        assert (ROOT / target).exists(), target


def assert_holds_the_package_alone(site):
    """Installed are the tracked files of the package, the extension, the command and the metadata, and nothing else."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "reggan"]
    tracked = subprocess.run(command, cwd=ROOT / "python", check=True, capture_output=True, text=True)
    installed = {
        path.relative_to(site).as_posix()
        for path in site.rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    own = {path for path in installed if not re.match(r"reggan-[^/]+\.dist-info/", path)}
    assert own == {*tracked.stdout.splitlines(), "reggan/_core.abi3.so", "bin/reggan"}


def test_there_are_no_other_blocks_than_these_tests_run():
    assert {kind for kind, _ in BLOCKS} == {"bash", "python"}


@pytest.mark.timeout(600)
def test_commands_and_code_run_in_the_order_of_the_page(tmp_path):
    site = tmp_path / "site"
    shell = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    work = tmp_path / "work"
    work.mkdir()

    def run(command, cwd):
        done = subprocess.run(command, shell=True, cwd=cwd, env=shell, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    for kind, text in BLOCKS:
        if kind == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            path = work / (name[1] if name else "block.py")
            path.write_text(text)
            run(f"{sys.executable} {path}", work)
        if kind != "bash":
            continue
        for line in text.splitlines():
            for command in map(str.strip, line.split("  #")[0].split("&&")):
                if command == TEST:
                    continue  # CI runs it: see above
                if command == INSTALL:
                    run(f"{command} --quiet --no-deps --target {site}", ROOT)
                    assert_holds_the_package_alone(site)
                    shell["PYTHONPATH"] = os.pathsep.join([str(site), str(ROOT)])  # The studies lie in the latter.
                    continue
                resumed = "--resume" in command
                extra = next((more for long, more in SHORT.items() if command.startswith(long) and not resumed), "")
                run(f"{command} {extra}", work)
