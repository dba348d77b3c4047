"""The configuration of a training run, and its JSON form."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import tyro
from pydantic import Field, TypeAdapter

from .data import RenderedImages, SampleSet
from .devices import auto_device, auto_precision
from .modalities import Data, Modality, modality_of, open_data
from .options import check, flatten, options
from .recipes import AnyRecipe
from .rules import Rule, resolve_rule
from .schedule import Count, Schedule

__all__ = ["TrainConfig", "config_from_json", "config_to_json"]


@options
class TrainConfig(Schedule):
    """What to train, on what, and for how long. Results are a function of this alone.

    "auto" becomes the device and the precision of this machine.
    """

    recipe: Annotated[AnyRecipe, tyro.conf.arg(name="")] = field(kw_only=True)
    """The recipe's own options."""
    data: Annotated[Data, tyro.conf.AvoidSubcommands] = field(default_factory=RenderedImages)
    """The training data: rendered images, images of your own, two kinds of them, or points."""
    rule: str = "connected"
    """What samples must obey: rules by name, "connected & ink(0.1, 0.4)", and your own: "ink & my_module:MyRule(3)"."""
    size: Annotated[int, Field(ge=8, le=4096)] = 32
    """Side of the images in pixels: 8 to 128 for most networks."""
    init: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None
    """Run to start from: weights of all networks that have the same shapes in both."""
    log_every: Count = 10
    """Steps between lines of losses."""
    eval_every: Count = 100
    """Steps between evaluations by the exact score."""
    eval_images: Annotated[int, Field(ge=2, le=10**6)] = 512
    """Generated samples in an evaluation."""
    sample_every: Count = 500
    """Steps between sample sheets."""
    checkpoint_every: Count = 500
    """Steps between checkpoints."""

    def __post_init__(self) -> None:
        if self.data.modality not in self.recipe.makes:
            can = " or ".join(self.recipe.makes)
            raise ValueError(f"{type(self.recipe).__name__} makes {can}, and the data are {self.data.modality}")
        device = auto_device(self.device)
        object.__setattr__(self, "device", device)
        object.__setattr__(self, "precision", auto_precision(self.precision, device))
        if self.init is not None:
            object.__setattr__(self, "init", str(Path(self.init).absolute()))
        self.resolved_rule  # noqa: B018

    @cached_property
    def resolved_rule(self) -> Rule:
        """The rule as an object."""
        return resolve_rule(self.rule)

    @cached_property
    def modality(self) -> Modality:
        """The modality of the data; the same object each time, so that data it has opened stay open."""
        return modality_of(self.data, self.size, self.resolved_rule)

    def open_data(self, *, log: bool = False) -> SampleSet:
        """Open the training data."""
        return open_data(self.data, self.size, self.resolved_rule, log=log)


def config_to_json(config: TrainConfig) -> dict[str, Any]:
    """Return the configuration as JSON data; recipe, data and spec name their kind."""
    raw: dict[str, Any] = TypeAdapter(TrainConfig).dump_python(config, mode="json")
    if config.init is None:  # Only runs that start from another one say so.
        del raw["init"]
    return raw


def config_from_json(raw: object) -> TrainConfig:
    """Rebuild a configuration from its JSON data.

    Raises:
        ValueError: a field is missing, unknown, of a wrong type or out of range; names the field.
    """
    config = check(TrainConfig, raw)
    whole, given = flatten(config_to_json(config)), flatten(raw if isinstance(raw, dict) else {})
    if lacking := sorted(whole.keys() - given.keys()):
        raise ValueError(f"the configuration lacks {', '.join(lacking)}")
    if changed := sorted(key for key in given if given[key] != whole.get(key)):
        raise ValueError(f"{changed[0]} is {given[changed[0]]!r}, must be {whole.get(changed[0])!r}")
    return config
