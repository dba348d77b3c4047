"""The sections of README.md and docs/benches.md about the benches, between two marks, and tables of results in pages.

`python benches/readme.py` updates both from docs/bench.json, and the tables of results in README.md, docs/results.md
and docs/results/*.md from the folders in docs/results/.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from acceptance import Medians
from chart import NAMES

BEGIN = "<!-- benches: written by `make bench` -->\n"
END = "<!-- benches end -->"

COLUMNS = {
    "64² float32": (64, "float32", "blobs"),
    "64² uint8": (64, "uint8", "blobs"),
    "64² GAN-like": (64, "uint8", "GAN-like"),
    "64² noise 50%": (64, "uint8", "noise 50%"),
    "512² uint8": (512, "uint8", "blobs"),
}
"""Size, dtype and kind by column heading."""


def section(summary: dict[str, Any]) -> str:
    """The README's chart, table and four lines."""
    medians = Medians(summary["benches"])
    return f"{BEGIN}{PICTURE}\n{table(medians)}\n{paragraph(summary, medians)}{END}"


PICTURE = """\
<picture><source media="(prefers-color-scheme: dark)" srcset="docs/bench-dark.png">
<img src="docs/bench.png" alt="Images per second of each library, by kind and size of images" width="850"></picture>
"""


def page(summary: dict[str, Any]) -> str:
    """The section of docs/benches.md: the machine, the table, further figures, and the targets."""
    medians = Medians(summary["benches"])
    return f"{BEGIN}{details(summary, medians)}\n{table(medians)}\n{targets(summary)}\n{END}"


def replace(text: str, section: str) -> str:
    """The page with this section; a ValueError if it lacks the marks."""
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page has no lines {BEGIN.strip()} and {END}; the benches go between them")
    return head + section + tail


def update(summary: dict[str, Any]) -> None:
    """Write the sections of both pages."""
    for path, text in ((README, section(summary)), (BENCHES, page(summary))):
        path.write_text(replace(path.read_text(encoding="utf-8"), text), encoding="utf-8")


def table(medians: Medians) -> str:
    """Images per second on one thread, the fastest first, and the speed of ours over each."""
    lines = ["| images/s, one thread | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for by in sorted(NAMES, key=lambda by: medians.seconds(by, *COLUMNS["64² float32"])):
        cells = []
        for column in COLUMNS.values():
            speed = rounded(1 / medians.seconds(by, *column))
            cells.append(f"**{speed}**" if by == "reggan" else f"{speed} ({times(medians.ratio([by], *column))}×)")
        lines.append(f"| {f'**{NAMES[by]}**' if by == 'reggan' else NAMES[by]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rounded(speed: float) -> str:
    """Round to three digits, the precision of a median."""
    return f"{float(f'{speed:.3g}'):,.0f}"


def times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def paragraph(summary: dict[str, Any], medians: Medians) -> str:
    """The machine and the other jobs, in four lines."""
    labels, renders = _labels(medians), _renders(medians)
    return f"""\
Images per second; in brackets, how many times as fast `reggan.score` is. {summary["cpu"]}, medians, equal scores.
`label` is {labels[0]:.1f} times (64²) and {labels[1]:.1f} times (512²) as fast as the best of OpenCV, cc3d and SciPy.
`render` draws {renders["reggan", "float32"]} images/s in float32 (OpenCV {renders["opencv", "float32"]}) and \
{renders["reggan", "uint8"]} in uint8 (Pillow {renders["pillow", "uint8"]}).
"""


def details(summary: dict[str, Any], medians: Medians) -> str:
    """A list of the machine, the versions, threads, bits and the other jobs."""
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items() if name != "reggan")
    labels, renders, two = _labels(medians), _renders(medians), medians.two_threads
    return f"""\
- Machine: {summary["cpu"]}, {summary["cores"]} cores.
- Versions: {versions}.
- Packed bits: {rounded(1 / medians.seconds("reggan", 64, "bits"))} images/s at 64².
- Two threads: {two("float32"):.2f} times the work of one in float32, {two("uint8"):.2f} times in uint8,
  {two("bits"):.2f} times in bits. The threads share the memory of this machine.
- A call on one image takes {medians.overhead():.1f} µs more than the kernel.
- `label` is {labels[0]:.1f} times (64²) and {labels[1]:.1f} times (512²) as fast as the best of OpenCV, cc3d and SciPy.
- `render` draws {renders["reggan", "float32"]} images/s in float32 (OpenCV {renders["opencv", "float32"]})
  and {renders["reggan", "uint8"]} in uint8 (Pillow {renders["pillow", "uint8"]}).
"""


def _labels(medians: Medians) -> list[float]:
    """Speed of `label` over that of its fastest peer, at 64² and 512²."""
    return [medians.ratio(["cc3d", "opencv", "scipy"], size, "uint8", job="label") for size in (64, 512)]


def _renders(medians: Medians) -> dict[tuple[str, str], str]:
    """Images per second of `render` and its peers, by library and dtype."""
    drawn = (("reggan", "float32"), ("opencv", "float32"), ("reggan", "uint8"), ("pillow", "uint8"))
    return {(by, dtype): rounded(1 / medians.seconds(by, 64, dtype, job="render")) for by, dtype in drawn}


def targets(summary: dict[str, Any]) -> str:
    """The targets of the kernels and their measured values."""
    lines = ["| target | asked | measured | |", "|---|---:|---:|---|"]
    for row in summary["acceptance"]:
        met = "met" if row["met"] else "**not met**"
        lines.append(f"| {row['name']} | {row['target']} | {row['measured']:,.7g} | {met} |")
    return "\n".join(lines) + "\n"


ROOT = Path(__file__).parent.parent
README, DOCS = ROOT / "README.md", ROOT / "docs"
BENCHES = DOCS / "benches.md"
PAGES = [README, DOCS / "results.md", *sorted((DOCS / "results").glob("*.md"))]
"""Pages with tables of results: all tables of a study under `<!-- NAME -->`, two of them under `<!-- NAME 2 3 -->`."""


def with_results(page: str) -> str:
    """The page with the tables of each study that it has a mark for, or a note if there are no results."""

    def fill(mark: re.Match[str]) -> str:
        path = DOCS / "results" / mark[1] / "results.md"
        shown = "Not run yet."
        if path.exists():
            shown = "\n\n".join(chosen(path.read_text(encoding="utf-8"), [int(word) for word in mark[2].split()]))
        return f"<!-- {mark[1]}{mark[2]} -->\n{shown}\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+)((?: \d+)*) -->\n(?:(?!<!--).)*?<!-- end -->", fill, page, flags=re.DOTALL)


def chosen(text: str, numbers: list[int]) -> list[str]:
    """The first paragraph, and the tables with these numbers, from 1, with their headings; all without numbers."""
    first, *rest = text.rstrip("\n").split("\n\n")
    tables = re.findall(r"(?:[^|\n].*\n\n)?\|(?:.+\n?)+", "\n\n".join(rest))
    if wrong := [number for number in numbers if not 1 <= number <= len(tables)]:
        raise ValueError(f"there is no table {wrong[0]}, only {len(tables)}")
    return [first, *(tables[number - 1].rstrip("\n") for number in numbers or range(1, len(tables) + 1))]


if __name__ == "__main__":
    update(json.loads((DOCS / "bench.json").read_text(encoding="utf-8")))
    for path in PAGES:
        path.write_text(with_results(path.read_text(encoding="utf-8")), encoding="utf-8")
