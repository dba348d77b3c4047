"""Rules: they score images exactly, from 0 to 1, and define the score classes that a classifier learns.

A rule needs no gradient. `Connected` is the score of RegGAN (arXiv 2102.04593, section 3.1). Rules are combined by `&`,
`|` and `~`: `Connected() & Ink(0.1, 0.4)`, or on the command line "connected & ink(0.1, 0.4)", also with your own:
"connected & my_rules:Afloat(0.6)".
"""

from .names import RULES, repair, resolve_rule
from .paths import Path, Reach
from .rule import Either, Not, Product, Rule, check_rule, checked_scores, min_channel, repair_samples
from .shapes import Connected, Ink, Solid, Symmetric
from .topology import Betti, Clean, Framed, Holes, Joins
from .torus import Wraps
from .widths import Bridge, Clear, Runs, Slot

__all__ = [
    "RULES",
    "Betti",
    "Bridge",
    "Clean",
    "Clear",
    "Connected",
    "Either",
    "Framed",
    "Holes",
    "Ink",
    "Joins",
    "Not",
    "Path",
    "Product",
    "Reach",
    "Rule",
    "Runs",
    "Slot",
    "Solid",
    "Symmetric",
    "Wraps",
    "check_rule",
    "checked_scores",
    "min_channel",
    "repair",
    "repair_samples",
    "resolve_rule",
]
