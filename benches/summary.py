"""Run the benches and write docs/bench.json: the machine, the versions, every median and its ratio to ours.

Other options, such as `-k score`, go to pytest.
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

BENCHES = Path(__file__).parent
PACKAGES = (
    *("connected-components-3d", "numpy", "opencv-python-headless", "pillow", "reggan", "scikit-image"),
    "scipy",
)


def run_benches(options: list[str]) -> dict[str, Any]:
    """What pytest-benchmark measured; the program ends if a bench fails, as no number may stand beside it."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [sys.executable, "-m", "pytest", str(BENCHES), f"--benchmark-json={report}", *options]
        code = subprocess.run(command, check=False).returncode
        if code:
            sys.exit(code)
        result: dict[str, Any] = json.loads(report.read_text())
        return result


def summarize(report: dict[str, Any], load: float) -> dict[str, Any]:
    """The lasting part of a report, without hosts or paths; within a job, ours first, then the fastest."""
    rows = []
    for bench in report["benchmarks"]:
        info, median = bench["extra_info"], bench["stats"]["median"]
        rows.append({**info, "median_s": median, "images_per_s": round(info["shape"][0] / median)})
    rows.sort(key=lambda row: (row["job"], row["dtype"], row["by"] != "reggan", row["median_s"]))
    speeds = {(row["job"], row["dtype"], row["by"], row["threads"]): row["images_per_s"] for row in rows}
    for row in rows:
        ours = speeds.get((row["job"], row["dtype"], "reggan", 1))
        if row["by"] != "reggan" and ours:
            row["reggan_is_faster_by"] = round(ours / row["images_per_s"], 2)
    return {
        "cpu": report["machine_info"]["cpu"].get("brand_raw", platform.processor()),
        "cores": os.process_cpu_count() if hasattr(os, "process_cpu_count") else len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "load_average_before": load,
        "ratios": "medians of one thread each",
        "benches": rows,
    }


def table(summary: dict[str, Any]) -> str:
    """The summary as text."""
    lines = [
        f"{summary['cpu']}, {summary['cores']} cores, Python {summary['python']}, load {summary['load_average_before']}"
    ]
    lines.append(f"{'job':8}{'dtype':9}{'shape':16}{'by':14}{'threads':>8}{'images/s':>12}{'reggan is':>11}")
    for row in summary["benches"]:
        shape = "x".join(map(str, row["shape"]))
        ratio = f"{row['reggan_is_faster_by']:.1f}x" if "reggan_is_faster_by" in row else ""
        lines.append(
            f"{row['job']:8}{row['dtype']:9}{shape:16}{row['by']:14}{row['threads']!s:>8}"
            f"{row['images_per_s']:>12,}{ratio:>11}"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=BENCHES.parent / "docs" / "bench.json")
    arguments, options = parser.parse_known_args()
    # What else the machine was doing: medians of all threads mean little beside other work.
    load = round(os.getloadavg()[0], 2)
    summary = summarize(run_benches(options), load)
    arguments.out.write_text(json.dumps(summary, indent=2) + "\n")
    print(f"\n{table(summary)}\nwritten to {arguments.out}")


if __name__ == "__main__":
    main()
