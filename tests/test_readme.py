"""Every command and every code block of the README and of docs/ does what it says."""

import importlib.util
import json
import os
import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import tyro
from commands import python

from studies.__main__ import StudyOptions

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = ROOT / "README.md"
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [README, *sorted(DOCS.rglob("*.md"))]
    if path.parent.parent != DOCS / "results"  # written by studies, and shown in the pages
}
FENCES = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INSTALL, TEST = "pip install .", "make test"
_FEW = "--steps=6 --width=4 --eval-images=64"
SHORT = {
    "python -m reggan.train --data": _FEW,
    "python -m reggan.train": f"{_FEW} --data.images=500",
    "python -m reggan.evaluate": "-n 100",
    "python -m reggan.data make": "--images 64 --images-per-shard 8",
    "python -m reggan.data find": "--count 1",
    "torchrun": f"{_FEW} --data.images=500 --batch-size=8",
}
"""Long commands run as they are written, with these options after them, unless they resume a run."""
SMALL = {
    "Repair(width=24)": "Repair(width=4)",
    "steps=4000": "steps=6",
    "10_000,": "100,",
}
"""What of Python code is replaced to shorten it."""


def blocks(page):
    return FENCES.findall(PAGES[page])


def commands(page):
    """The commands of the bash blocks, one after another."""
    lines = [line for kind, text in blocks(page) if kind == "bash" for line in text.splitlines()]
    return [part.strip() for line in lines for part in line.split("  #")[0].split("&&")]


def prose(text):
    """Lines outside of code, tables and generated blocks."""
    generated = re.compile(r"^<!-- (?!end)[^\n]+-->\n.*?^<!-- [^\n]*end -->$", re.MULTILINE | re.DOTALL)
    rest = generated.sub("", FENCES.sub("", text))
    return [line for line in rest.splitlines() if not line.startswith("|")]


def test_the_first_screen_has_a_command_that_trains_and_one_that_tests():
    head = "\n".join(PAGES["README.md"].splitlines()[:40])
    assert f"{INSTALL} && python -m reggan.train" in head
    assert TEST in head
    (picture,) = re.findall(r"!\[.+?\]\((.+?)\)", head)
    assert (ROOT / picture).stat().st_size > 1000


def test_ci_runs_the_test_command_of_the_readme():
    assert TEST in commands("README.md")
    assert TEST in (ROOT / ".ci" / "run").read_text().splitlines()


def test_the_readme_is_short():
    assert len(PAGES["README.md"].splitlines()) <= 150
    assert max(len(part.splitlines()) for part in "\n".join(prose(PAGES["README.md"])).split("\n\n")) <= 4


@pytest.mark.parametrize("page", PAGES)
def test_no_line_of_prose_is_long(page):
    assert [line for line in prose(PAGES[page]) if len(line) > 120] == []


@pytest.mark.parametrize("page", PAGES)
def test_linked_files_exist(page):
    text = FENCES.sub("", PAGES[page])
    for target in re.findall(r"\]\(([^)#:]+)[^):]*\)", text) + re.findall(r'src(?:set)?="(.+?)"', text):
        assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in PAGES if page.startswith("docs/results/")])
def test_a_page_of_results_leads_with_a_table_a_picture_and_ten_lines(page):
    if page in ("docs/results/appendix.md", "docs/results/limits.md"):
        return
    lead = PAGES[page].split("\n## ")[0]
    assert re.search(r"^<!-- [\w-]+(?: \d)? -->\n", lead, re.MULTILINE)
    assert len(re.findall(r"^!\[", lead, re.MULTILINE)) == 1
    words = [line for line in prose(lead) if line and not line.startswith(("#", "!"))]
    assert len(words) <= 10
    study = Path(page).stem
    assert any(command.startswith(f"python -m studies {study} ") for command in commands(page))


@pytest.fixture
def benches(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benches")
    return json.loads((DOCS / "bench.json").read_text())


def test_what_is_said_of_the_benches_is_what_they_measured(benches):
    import readme

    assert readme.section(benches) in PAGES["README.md"]
    assert readme.page(benches) in PAGES["docs/benches.md"]


def test_tables_of_results_are_up_to_date(benches):
    import readme

    for path in readme.PAGES:
        page = path.read_text()
        assert readme.with_results(page) == page
    shown = re.findall(r"<!-- ([\w-]+)(?: \d+)* -->", "".join(PAGES.values()))
    assert {path.parent.name for path in DOCS.glob("results/*/results.md")} <= set(shown)


def test_pages_show_the_tables_that_their_marks_number(benches):
    import readme

    text = "First.\n\none:\n\n| a |\n|---|\n| 1 |\n\ntwo:\n\n| b |\n|---|\n| 2 |\n"
    first, second = "one:\n\n| a |\n|---|\n| 1 |", "two:\n\n| b |\n|---|\n| 2 |"
    assert readme.chosen(text, []) == ["First.", first, second]
    assert readme.chosen(text, [2]) == ["First.", second]
    with pytest.raises(ValueError, match="no table 3"):
        readme.chosen(text, [1, 3])


def test_the_targets_are_checked_against_the_medians_that_stand_beside_them(benches):
    import acceptance

    assert acceptance.check(benches["benches"]) == benches["acceptance"]


def test_a_run_without_a_bench_that_a_target_needs_is_an_error(benches):
    import acceptance

    others = [row for row in benches["benches"] if row["dtype"] != "bits"]
    with pytest.raises(LookupError, match="'bits'"):
        acceptance.check(others)


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
    assert {kind for page in PAGES for kind, _ in blocks(page)} == {"bash", "python"}


@cache
def hooks():
    """The hooks of the site, which put the output of these commands into the page."""
    spec = importlib.util.spec_from_file_location("hooks", DOCS / "hooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def help_of(script):
    done = python(script, "--help", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


def is_checked_without_a_run(command, page):
    """Check the options of a command that takes long, or that another page runs; False for all others."""
    words = shlex.split(command)
    if words[0] == "make":
        assert re.search(rf"^{words[1]}:", (ROOT / "Makefile").read_text(), re.MULTILINE), command
    elif command.startswith("python benches/"):
        assert all(word in help_of(words[1]) for word in words if word.startswith("--")), command
    elif page == "docs/cli.md" and "--help" in words:
        assert hooks().output(command).startswith("usage: "), command
    elif command.startswith("python -m studies"):
        options = tyro.cli(StudyOptions, args=words[3:])
        assert not options.only or set(options.only) <= arms(options.name)
    else:
        return page != "README.md" and command in {INSTALL, *commands("README.md")} - MADE
    return True


def arms(study):
    from studies import STUDIES

    return set(STUDIES[study].arms(Path()))


MADE = {command for command in commands("README.md") if command.startswith("python -m reggan.data")}
"""Commands that later ones of a page need."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page)])
def test_commands_and_code_run_in_the_order_of_the_page(page, tmp_path):
    site, work = tmp_path / "site", tmp_path / "work"
    work.mkdir()
    shell = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MPLBACKEND": "agg"}
    shell["PYTHONPATH"] = os.pathsep.join([os.environ.get("PYTHONPATH", ""), str(ROOT)])  # the studies

    def run(command, cwd, fresh=False):
        """Run a command; one of Python that needs no fresh process in a fork of one that has imported the library."""
        words = shlex.split(command)
        if words[0] == "python" and not fresh:
            done = python(*words[1:], cwd=cwd, env=shell)
        else:
            done = subprocess.run(command, shell=True, cwd=cwd, env=shell, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"

    for folder in re.findall(r"--out (\S+)/", PAGES[page]):
        (work / folder).mkdir(parents=True, exist_ok=True)
    installed = False
    for number, (kind, text) in enumerate(blocks(page)):
        if kind == "python":
            name = re.match(r"# (\w+\.py)\n", text)
            script = work / (name[1] if name else f"block{number}.py")
            for long, short in SMALL.items():
                text = text.replace(long, short)
            script.write_text(text)
            run(shlex.join(["python", str(script)]), work)
            continue
        for line in text.splitlines():
            for command in map(str.strip, line.split("  #")[0].split("&&")):
                if is_checked_without_a_run(command, page):
                    continue
                if command == INSTALL:
                    run(f"{command} --quiet --no-deps --target {site}", ROOT)
                    assert_holds_the_package_alone(site)
                    shell["PYTHONPATH"] = os.pathsep.join([str(site), str(ROOT)])
                    installed = True
                    continue
                as_is = "--resume" in command
                extra = next((more for long, more in SHORT.items() if command.startswith(long) and not as_is), "")
                # What was installed runs the first command after it.
                run(f"{command} {extra}", work, fresh=installed)
                installed = False
