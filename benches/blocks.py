"""Search the blocks of the default data that the package stores: `python benches/blocks.py`.

This is needed again when the stream version changes; tests/test_data.py then fails.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import reggan
from reggan.data import BalancedSelection, RenderedImages
from reggan.presets import PRESETS, preset

FOLDER = Path(reggan.__file__).parent / "data" / "blocks"


def main() -> None:
    """Search the blocks of the largest set of a preset, at each size of one, and of as many images after it."""
    configs = [
        preset(name, "dcgan") for name, fields in PRESETS.items() if isinstance(fields["data"](), RenderedImages)
    ]
    FOLDER.mkdir(exist_ok=True)
    for size in sorted({config.size for config in configs}):
        selection = BalancedSelection(reggan.Circles(), size)
        # As many are held out to detect copies.
        images = 2 * max(config.data.images for config in configs if config.size == size)
        offsets = np.array([selection.search(block) for block in range(-(-images // selection.block_size))])
        # Gaps take half the space of offsets.
        gaps = np.diff(offsets, axis=2, prepend=-1).astype(np.uint32)
        path = FOLDER / f"circles-connected-{size}.npz"
        np.savez_compressed(path, gaps=gaps)
        print(f"{path.name}: {len(offsets)} blocks, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
