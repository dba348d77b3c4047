"""Metrics of 40 steps of every recipe, for changes that must not change a number.

    python tests/golden.py --record   # before the change: writes golden.json beside this file
    python tests/golden.py            # after it: compares, and exits with 1 where anything differs

Float32 and one thread; the numbers are those of one machine and one version of torch, so record them anew elsewhere.
"""

import json
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import torch

from reggan.recipes import RECIPES

sys.path.insert(0, str(Path(__file__).parent))
from test_training import lines, tiny, train

GOLDEN = Path(__file__).with_name("golden.json")
STEPS = {"steps": 40, "log_every": 4, "eval_every": 10, "checkpoint_every": 20, "sample_every": 20}


def metrics(recipe):
    """What metrics.jsonl holds after 40 steps of a recipe, a quarter of them a warm-up where it has one."""
    config = tiny(recipe, **STEPS)
    if hasattr(config.recipe, "warmup"):
        config = replace(config, recipe=replace(config.recipe, warmup=0.25))
    with tempfile.TemporaryDirectory() as folder:
        train(Path(folder) / "run", config)
        return lines(Path(folder) / "run")


def main():
    torch.set_num_threads(1)
    found = {recipe: metrics(recipe) for recipe in RECIPES}
    if sys.argv[1:] == ["--record"]:
        GOLDEN.write_text(json.dumps(found, indent=0) + "\n", encoding="utf-8")
        return
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    differing = [recipe for recipe in golden if found.get(recipe) != golden[recipe]]
    print(f"{len(golden) - len(differing)} of {len(golden)} recipes have equal metrics")
    if differing:
        sys.exit(f"these differ: {', '.join(differing)}")


if __name__ == "__main__":
    main()
