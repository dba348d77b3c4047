"""Make 1.35 million polygons on disk, and search 50 million circles; write time and memory to docs/bench-data.json.

Each runs as a user's command in its own process on two threads.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reggan.files import write_json

DOCS = Path(__file__).parent.parent / "docs"
IMAGES = 1_350_000
SEARCHED = 50_000_000


def run(arguments: list[str], images: int) -> dict[str, Any]:
    """Seconds, peak memory and images per second of a data command."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-m", "reggan.data", *arguments], check=True)
    seconds = time.perf_counter() - start
    # The peak is that of the largest process so far, so the smaller set comes first.
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    return {
        "command": "python -m reggan.data " + " ".join(arguments),
        "images": images,
        "seconds": round(seconds, 2),
        "images_per_s": round(images / seconds),
        "peak_bytes_at_most": peak,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DOCS / "bench-data.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        limit = f"--limit={SEARCHED}"
        find = ["find", "--size=32", "--count=1000000", limit, "--threads=2", "--out=found.json"]
        make = ["make", "polygons", "--renderer=polygons", f"--images={IMAGES}", "--threads=2"]
        found, made = run(find, SEARCHED), run(make, IMAGES)
    write_json(options.out, {"find": found, "make": made}, indent=1)
    print(options.out.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
