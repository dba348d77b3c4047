"""Run the benches; write bench.json (machine, versions, medians, targets), the charts and, by default, README tables.

With the default folder, the tables of README.md and docs/benches.md are updated, too.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import acceptance
import chart
import readme

import reggan
from reggan.files import write_json

BENCHES = Path(__file__).parent
DOCS = BENCHES.parent / "docs"
QUICK = ["--pixels=262144", "--benchmark-max-time=0.02", "--benchmark-min-rounds=2"]
PACKAGES = (
    *("connected-components-3d", "numba", "numpy", "opencv-python-headless", "pillow", "reggan", "scikit-image"),
    "scipy",
)


def run_benches(options: list[str]) -> dict[str, Any]:
    """The report of pytest-benchmark; the program exits if a bench fails, so that no numbers are published."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", str(BENCHES), f"--benchmark-json={report}", *options]
        code = subprocess.run(command, check=False).returncode
        if code:
            sys.exit(code)
        result: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return result


def summarize(report: dict[str, Any], load: float) -> dict[str, Any]:
    """The publishable part of a report, without hosts or paths; for equal inputs, ours first, then the fastest."""
    rows = []
    for bench in report["benchmarks"]:
        info, median = bench["extra_info"], bench["stats"]["median"]
        images, height, width = info["shape"]
        speeds = {"images_per_s": round(images / median), "ns_per_pixel": median / (images * height * width) * 1e9}
        rows.append({**info, "median_s": median, **speeds})
    rows.sort(key=lambda row: (*inputs(row), row["by"] != "reggan", row["ns_per_pixel"]))
    ours = {inputs(row): row["ns_per_pixel"] for row in rows if (row["by"], row["threads"]) == ("reggan", 1)}
    for row in rows:
        if row["by"] != "reggan":
            row["reggan_is_faster_by"] = round(row["ns_per_pixel"] / ours[inputs(row)], 2)
    return {
        "cpu": report["machine_info"]["cpu"].get("brand_raw", platform.processor()),
        "cores": os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0)),
        "simd": reggan.simd_info(),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "load_average_before": load,
        "ratios": "to ours on one thread",
        "acceptance": acceptance.check(rows),
        "benches": rows,
    }


def inputs(row: dict[str, Any]) -> tuple[str, str, str, tuple[int, ...]]:
    """What was done to which images; slow peers get fewer of them."""
    return row["job"], row["kind"], row["dtype"], tuple(row["shape"][1:])


def text(summary: dict[str, Any]) -> str:
    """The summary for the screen."""
    lines = [
        f"{summary['cpu']}, {summary['cores']} cores, {summary['simd']}, Python {summary['python']}, "
        f"load {summary['load_average_before']}",
        f"{'job':8}{'kind':11}{'dtype':9}{'shape':16}{'by':14}{'threads':>8}{'images/s':>12}{'ns/pixel':>10}{'reggan':>9}",
    ]
    for row in summary["benches"]:
        shape = "x".join(map(str, row["shape"]))
        ratio = f"{row['reggan_is_faster_by']:.1f}x" if "reggan_is_faster_by" in row else ""
        lines.append(
            f"{row['job']:8}{row['kind']:11}{row['dtype']:9}{shape:16}{row['by']:14}{row['threads']!s:>8}"
            f"{row['images_per_s']:>12,}{row['ns_per_pixel']:>10.3f}{ratio:>9}"
        )
    lines.append("")
    for target in summary["acceptance"]:
        met = "met" if target["met"] else "NOT MET"
        lines.append(f"{target['name']:60}{target['target']:>12}{target['measured']:>12,.6g}  {met}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS, help="folder for bench.json and the charts")
    parser.add_argument("--quick", action="store_true", help="smoke test with meaningless numbers")
    options = parser.parse_args()
    if options.quick and options.out.resolve() == DOCS:
        parser.error("a quick run measures nothing that docs/ should hold; name another folder with --out")
    # The load of the machine: medians of all threads mean little beside other work.
    load = round(os.getloadavg()[0], 2)
    summary = summarize(run_benches(QUICK if options.quick else []), load)
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(options.out / "bench.json", summary, indent=1)
    chart.save(options.out, summary["benches"])
    if options.out.resolve() == DOCS:
        readme.update(summary)
    print(f"\n{text(summary)}\nwritten to {options.out}")


if __name__ == "__main__":
    main()
