"""Draw docs/rules.png: for each rule an image that fails it, and the same image repaired."""

from pathlib import Path

import numpy as np
from PIL import Image

import reggan
from reggan import Betti, Bridge, Clear, Holes, Ink, Joins, Rule, Runs, Slot, Symmetric
from reggan.drawing import panels

RULES: dict[str, Rule] = {
    "connected": reggan.Connected(),
    "ink(0.3, 0.4)": Ink(0.3, 0.4),
    "solid": reggan.Solid(),
    "holes(3, 5)": Holes(3, 5),
    "betti(3, 1, 12)": Betti(3, 1, 12),
    "framed(1)": reggan.Framed(1),
    "joins('x')": Joins("x"),
    "bridge(5)": Bridge(5),
    "slot(5)": Slot(5),
    "clear(5)": Clear(5),
    "runs(4, 4)": Runs(4, 4),
    "clean": reggan.Clean(),
    "symmetric(1)": Symmetric(1),
}
COLUMNS = 7


def main() -> None:
    """Draw the picture."""
    images = reggan.render(reggan.Circles(), 400, size=32)
    drawn = {}
    for name, rule in RULES.items():
        failing = images[rule(images) < 1][:40]
        repaired = reggan.repair(failing, rule)
        # One of the larger repairs shows what the rule is about.
        chosen = np.argsort(np.where(repaired.scores == 1, repaired.changed, -1))[-len(failing) // 4]
        drawn[name] = np.stack([failing[chosen], repaired.images[chosen]])
    names = list(drawn)
    rows = [
        panels({name: drawn[name] for name in names[k : k + COLUMNS]}, 1, zoom=4) for k in range(0, len(names), COLUMNS)
    ]
    canvas = Image.new("L", (max(row.width for row in rows), sum(row.height for row in rows) + 20), "white")
    for k, row in enumerate(rows):
        canvas.paste(row, (0, k * (rows[0].height + 20)))
    canvas.save(Path(__file__).parent / "rules.png", optimize=True)


if __name__ == "__main__":
    main()
