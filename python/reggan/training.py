"""The trainer: a recipe, batches and a rule, in memory. It knows no directory, no table and no recipe by name."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .checkpoint import first_not_finite, flatten_state, restore_state
from .data.batches import BatchSource
from .devices import Precision, auto_precision, check_device
from .distributed import Ranks
from .modalities import KINDS, ImageModality, Modality, Samples, modality_of_batch
from .networks import evaluation_mode, sample
from .progress import Progress, deferred_interrupt
from .randomness import private_generator, seeded_layers
from .recipes import Batch, Phase, Recipe, Stage
from .recipes.phases import make_optimizers
from .rules import Rule, check_rule, resolve_rule
from .sampler import Sampler, build, check_count, check_outputs, load, save
from .schedule import Schedule

__all__ = ["Callback", "Diverged", "Sampler", "Step", "Stopped", "Trainer", "build", "load"]

_CHECKED = 100
"""Steps between checks that losses are finite, in `fit`."""


class Stopped(Exception):
    """A signal stopped the training between two steps."""


class Diverged(ArithmeticError):
    """A loss, or anything that a checkpoint would hold, is not finite."""


@dataclass(frozen=True)
class Step:
    """One step that was trained."""

    number: int
    """From 1 on, through all stages."""
    stage: Stage
    generator_step: int
    """Steps that have trained the generator so far."""
    begins: bool
    """Whether the stage began with this step."""
    stats: Mapping[str, Tensor]
    """Losses and other scalars of this rank, on the device, by "phase/name"."""
    ranks: Ranks

    @cached_property
    def _means(self) -> dict[str, float]:
        values = torch.tensor([float(value) for value in self.stats.values()], dtype=torch.float64)
        return dict(zip(self.stats, self.ranks.mean(values).tolist(), strict=True))

    def metrics(self) -> dict[str, float]:
        """Losses and other scalars by "phase/name", the mean over all ranks, which all call this.

        Raises:
            Diverged: one is not finite.
        """
        if not all(map(math.isfinite, self._means.values())):
            raise Diverged(f"training diverged at step {self.number}: {self._means}; try a smaller lr")
        return dict(self._means)


class Trainer:
    """Networks, optimizers, averages and the schedule of a training.

    `fit` trains to the end; `for step in trainer` does the same step by step, without progress or loss checks. Both
    continue where the last one stopped. Under torch.distributed all ranks do the same calls. Results are a function of
    the seed and the batches: give a DataLoader that shuffles a `generator` of its own.
    """

    def __init__(
        self,
        recipe: Recipe,
        batches: Any,
        *,
        rule: Rule | str = "connected",
        networks: Mapping[str, nn.Module] | None = None,
        steps: int = 1000,
        batch_size: int | None = None,
        seed: int = 0,
        device: str = "auto",
        precision: Precision = "auto",
        ema: float = 0.995,
        lr_decay: float = 0.0,
        lr_floor: float = 0.05,
        workers: int = 0,
        modality: Modality | None = None,
    ) -> None:
        """Build the networks and their optimizers.

        Args:
            recipe: How to train, such as `Repair(width=24)`.
            batches: A tensor or an array of all samples, any iterable of batches, such as a DataLoader, or a
                `SampleSet`. Images are (N, C, H, W) or (N, H, W), uint8 with white paper 255, or floats in [0, 1].
                A step takes `recipe.draws` batches. Batches of an iterable may differ in size.
            rule: What samples must obey: an object, or a text such as "connected & ink(0.1, 0.4)".
            networks: Networks of your own by the names of the recipe's: "generator", "discriminator", ... They are
                moved to the device and trained in place, except for parameters that need no gradient.
            steps: Steps of the generator's training; a recipe can have further steps before these.
            batch_size: Samples in a batch; by default that of the first batch, or 64 of samples in memory.
            seed: Seed of weights, latents and, of samples in memory, their order.
            device: "cpu", "cuda", "cuda:1", "mps", ...; "auto" is an accelerator where there is one.
            precision: bfloat16 computes convolutions in mixed precision; "auto" does so where that is faster.
            ema: Decay of the generator's moving average, which makes the samples; 0 for none.
            lr_decay: Share of the steps, at the end, over which all learning rates fall linearly; 0 for none.
            lr_floor: Where they stop falling, as a share of the initial rate.
            workers: Processes that fetch batches of a `SampleSet`.
            modality: Kind of the samples; by default images as in the first batch.

        Raises:
            TypeError: the recipe or the rule is not one.
            ValueError: an argument is out of range, the rule's scores are not usable, a network has no use in the
                recipe or cannot be built for samples of this shape, or the ranks cannot share a batch.
        """
        if not isinstance(recipe, Recipe):
            raise TypeError(f"recipe is {recipe!r}, must be an object such as reggan.recipes.Repair()")
        self.rule = resolve_rule(rule) if isinstance(rule, str) else rule
        if not isinstance(self.rule, Rule):
            raise TypeError(f"rule is {self.rule!r}, must be a reggan.Rule, or a text such as 'connected & ink'")
        size, self.recipe = 64 if batch_size is None else batch_size, recipe
        self.schedule = Schedule(steps, size, seed, device, precision, workers, ema, lr_decay, lr_floor)
        self.device = torch.device(check_device(device))
        self.precision = auto_precision(precision, str(self.device))
        self.ranks = Ranks.current()
        self.done = 0
        """Steps that are trained."""
        self.stopping = False
        """Whether `fit` ends after this step, so that callbacks should save what they have."""
        self.progress: Progress | None = None
        self.use(batches)
        if batch_size is None:
            self.schedule = replace(self.schedule, batch_size=self._source.batch_size)
        self.modality = modality or modality_of_batch(self._source.first(), self.rule)
        self._check()
        self._given = frozenset(networks or ())
        self.networks = build(recipe, self.modality.shape, self.rule, seed, networks)
        for network in self.networks.values():
            network.to(self.device).to(memory_format=torch.channels_last)
            self.ranks.synchronize(network)
        if self._given & {"generator", "discriminator"}:
            inputs = self.modality.inputs(recipe.prior, 2, private_generator(seed, "check")).to(self.device)
            with self._autocast():
                check_outputs(recipe, self.networks, inputs, self.modality.shape)
        self.stages = recipe.stages(steps, self.rule)
        self.total = sum(stage.steps for stage in self.stages)
        """Steps of all stages."""
        self._trained = {
            name: [parameter for parameter in network.parameters() if parameter.requires_grad]
            for name, network in self.networks.items()
        }
        self.optimizers = make_optimizers(self.stages, self._trained)
        self.averaged = copy.deepcopy(self.networks["generator"]).requires_grad_(False)
        """Moving average of the generator."""
        self._begin_again = False

    def _check(self) -> None:
        size, ranks, shape = self.schedule.batch_size, self.ranks.count, self.modality.shape
        if size % ranks:
            raise ValueError(f"batch_size is {size}, must be a multiple of the {ranks} ranks")
        if (kind := KINDS.get(len(shape), "other samples")) not in self.recipe.makes:
            raise ValueError(f"{type(self.recipe).__name__} makes {' or '.join(self.recipe.makes)}, not {kind}")
        if isinstance(self.modality, ImageModality):
            check_rule(self.rule, shape[1:])

    def use(self, batches: Any) -> None:
        """Take the real samples of the next steps from these batches; see the constructor."""
        seed, workers = self.schedule.seed, self.schedule.workers
        self._source = BatchSource(batches, seed=seed, workers=workers, device=self.device)

    def _batch(self, samples: Tensor, number: int) -> Batch:
        expected, found = self.modality.shape, tuple(samples.shape[1:])
        if found != expected:
            raise ValueError(f"samples have the shape {found}, and the networks were built for {expected}")

        def score() -> Tensor:
            return torch.from_numpy(self.modality.scores(self.modality.to_numpy(samples)))

        generator = private_generator(self.schedule.seed, "step", number)
        return Batch(self.modality.encode(samples), score, generator, ranks=self.ranks)

    def __iter__(self) -> Iterator[Step]:
        """Train step by step to the last one."""
        while self.done < self.total:
            yield self.step()

    def step(self) -> Step:
        """Train one step.

        Raises:
            ValueError: the training is finished, or there are no more batches.
        """
        if self.done >= self.total:
            raise ValueError(f"the training is finished: all {self.total:,} steps are done")
        number = self.done + 1
        stage, is_first, generator_step = self._locate(number)
        begins = is_first or (self._begin_again and stage.begin is not None)
        batch = self._batch(self._source.draw(self.schedule.batch_size * self.recipe.draws, self.done), number)
        stats: dict[str, Tensor] = {}
        with seeded_layers(self.device, self.schedule.seed, f"layers of rank {self.ranks.rank}", number):
            if begins and stage.begin is not None:
                with torch.no_grad(), self._autocast():
                    stats = {f"begin/{key}": value for key, value in stage.begin(self.everything(), batch).items()}
            self._set_rates(generator_step)
            try:
                for phase in stage.phases:
                    if number % phase.every == 0:
                        stats |= self._run(phase, batch)
            finally:
                self._train_only(*self.networks)
        if stage.trains_generator:
            self._average(generator_step)
        self.done, self._begin_again = number, False
        return Step(number, stage, generator_step, begins, stats, self.ranks)

    def fit(self, callbacks: Iterable[Callback] = (), *, log: bool = True) -> None:
        """Train to the last step, with progress on standard error.

        Args:
            callbacks: Each is called as callback(trainer, step) after each step. One that calls `stop` ends the
                training after this step, once all callbacks have run.
            log: Show progress.

        Raises:
            Stopped: Ctrl-C or SIGTERM came; the step was finished, and `fit` goes on from there.
            Diverged: a loss or a weight is not finite.
        """
        self.stopping, callbacks = False, tuple(callbacks)
        with (
            deferred_interrupt() as interrupt,
            closing(Progress(self.total, self.done, enabled=log and self.ranks.is_first)) as self.progress,
        ):
            for warning in filter(None, (self.recipe.warn(self.schedule.steps), self.modality.warn())):
                self.progress.note(warning)
            for step in self:
                if step.begins:
                    self.progress.note(f"{step.stage.name} begins at step {step.number:,}")
                if step.number % _CHECKED == 0:
                    step.metrics()
                self.stopping |= self.ranks.any(interrupt.is_set())
                self.progress.advance()
                for callback in callbacks:
                    callback(self, step)
                if self.stopping:
                    break
        self.check_finite()
        if interrupt.is_set() and self.done < self.total:
            raise Stopped(f"stopped at step {self.done} of {self.total}")

    def stop(self) -> None:
        """End `fit` after this step; for callbacks."""
        self.stopping = True

    @torch.no_grad()
    def sample(self, count: int, purpose: str = "samples") -> Samples:
        """Samples (count, ...) of the averaged generator as they are saved; equal for an equal purpose.

        Images are (N, H, W), or (N, 3, H, W) of RGB, uint8, white paper 255.
        """
        check_count(count)
        inputs = self.modality.inputs(self.recipe.prior, count, private_generator(self.schedule.seed, purpose))
        with self._autocast():
            return self.modality.to_numpy(sample(self.averaged, inputs.to(self.device), self.modality.make))

    @torch.no_grad()
    def evaluate(self, count: int = 512) -> dict[str, float]:
        """Mean exact score and metrics of `count` samples, and those that only this recipe has."""
        samples = self.sample(count, "evaluation")
        encoded = self.modality.encode(self.modality.to_tensor(samples).to(self.device))
        with self._autocast(), evaluation_mode(self.networks.values()):
            extra = self.recipe.extra_metrics(self.networks, encoded, self.rule)
        return self.modality.summarize(samples) | {key: float(value) for key, value in extra.items()}

    @torch.no_grad()
    def discriminate(self, samples: Tensor) -> Tensor:
        """Logits (N,) of the discriminator on samples (N, *shape), on the CPU."""
        with self._autocast(), evaluation_mode(self.networks.values()):
            return self.recipe.discriminate(self.networks, samples.to(self.device)).float().cpu()

    def everything(self) -> dict[str, nn.Module]:
        """The networks, and the moving average as "averaged"."""
        return {**self.networks, "averaged": self.averaged}

    def state_dict(self) -> dict[str, Tensor]:
        """Copies of all tensors of the training by name, and of its step.

        They are for `load_state_dict`, torch.save or safetensors.
        """
        counters = {"step": torch.tensor(self.done), "steps": torch.tensor(self.schedule.steps)}
        tensors = flatten_state(self.everything(), self.optimizers)
        return {**{name: tensor.detach().clone() for name, tensor in tensors.items()}, **counters}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Continue from a state of a trainer with the same recipe and networks.

        Samples in memory and sets continue at that step; an iterable of batches continues where it is. If `steps` is
        not that of the state, learning rates follow the new one, and a stage that has begun may begin again.

        Raises:
            ValueError: tensors are missing, left over, or of another shape, or the state has more steps than this
                training; nothing was changed.
        """
        tensors = dict(state)
        try:
            done, planned = (int(tensors.pop(name)) for name in ("step", "steps"))
        except KeyError as error:
            raise ValueError(f"the state has no {error}; it is not of a Trainer") from error
        if not 0 <= done <= self.total:
            raise ValueError(f"the state is at step {done}, but this training ends at {self.total}; give more steps")
        restore_state(tensors, self.everything(), self.optimizers, whole=True)
        self.done = done
        self._begin_again = planned != self.schedule.steps
        self._source.rewind()

    def save(self, path: str | Path) -> None:
        """Write the averaged generator to a safetensors file, for `reggan.training.load`.

        Raises:
            OSError: the file cannot be written; the old one is untouched.
        """
        save(path, self.recipe, self.modality, self.averaged, is_own="generator" in self._given)

    def check_finite(self) -> None:
        """Raise `Diverged` if anything that a checkpoint would hold is not finite."""
        if name := first_not_finite(flatten_state(self.everything(), self.optimizers)):
            raise Diverged(f"training diverged by step {self.done}: {name} is not finite; try a smaller lr")

    def _locate(self, number: int) -> tuple[Stage, bool, int]:
        """The stage of a step, whether it is the first of the stage, and the generator's steps up to it."""
        before = trained = 0
        for stage in self.stages:
            if number <= before + stage.steps:
                return stage, number == before + 1, trained + stage.trains_generator * (number - before)
            before += stage.steps
            trained += stage.trains_generator * stage.steps
        raise AssertionError(number)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16")

    def _set_rates(self, generator_step: int) -> None:
        """Let all learning rates fall linearly over the last part of the generator's training."""
        # A function of the step alone. LambdaLR counts calls instead, which is a state to restore for each optimizer,
        # and warns when it is called before its optimizer, as that of a later stage always is.
        schedule = self.schedule
        left = 1 - (generator_step - 1) / schedule.steps
        falling = min(1.0, left / schedule.lr_decay) if schedule.lr_decay else 1.0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * max(falling, schedule.lr_floor)

    def _run(self, phase: Phase, batch: Batch) -> dict[str, Tensor]:
        """One optimizer step; the other networks are held fixed."""
        # One phase can train on what the generator made in another.
        self._train_only(phase.updates, "generator")
        with self._autocast():
            loss, stats = phase.loss(self.networks, batch)
        optimizer = self.optimizers[phase.name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.average_gradients(self._trained[phase.updates])
        optimizer.step()
        return {f"{phase.name}/{key}": value for key, value in {"loss": loss.detach(), **stats}.items()}

    def _train_only(self, *names: str) -> None:
        """Compute gradients for these networks only; what the user froze stays frozen."""
        for name, parameters in self._trained.items():
            for parameter in parameters:
                parameter.requires_grad_(name in names)

    @torch.no_grad()
    def _average(self, steps_done: int) -> None:
        """Move the averaged generator toward the trained one; early on the decay is shorter than `ema`."""
        # AveragedModel copies at its first update, and counts updates in a buffer that checkpoints would have to hold.
        decay = min(self.schedule.ema, steps_done / (steps_done + 9))
        trained, averaged = self.networks["generator"].state_dict(), self.averaged.state_dict()
        moved = [key for key, value in averaged.items() if value.is_floating_point()]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move([averaged[key] for key in moved], [trained[key] for key in moved], steps_done)
        for key in averaged.keys() - moved:
            averaged[key].copy_(trained[key])


Callback = Callable[[Trainer, Step], None]
"""Called after each step of `Trainer.fit`."""
