"""Searches the blocks of the default data that the package knows beforehand: `python benches/blocks.py`.

Needed again when the stream version changes; tests/test_data.py says so.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import reggan
from reggan.config import PRESETS
from reggan.data import BalancedSelection, Blobs

FOLDER = Path(reggan.__file__).parent / "data" / "blocks"


def main() -> None:
    """Search the blocks of the largest set of a preset, at each size of one, and of as many images after it."""
    configs = [config for preset in PRESETS.values() for config in preset.values() if isinstance(config.data, Blobs)]
    FOLDER.mkdir(exist_ok=True)
    for size in sorted({config.size for config in configs}):
        selection = BalancedSelection(reggan.Circles(), size)
        # As many are held out, to tell copies by.
        images = 2 * max(config.data.images for config in configs if config.size == size)
        offsets = np.array([selection.search(block) for block in range(-(-images // selection.block_size))])
        # Gaps take half of the place of offsets.
        gaps = np.diff(offsets, axis=2, prepend=-1).astype(np.uint32)
        path = FOLDER / f"circles-connected-{size}.npz"
        np.savez_compressed(path, gaps=gaps)
        print(f"{path.name}: {len(offsets)} blocks, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
