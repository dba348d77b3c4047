"""What the README says of a run of the benches, between its two marks; and tables of results in pages.

`python benches/readme.py` brings the tables of README.md, docs/results.md and docs/results/*.md up to date with the
folders in docs/results/.
"""

from __future__ import annotations

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
"""Size, dtype and kind by the head of the column."""


def section(summary: dict[str, Any]) -> str:
    """The chart, the table and the paragraph that a summary comes down to."""
    medians = Medians(summary["benches"])
    return f"{BEGIN}{PICTURE}\n{table(medians)}\n{paragraph(summary, medians)}\n{END}"


PICTURE = """\
<picture>
  <source media="(prefers-color-scheme: dark)" srcset="docs/bench-dark.png">
  <img src="docs/bench.png" alt="Images per second of each library at 64x64, and pixels per second over the size of images" width="850">
</picture>
"""  # noqa: E501


def replace(readme: str, summary: dict[str, Any]) -> str:
    """The README with the section of this summary; a ValueError if it lacks the marks."""
    head, begin, rest = readme.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has to hold the lines {BEGIN.strip()} and {END}, which the benches go between")
    return head + section(summary) + tail


def table(medians: Medians) -> str:
    """Images a second on one thread, the fastest first, and how many times as fast ours is."""
    lines = ["| images/s, one thread | " + " | ".join(COLUMNS) + " |", "|---|" + "---:|" * len(COLUMNS)]
    for by in sorted(NAMES, key=lambda by: medians.seconds(by, *COLUMNS["64² float32"])):
        cells = []
        for column in COLUMNS.values():
            speed = rounded(1 / medians.seconds(by, *column))
            cells.append(f"**{speed}**" if by == "reggan" else f"{speed} ({times(medians.ratio([by], *column))}×)")
        lines.append(f"| {f'**{NAMES[by]}**' if by == 'reggan' else NAMES[by]} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def rounded(speed: float) -> str:
    """Three digits are what a median repeats to."""
    return f"{float(f'{speed:.3g}'):,.0f}"


def times(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio >= 2 else f"{ratio:.2f}"


def paragraph(summary: dict[str, Any], medians: Medians) -> str:
    """The machine, and what the table has no room for."""
    versions = ", ".join(f"{name} {version}" for name, version in summary["versions"].items() if name != "reggan")
    labels = [medians.ratio(["cc3d", "opencv", "scipy"], size, "uint8", job="label") for size in (64, 512)]
    renders = {
        (by, dtype): rounded(1 / medians.seconds(by, 64, dtype, job="render"))
        for by, dtype in (("reggan", "float32"), ("opencv", "float32"), ("reggan", "uint8"), ("pillow", "uint8"))
    }
    return f"""\
In brackets, how many times as fast `reggan.score` is. {summary["cpu"]}, {summary["cores"]} cores, {versions}; medians; each peer in the fastest way it
offers, with equal scores. Already packed bits: {rounded(1 / medians.seconds("reggan", 64, "bits"))} images/s at 64². Two threads do {medians.two_threads("float32"):.2f} times the
work of one in float32, {medians.two_threads("uint8"):.2f} times in uint8 (both share the memory of this machine) and {medians.two_threads("bits"):.2f} times in bits. A call on one image takes {medians.overhead():.1f} µs more than the kernel. `label` is {labels[0]:.1f} times (64²) and {labels[1]:.1f} times (512²) as fast as the best of OpenCV, cc3d and SciPy.
`render` does {renders["reggan", "float32"]} images/s in float32 (OpenCV {renders["opencv", "float32"]}) and {renders["reggan", "uint8"]} in uint8 (Pillow {renders["pillow", "uint8"]}).
"""  # noqa: E501


ROOT = Path(__file__).parent.parent
PAGES: dict[Path, int | None] = {ROOT / "README.md": 1, ROOT / "docs" / "results.md": 2}
PAGES |= dict.fromkeys(sorted((ROOT / "docs" / "results").glob("*.md")))
"""Pages with tables of results, and how many of each study's tables they show; None is all."""


def with_results(page: str, tables: int | None) -> str:
    """The page with the first tables of each study that it has a mark for; without results it says so."""

    def fill(mark: re.Match[str]) -> str:
        path = ROOT / "docs" / "results" / mark[1] / "results.md"
        shown = "Not run yet."
        if path.exists():
            shown = "\n\n".join(path.read_text(encoding="utf-8").rstrip("\n").split("\n\n")[: tables and 1 + tables])
        return f"<!-- {mark[1]} -->\n{shown}\n<!-- end -->"

    return re.sub(r"<!-- ([\w-]+) -->\n(?:(?!<!--).)*?<!-- end -->", fill, page, flags=re.DOTALL)


if __name__ == "__main__":
    for path, count in PAGES.items():
        path.write_text(with_results(path.read_text(encoding="utf-8"), count), encoding="utf-8")
