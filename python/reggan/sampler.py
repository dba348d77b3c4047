"""A trained generator, as a file and in memory: what it takes to make samples."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from . import __version__
from .data import Mixture
from .devices import check_device
from .files import atomic_write
from .modalities import ImageModality, Modality, PointModality, Samples
from .networks import evaluation_mode, sample
from .randomness import private_generator, seeded_layers
from .recipes import Recipe, check_restorable, restore, to_json
from .rules import Rule, resolve_rule

__all__ = [
    "Sampler",
    "build",
    "build_generator",
    "check_count",
    "check_networks",
    "check_outputs",
    "load",
    "save",
]

_BATCH = 256
_CPU = torch.device("cpu")


def build(
    recipe: Recipe, shape: tuple[int, ...], rule: Rule, seed: int = 0, given: Mapping[str, nn.Module] | None = None
) -> dict[str, nn.Module]:
    """The recipe's networks on the CPU, with weights that are a function of the seed, and the given ones as they are.

    Raises:
        ValueError: a given network has no use in the recipe, or a network cannot be built for samples of this shape.
    """
    given = given or {}
    with seeded_layers(_CPU, seed, "weights"):
        makers = recipe.build(shape, rule)
        if unknown := given.keys() - makers.keys():
            raise ValueError(
                f"networks has {', '.join(sorted(unknown))}, and {type(recipe).__name__} has {', '.join(makers)}"
            )
        for name, network in given.items():
            if not isinstance(network, nn.Module):
                raise TypeError(f"networks[{name!r}] is {network!r}, must be a torch.nn.Module object")
        return {name: given[name] if name in given else make() for name, make in makers.items()}


def build_generator(recipe: Recipe, shape: tuple[int, ...], rule: Rule) -> nn.Module:
    """The recipe's generator alone, for weights that are loaded next; global random state stays as it is."""
    with seeded_layers(_CPU, 0, "weights"):
        return recipe.build(shape, rule)["generator"]()


def check_networks(recipe: Recipe, shape: tuple[int, ...], rule: Rule) -> None:
    """Raise the ValueError of a network that cannot be built for samples of this shape, without building any."""
    with torch.device("meta"):
        for make in recipe.build(shape, rule).values():
            make()


@torch.no_grad()
def check_outputs(recipe: Recipe, networks: dict[str, nn.Module], inputs: Tensor, shape: tuple[int, ...]) -> None:
    """Raise a ValueError if generator or discriminator return other shapes than training needs."""
    with evaluation_mode(networks.values()):
        fake, count = networks["generator"](inputs), len(inputs)
        if (found := tuple(fake.shape)) != (count, *shape):
            raise ValueError(f"the generator returns the shape {found} for {count} inputs, must be {(count, *shape)}")
        if (found := tuple(recipe.discriminate(networks, fake).shape)) != (count,):
            raise ValueError(f"the discriminator returns the shape {found} for {count} samples, must be {(count,)}")


def check_count(count: int) -> None:
    """Raise a ValueError if this is not a number of samples."""
    if operator.index(count) < 1:
        raise ValueError(f"count is {count}, must be at least 1")


@dataclass
class Sampler:
    """A generator in evaluation mode with its latents: `sample` makes samples."""

    recipe: Recipe
    modality: Modality
    generator: nn.Module
    device: torch.device

    def batches(self, seed: int = 0) -> Iterator[Samples]:
        """Endless batches of samples, a function of the seed."""
        random = private_generator(seed, "generate")
        while True:
            yield self.make(self.modality.inputs(self.recipe.prior, _BATCH, random))

    def sample(self, count: int, *, seed: int = 0) -> Samples:
        """Samples (count, ...) as they are saved; those of a smaller count are the first ones.

        Images are (N, H, W), or (N, 3, H, W) of RGB, uint8, white paper 255.
        """
        check_count(count)
        parts: list[Samples] = []
        for part in self.batches(seed):
            parts.append(part)
            if sum(map(len, parts)) >= count:
                break
        return np.concatenate(parts)[:count]

    def make(self, inputs: Tensor) -> Samples:
        """Samples of these inputs (N, ...) of the generator."""
        return self.modality.to_numpy(sample(self.generator, inputs.to(self.device), self.modality.make, _BATCH))


def save(path: str | Path, recipe: Recipe, modality: Modality, generator: nn.Module, *, is_own: bool) -> None:
    """Write a generator for `load`; `is_own` if the recipe did not build it.

    Raises:
        OSError: the file cannot be written; the old one is untouched.
        ValueError: the recipe could not be restored from its name and options.
    """
    check_restorable(recipe)
    described: dict[str, Any] = {"reggan": __version__, "recipe": to_json(recipe), "shape": modality.shape}
    if isinstance(modality, PointModality):
        described["mixture"] = {"centers": modality.mixture.centers.tolist(), "std": modality.mixture.std}
    if is_own:
        described["own_generator"] = f"{type(generator).__module__}:{type(generator).__qualname__}"
    tensors = {key: tensor.detach().clone().contiguous().cpu() for key, tensor in generator.state_dict().items()}
    atomic_write(Path(path), safetensors.torch.save(tensors, {"reggan": json.dumps(described)}))


def load(
    path: str | Path,
    *,
    rule: Rule | str = "connected",
    networks: Mapping[str, nn.Module] | None = None,
    modality: Modality | None = None,
    device: str = "cpu",
) -> Sampler:
    """Load a generator that `Trainer.save` wrote.

    Args:
        path: The file.
        rule: Scores images; making them does not depend on it.
        networks: {"generator": ...}, if the training used a generator of your own.
        modality: Needed for pairs, which are translated from data.
        device: Where to make samples.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, or does not fit the generator.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            described = json.loads((file.metadata() or {})["reggan"])
            recipe, shape = restore(described["recipe"]), tuple(described["shape"])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a generator that Trainer.save wrote: {error!r}") from error
    rule = resolve_rule(rule) if isinstance(rule, str) else rule
    if unknown := (networks or {}).keys() - {"generator"}:
        raise ValueError(f"networks has {', '.join(sorted(unknown))}, must have only the generator")
    generator = (networks or {}).get("generator")
    if generator is None:
        if own := described.get("own_generator"):
            raise ValueError(f"{path} holds the weights of a {own}; give networks={{'generator': ...}}")
        generator = build_generator(recipe, shape, rule)
    try:
        generator.load_state_dict(tensors)
    except RuntimeError as error:
        raise ValueError(f"{path} does not fit a {type(generator).__name__}: {error}") from error
    place = torch.device(check_device(device))
    found = modality or _modality(shape, rule, described.get("mixture"), path)
    return Sampler(recipe, found, generator.to(place).eval().requires_grad_(False), place)


def _modality(shape: tuple[int, ...], rule: Rule, mixture: dict[str, Any] | None, path: str | Path) -> Modality:
    if mixture is not None:
        return PointModality(Mixture(np.array(mixture["centers"]), mixture["std"]))
    if len(shape) == 3:
        return ImageModality((shape[0], shape[1], shape[2]), rule)
    raise ValueError(f"{path} translates pairs, which are data; give a modality")
