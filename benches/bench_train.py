"""Training throughput of a DCGAN step: ours against a plain loop after the PyTorch DCGAN tutorial.

Both have the same networks, data, batch and device. Like the tutorial, the plain loop uses float32, PyTorch's layers,
its memory format and a DataLoader over a TensorDataset, and reads its losses every 50 steps. First, a step of both
loops from equal weights, images and latents must give equal weights. Further benches: the share of a Harvest step spent
outside its networks, the gain from torch.compile, and the gain of translators that share an encoder.
"""

from __future__ import annotations

import argparse
import copy
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from reggan.config import TrainConfig
from reggan.data import load_batches
from reggan.files import write_json
from reggan.presets import preset
from reggan.recipes import Batch, Stage
from reggan.recipes.phases import exact_scores
from reggan.rules import Rule
from reggan.runs import make_trainer
from reggan.training import Step, Trainer

BLOCK = 4
"""Steps that are timed at once: few, so that the compared loops see the same state of the machine."""

TRANSLATORS = ("cyclegan", "cyclegan-fused")


class Plain:
    """The loop of the tutorial."""

    def __init__(self, config: TrainConfig, networks: dict[str, nn.Module], images: Tensor) -> None:
        latents = nn.Unflatten(1, (config.recipe.latent_dim, 1, 1))
        self.generator = nn.Sequential(latents, *_of_pytorch(networks["generator"]), nn.Tanh())
        self.discriminator = nn.Sequential(*_of_pytorch(networks["discriminator"]), nn.Flatten(0))
        self.latent_dim, self.device = config.recipe.latent_dim, config.device
        self.for_generator = torch.optim.Adam(self.generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.for_discriminator = torch.optim.Adam(self.discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
        self.criterion = nn.BCEWithLogitsLoss()
        self.loader = DataLoader(TensorDataset(images), batch_size=config.batch_size, shuffle=True, drop_last=True)

    def batches(self) -> Iterator[Tensor]:
        """Images of one epoch after the other."""
        while True:
            for (images,) in self.loader:
                yield images

    def step(self, real: Tensor, latents: Tensor) -> tuple[Tensor, Tensor]:
        """Discriminator, then generator; their losses."""
        ones, zeros = torch.ones(len(real), device=self.device), torch.zeros(len(real), device=self.device)
        self.discriminator.zero_grad()
        on_real = self.criterion(self.discriminator(real), ones)
        on_real.backward()
        fake = self.generator(latents)
        on_fake = self.criterion(self.discriminator(fake.detach()), zeros)
        on_fake.backward()
        self.for_discriminator.step()
        self.generator.zero_grad()
        loss = self.criterion(self.discriminator(fake), ones)
        loss.backward()
        self.for_generator.step()
        return on_real + on_fake, loss

    def blocks(self) -> Callable[[], None]:
        """A function that does BLOCK steps."""
        batches = self.batches()

        def block() -> None:
            for _ in range(BLOCK):
                real = next(batches).to(self.device)
                losses = self.step(real, torch.randn(len(real), self.latent_dim, device=self.device))
            for loss in losses:
                loss.item()

        return block


def _of_pytorch(network: nn.Module) -> list[nn.Module]:
    """The layers of a network of DCGAN as PyTorch has them, with copies of its weights in PyTorch's default layout."""
    layers: list[nn.Module] = []
    for layer in copy.deepcopy(network).to(memory_format=torch.contiguous_format).layers:
        for kind in (nn.Conv2d, nn.ConvTranspose2d):
            if isinstance(layer, kind) and type(layer) is not kind:
                sizes = layer.kernel_size, layer.stride, layer.padding
                plain = kind(layer.in_channels, layer.out_channels, *sizes, bias=False)
                plain.load_state_dict(layer.state_dict())
                layer = plain
        layers.append(layer)
    return layers


def ours(config: TrainConfig) -> Callable[[], None]:
    """Our loop: phases, moving average, exact scores of the data, a line of losses every ten steps."""
    trainer = make_trainer(config)
    data = config.open_data()
    batches = load_batches(data, config.batch_size * config.recipe.draws, seed=0)
    (stage,) = trainer.stages
    step = 0

    def block() -> None:
        nonlocal step
        for _ in range(BLOCK):
            step += 1
            batch = trainer._batch(next(batches), step)
            trainer._set_rates(step)
            figures = run_phases(trainer, stage, batch)
            trainer._average(step)
            if step % config.log_every == 0:
                for value in figures.values():
                    float(value)

    return block


def check(config: TrainConfig, images: Tensor) -> None:
    """Check that a step of both loops from the same weights gives the same weights."""
    trainer = make_trainer(config)
    plain = Plain(config, trainer.networks, images)
    real = images[: config.batch_size]
    batch = trainer._batch(((real + 1) * 127.5).round().to(torch.uint8), 1)
    latents = replace(batch, generator=batch.generator.clone_state()).noise(len(real), config.recipe.latent_dim)
    plain.step(batch.real, latents)
    for phase in trainer.stages[0].phases:
        trainer._run(phase, batch)
    for name, network in (("generator", plain.generator), ("discriminator", plain.discriminator)):
        found = trainer.networks[name].state_dict().values()
        for ours_, theirs in zip(found, network.state_dict().values(), strict=True):
            # Adam's first step has the size of the rate for any gradient; for gradients that are 0 up to rounding, its
            # sign is random.
            close = torch.isclose(ours_.float(), theirs.float(), rtol=1e-3, atol=1e-5).float().mean()
            assert close > 0.99, f"{name}: only {close:.1%} of the weights are equal"


def measure(config: TrainConfig, blocks: int) -> dict[str, Any]:
    equal = replace(config, precision="float32", recipe=replace(config.recipe, real_label=1.0, instance_noise=0.0))
    data = config.open_data()
    images = data.fetch(np.arange(data.length)).float().div(127.5).sub(1)
    check(equal, images)
    loops = {
        "plain": Plain(equal, make_trainer(equal).networks, images).blocks(),
        "equal settings": ours(equal),
        "our defaults": ours(config),
    }
    for loop in loops.values():
        loop()
    seconds: dict[str, list[float]] = {name: [] for name in loops}
    for _ in range(blocks):
        for name, loop in loops.items():
            began = time.perf_counter()
            loop()
            seconds[name].append(time.perf_counter() - began)
    rates = {name: BLOCK * config.batch_size / statistics.median(times) for name, times in seconds.items()}
    return {
        "images_per_second": {name: round(rate, 1) for name, rate in rates.items()},
        "ratios": {name: round(rate / rates["plain"], 3) for name, rate in rates.items()},
    }


def ruled() -> tuple[TrainConfig, Trainer, Iterator[Tensor]]:
    """A trainer of Harvest at the first step with the rule, and its data."""
    config = preset("quick", "harvest")
    # A small harvest, since it is not measured.
    recipe = replace(config.recipe, harvest_size=4096, acceptance=0.5)
    config = replace(config, recipe=recipe, data=replace(config.data, images=10_000))
    trainer = make_trainer(config)
    data = config.open_data()
    return config, trainer, load_batches(data, config.batch_size * config.recipe.draws, seed=0, device=config.device)


def run_phases(trainer: Trainer, stage: Stage, batch: Batch) -> dict[str, Tensor]:
    """Run the phases of one step; returns their losses and figures."""
    figures: dict[str, Tensor] = {}
    for phase in stage.phases:
        figures |= trainer._run(phase, batch)
    return figures


def shares(steps: int = 100) -> dict[str, float]:
    """Parts of a step of Harvest with the rule that are not spent in its networks."""
    config, trainer, batches = ruled()
    stage = trainer.stages[2]
    trainer._begin(stage, trainer._batch(next(batches), 0))
    spent = dict.fromkeys(("data", "scoring", "logging", "all"), 0.0)

    @contextmanager
    def clock(part: str) -> Iterator[None]:
        began = time.perf_counter()
        yield
        spent[part] += time.perf_counter() - began

    def scored(rule: Rule, images: Tensor) -> Tensor:
        with clock("scoring"):
            return exact_scores(rule, images)

    with mock.patch("reggan.recipes.harvest.exact_scores", scored):
        for number in range(1, 2 * steps + 1):
            if number == steps:
                spent.update(dict.fromkeys(spent, 0.0))
            with clock("all"):
                with clock("data"):
                    batch = trainer._batch(next(batches), number)
                trainer._set_rates(number)
                figures = run_phases(trainer, stage, batch)
                trainer._average(number)
                if number % config.log_every == 0:
                    with clock("logging"):
                        json.dumps(Step(number, stage, number, False, figures, trainer.ranks).metrics())
    return {part: round(seconds / spent["all"], 4) for part, seconds in spent.items() if part != "all"}


def compiled(steps: int = 60) -> dict[str, Any]:
    """Gain of torch.compile for a step of Harvest, and its compilation time."""
    config, eager, batches = ruled()
    other = make_trainer(config)
    for name in ("generator", "discriminator", "classifier"):
        other.networks[name].compile(dynamic=False)
    item, found = next(batches), {}
    for stage in eager.stages[1:3]:
        for trainer in (eager, other):
            trainer._begin(stage, trainer._batch(item, 0))
        began = time.perf_counter()
        for number in range(3):
            run_phases(other, stage, other._batch(item, number))
        seconds: dict[str, list[float]] = {"eager": [], "compiled": []}
        taken = time.perf_counter() - began
        for number in range(steps):
            for times, trainer in zip(seconds.values(), (eager, other), strict=True):
                began = time.perf_counter()
                run_phases(trainer, stage, trainer._batch(item, number))
                times.append(time.perf_counter() - began)
        ratio = statistics.median(seconds["eager"]) / statistics.median(seconds["compiled"])
        found[stage.name] = {"speed-up": round(ratio, 3), "seconds to compile": round(taken, 1)}
    return found


def translators(steps: int = 20) -> dict[str, Any]:
    """Speed of a step of two translators that share an encoder over CycleGAN's, on the same data."""
    config = preset("pairs", TRANSLATORS[0])
    trainers = {name: make_trainer(preset("pairs", name)) for name in TRANSLATORS}
    batches = load_batches(config.open_data(), config.batch_size)
    seconds: dict[str, list[float]] = {name: [] for name in TRANSLATORS}
    for number in range(steps + 2):
        item = next(batches)
        for name, trainer in trainers.items():
            began = time.perf_counter()
            run_phases(trainer, trainer.stages[0], trainer._batch(item, number))
            seconds[name].append(time.perf_counter() - began)
    medians = [statistics.median(times[2:]) for times in seconds.values()]
    sizes = [sum(part.numel() for part in trainer.networks["generator"].parameters()) for trainer in trainers.values()]
    return {
        "images_per_second": {n: round(config.batch_size / m, 1) for n, m in zip(TRANSLATORS, medians, strict=True)},
        "speed-up": round(medians[0] / medians[1], 3),
        "parameters of both ways": dict(zip(TRANSLATORS, sizes, strict=True)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blocks", type=int, default=40)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "docs" / "bench-train.json")
    options = parser.parse_args()
    config = replace(preset("quick", "dcgan"), device=options.device)
    config = replace(config, data=replace(config.data, images=10_000))
    results: dict[str, Any] = {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "precision": config.precision,
        "block_steps": BLOCK,
        "blocks": options.blocks,
    }
    for threads in (1, torch.get_num_threads()):
        torch.set_num_threads(threads)
        results[f"shares of a Harvest step, threads {threads}"] = parts = shares()
        print(f"shares of a Harvest step, threads {threads}: {parts}", flush=True)
        results[f"torch.compile, threads {threads}"] = found = compiled()
        print(f"torch.compile, threads {threads}: {found}", flush=True)
        results[f"translators, threads {threads}"] = found = translators()
        print(f"translators, threads {threads}: {found}", flush=True)
        for width in (24, 64):
            case = replace(config, recipe=replace(config.recipe, width=width))
            results[f"width {width}, threads {threads}"] = found = measure(case, options.blocks)
            print(f"width {width}, threads {threads}: {found}", flush=True)
    write_json(options.out, results, indent=1)


if __name__ == "__main__":
    main()
