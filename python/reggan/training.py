"""Training: one linear loop over the phases of a recipe, and the run directory that it leaves.

A run directory holds config.json, metrics.jsonl, timings.jsonl, samples/, checkpoints/ and summary.json, and of these
`reggan.report` makes report.html. All but timings.jsonl is a function of the configuration: a run that was stopped or
killed and is resumed ends with the same bytes as an unbroken one on the same machine.
"""

from __future__ import annotations

import copy
import io
import json
import math
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.swa_utils import get_ema_multi_avg_fn

from . import __version__
from .checkpoint import (
    FORMAT,
    Part,
    check_format,
    config_path,
    first_not_finite,
    flatten_state,
    list_checkpoints,
    load_checkpoint,
    prune_checkpoints,
    restore_matching,
    restore_state,
    save_checkpoint,
)
from .config import TrainConfig, config_from_json, config_to_json
from .data import Item, SampleSet, load_batches
from .distributed import Ranks
from .domains import Domain, Opinion, Samples
from .files import atomic_write, to_json, write_json
from .networks import evaluation_mode, sample
from .progress import Progress, deferred_interrupt, note
from .recipes import Batch, Phase, Stage
from .rules import Rule, check_rule, resolve_rule
from .runs import Changes, changes, check_data, record_changes, train_alone

__all__ = [
    "Diverged",
    "Stopped",
    "create_run",
    "find_device",
    "fit",
    "generate",
    "has_begun",
    "load_generator",
    "load_networks",
    "open_run",
    "resolve",
    "seconds_trained",
]


class Stopped(Exception):
    """Training was stopped by a signal, after a checkpoint was saved."""


class Diverged(ArithmeticError):
    """A loss, or anything that a checkpoint would hold, is not finite."""


def resolve(config: TrainConfig) -> TrainConfig:
    """Put what "auto" stands for on this machine into a configuration.

    Raises:
        ValueError: the device is unknown, or not there; the recipe cannot be trained on such data; or what the rule
            gives are no scores.
    """
    if config.data.kind not in config.recipe.makes:
        can = " or ".join(config.recipe.makes)
        raise ValueError(f"recipe {config.recipe.name} makes {can}, and the data are {config.data.kind}")
    name = find_device(config.device)
    if config.data.kind == "images":
        check_rule(resolve_rule(config.rule), config.size)
    precision = config.precision
    if precision == "auto":
        precision = "bfloat16" if _has_fast_bfloat16(torch.device(name)) else "float32"
    return replace(config, device=name, precision=precision)


def find_device(name: str) -> str:
    """The device of this name; of "auto" the accelerator, or where there is none, the CPU.

    Raises:
        ValueError: it is unknown, or not there.
    """
    accelerator = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    found = name if name != "auto" else str(accelerator or "cpu")
    try:
        torch.empty(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device is {name!r}, which cannot be used here: {reason}; choose another with --device"
        ) from error
    return found


def _has_fast_bfloat16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        capabilities = torch.cpu.get_capabilities()
        if "AMD" in capabilities.get("cpu_name", ""):
            return bool(capabilities.get("avx512_bf16"))
        # Intel's AVX-512 is slower in it than in float32: a product of 1,024 squared by 1.7, a step by 1.25.
        return bool(capabilities.get("amx_bf16"))
    return False


def create_run(run: Path, config: TrainConfig) -> None:
    """Make a run directory for a resolved configuration.

    Raises:
        FileExistsError: the directory exists and is not empty.
        OSError: it cannot be made.
    """
    try:
        run.mkdir(parents=True, exist_ok=True)
        if any(run.iterdir()):
            raise FileExistsError
        for part in ("samples", "checkpoints"):
            (run / part).mkdir()  # Of two processes that make one run at once, the other one fails here.
    except FileExistsError:
        go_on = ", or go on with --resume" if (run / "config.json").is_file() else ""
        raise FileExistsError(
            f"{run} exists already and is not an empty directory; name another with --run{go_on}"
        ) from None
    made_by = {
        "reggan": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "threads": torch.get_num_threads(),
    }
    described = {"format": FORMAT, "made_by": made_by, "config": config_to_json(config)}
    write_json(run / "config.json", described, indent=2)


def open_run(run: Path) -> TrainConfig:
    """Read the configuration of a run directory.

    Raises:
        ValueError: the directory is missing, is no run directory, is damaged, or is of another version.
    """
    path = config_path(run)
    try:
        described = json.loads(path.read_text(encoding="utf-8"))
        found = described["format"]
        raw = described["config"]
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}") from error
    check_format(str(run), found)
    try:
        return config_from_json(raw)
    except ValueError as error:
        raise ValueError(f"{path} cannot be used here, is damaged or of another version: {error}") from error


def has_begun(run: Path) -> bool:
    """Whether a run directory holds anything of a training."""
    metrics = run / "metrics.jsonl"
    return _find_checkpoint(run) is not None or (metrics.exists() and metrics.stat().st_size > 0)


def private_generator(seed: int, purpose: str, step: int = 0) -> torch.Generator:
    """A CPU generator that is a function of (seed, purpose, step)."""
    words = np.random.SeedSequence((seed, step, *purpose.encode())).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(words[0]) >> 1)


@contextmanager
def _global_generators_kept(device: str) -> Iterator[None]:
    """Let layers such as dropout, which draw from torch's global generators, leave no trace in them."""
    kind = torch.device(device).type
    devices = range(0 if kind == "cpu" else torch.get_device_module(kind).device_count())
    with torch.random.fork_rng(devices, device_type="cuda" if kind == "cpu" else kind):
        yield


def _build(config: TrainConfig) -> dict[str, nn.Module]:
    """The recipe's networks on the CPU, with weights that are a function of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(private_generator(config.seed, "weights").initial_seed())
        return config.recipe.build(config.domain.shape, resolve_rule(config.rule))


def _make_optimizers(stages: tuple[Stage, ...], parameters: dict[str, list[nn.Parameter]]) -> dict[str, Optimizer]:
    """The optimizer of each name that phases have; each group of parameters keeps its rate as "initial_lr".

    Raises:
        ValueError: phases of one name differ in their network or optimizer, or there is no such network.
    """
    phases: dict[str, Phase] = {}
    for phase in (phase for stage in stages for phase in stage.phases):
        if phase.updates not in parameters:
            raise ValueError(f"phase {phase.name!r} updates {phase.updates!r}, must be one of {', '.join(parameters)}")
        first = phases.setdefault(phase.name, phase)
        for what, one, other in (
            ("networks", first.updates, phase.updates),
            ("optimizers", _described(first.optimizer), _described(phase.optimizer)),
        ):
            if one != other:
                raise ValueError(f"two phases named {phase.name!r} have different {what}; give each a name of its own")
    optimizers = {name: phase.optimizer(parameters[phase.updates]) for name, phase in phases.items()}
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
    return optimizers


def _described(make: Callable[..., Optimizer]) -> object:
    """What makes an optimizer, equal for equal partials, which compare by identity."""
    return (make.func, make.args, make.keywords) if isinstance(make, partial) else make


@dataclass
class _Trainer:
    """What is trained, and what trains it."""

    config: TrainConfig
    domain: Domain
    rule: Rule
    stages: tuple[Stage, ...]
    networks: dict[str, nn.Module]
    parameters: dict[str, list[nn.Parameter]]
    """Those of each network."""
    optimizers: dict[str, Optimizer]
    averaged: nn.Module
    """Moving average of the generator."""
    ranks: Ranks

    @classmethod
    def create(cls, config: TrainConfig) -> _Trainer:
        ranks = Ranks.current()
        if config.batch_size % ranks.count:
            raise ValueError(f"batch_size is {config.batch_size}, must be a multiple of the {ranks.count} ranks")
        rule = resolve_rule(config.rule)
        networks = _build(config)
        for network in networks.values():
            network.to(config.device).to(memory_format=torch.channels_last)
            ranks.synchronize(network)
        parameters = {name: list(network.parameters()) for name, network in networks.items()}
        stages = config.recipe.stages(config.steps, rule)
        optimizers = _make_optimizers(stages, parameters)
        averaged = copy.deepcopy(networks["generator"]).requires_grad_(False)
        return cls(config, config.domain, rule, stages, networks, parameters, optimizers, averaged, ranks)

    def autocast(self) -> torch.autocast:
        device = torch.device(self.config.device).type
        return torch.autocast(device, torch.bfloat16, enabled=self.config.precision == "bfloat16")

    def set_rates(self, generator_step: int) -> None:
        """Let all rates fall linearly over the last part of the generator's training, to the same part of each."""
        # A function of the step alone. LambdaLR counts calls instead, a state to restore for each optimizer, and warns
        # where it is called before its optimizer, as that of a later stage always is.
        left = 1 - (generator_step - 1) / self.config.steps
        falling = min(1.0, left / self.config.decay) if self.config.decay else 1.0
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group["lr"] = group["initial_lr"] * max(falling, self.config.last_rate)

    @torch.no_grad()
    def begin(self, stage: Stage, batch: Batch) -> dict[str, Tensor]:
        """What the stage does once, before its first step."""
        if stage.begin is None:
            return {}
        with self.autocast():
            stats = stage.begin(self.everything(), batch)
        return {f"begin/{key}": value for key, value in stats.items()}

    def batch(self, item: Item, step: int) -> Batch:
        samples, scores, classes = (tensor.to(self.config.device, non_blocking=True) for tensor in item)
        generator = private_generator(self.config.seed, "step", step)
        return Batch(self.domain.encode(samples), scores, classes, generator, ranks=self.ranks)

    def seed_layers(self, step: int) -> None:
        """Make what layers such as dropout draw, from torch's global generators, a function of (seed, step, rank)."""
        seed = private_generator(self.config.seed, f"layers of rank {self.ranks.rank}", step).initial_seed()
        # The latter seeds all devices, and costs more where there is an accelerator that is not used.
        on_cpu = torch.device(self.config.device).type == "cpu"
        (torch.default_generator.manual_seed if on_cpu else torch.manual_seed)(seed)

    def run_phase(self, phase: Phase, batch: Batch) -> dict[str, Tensor]:
        """One optimizer step; the other networks are held fixed."""
        for name, parameters in self.parameters.items():
            # What the generator makes in one phase is trained on in another.
            for parameter in parameters:
                parameter.requires_grad_(name in (phase.updates, "generator"))
        with self.autocast():
            loss, stats = phase.loss(self.networks, batch)
        optimizer = self.optimizers[phase.name]
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.ranks.average_gradients(self.parameters[phase.updates])
        optimizer.step()
        return {f"{phase.name}/{key}": value for key, value in {"loss": loss.detach(), **stats}.items()}

    def check_finite(self, step: int) -> None:
        """Raise `Diverged` if anything that a checkpoint would hold is not finite."""
        if name := first_not_finite(flatten_state(self.everything(), self.optimizers)):
            raise Diverged(f"training diverged by step {step}: {name} is not finite; try a smaller --lr")

    @torch.no_grad()
    def average(self, steps_done: int) -> None:
        """Move the averaged generator toward the trained one; early on the decay is shorter than `ema`."""
        # AveragedModel copies at its first update, and counts updates in a buffer that checkpoints would have to hold.
        decay = min(self.config.ema, steps_done / (steps_done + 9))
        trained, averaged = self.networks["generator"].state_dict(), self.averaged.state_dict()
        moved = [key for key, value in averaged.items() if value.is_floating_point()]
        move = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        move([averaged[key] for key in moved], [trained[key] for key in moved], steps_done)
        for key in averaged.keys() - moved:
            averaged[key].copy_(trained[key])

    def sample(self, count: int, purpose: str) -> Samples:
        """Samples (count, ...) of the averaged generator, as they are saved: equal for an equal purpose."""
        inputs = self.domain.inputs(self.config.recipe.prior, count, private_generator(self.config.seed, purpose))
        with self.autocast():
            return generate(self.averaged, inputs.to(self.config.device), self.domain)

    def evaluate(self) -> dict[str, float]:
        """Exact scores and metrics of samples, and what the recipe has to say of them."""
        samples = self.sample(self.config.eval_images, "evaluation")
        seen = self.domain.encode(self.domain.tensor(samples).to(self.config.device))
        with torch.no_grad(), self.autocast(), evaluation_mode(self.networks.values()):
            extra = self.config.recipe.monitor(self.networks, seen, self.rule)
        figures = self.domain.summarize(samples) | {key: float(value) for key, value in extra.items()}
        return {f"samples/{key}": value for key, value in figures.items()}

    @torch.no_grad()
    def opinion(self, samples: Tensor) -> Tensor:
        """What the discriminator thinks of samples (N, *shape) on the CPU: logits (N,)."""
        with self.autocast(), evaluation_mode(self.networks.values()):
            return self.config.recipe.opinion(self.networks, samples.to(self.config.device)).float().cpu()

    def means(self, figures: dict[str, Tensor]) -> dict[str, float]:
        """Figures of a step, of all ranks together."""
        values = torch.tensor([float(value) for value in figures.values()], dtype=torch.float64)
        return dict(zip(figures, self.ranks.mean(values).tolist(), strict=True))

    def everything(self) -> dict[str, nn.Module]:
        return {**self.networks, "averaged": self.averaged}


def generate(generator: nn.Module, inputs: Tensor, domain: Domain, batch_size: int = 256) -> Samples:
    """Samples (N, ...) of inputs (N, ...), as they are saved; the generator is left in evaluation mode.

    Images are (N, H, W), or (N, 3, H, W) of RGB, uint8, white paper 255.
    """
    return domain.array(sample(generator, inputs, domain.make, batch_size))


def load_generator(run: Path, checkpoint: str = "last", device: str = "cpu") -> tuple[TrainConfig, nn.Module]:
    """Load the averaged generator of a run: (configuration, module in evaluation mode). See `load_networks`.

    Of the checkpoint's tensors only the generator's are read.
    """
    config, tensors = _read(run, checkpoint, ("generator",))
    averaged = {"averaged": _build(config)["generator"]}
    return config, _restored(averaged, tensors, device)["averaged"]


def load_networks(run: Path, checkpoint: str = "last", device: str = "cpu") -> tuple[TrainConfig, dict[str, nn.Module]]:
    """Load the networks of a run, in evaluation mode; "averaged" is the generator's moving average.

    Args:
        run: run directory.
        checkpoint: "last" or "best".
        device: where to put them.

    Raises:
        ValueError: no run directory, no such checkpoint, or a damaged one.
    """
    config, tensors = _read(run, checkpoint, ("generator", "state"))
    networks = _build(config)
    networks["averaged"] = copy.deepcopy(networks["generator"])
    return config, _restored(networks, tensors, device)


def _read(run: Path, checkpoint: str, parts: Iterable[Part]) -> tuple[TrainConfig, dict[str, Tensor]]:
    config = open_run(run)
    path = _find_checkpoint(run, {"last": "step", "best": "best"}[checkpoint])
    if path is None:
        raise ValueError(f"{run} has no {checkpoint} checkpoint")
    return config, load_checkpoint(path, parts)[0]


def _restored(networks: dict[str, nn.Module], tensors: dict[str, Tensor], device: str) -> dict[str, nn.Module]:
    restore_state(tensors, networks, {})
    return {name: network.to(device).eval().requires_grad_(False) for name, network in networks.items()}


def _find_checkpoint(run: Path, kind: str = "step") -> Path | None:
    found = list_checkpoints(run / "checkpoints", kind)
    return found[-1] if found else None


def _schedule(stages: tuple[Stage, ...], start: int, anew: bool) -> Iterator[tuple[int, Stage, bool, int]]:
    """The steps after `start`: number, stage, whether it begins there, steps that trained the generator up to it.

    With `anew` the first of them does what its stage does once: under another schedule that may not have been done.
    """
    step = generator_step = 0
    for stage in stages:
        for k in range(stage.steps):
            step += 1
            generator_step += stage.makes_samples
            if step > start:
                again = anew and step == start + 1 and stage.begin is not None
                yield step, stage, k == 0 or again, generator_step


def _rewind(path: Path, step: int) -> None:
    """Drop the lines of a JSONL file after this step, and a last line that a crash cut short."""
    kept: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []:
        try:
            if not line.endswith("\n") or json.loads(line)["step"] > step:
                break
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged in line {len(kept) + 1}: {line.strip()[:60]!r}") from error
        kept.append(line)
    atomic_write(path, "".join(kept))


def seconds_trained(run: Path) -> float:
    """Seconds that a run was trained for up to its last line of timings.jsonl, in all the sittings that it took."""
    path = run / "timings.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return float(json.loads(lines[-1])["seconds"]) if lines else 0.0


@contextmanager
def _last_good_named(run: Path) -> Iterator[None]:
    """Let the error of a training that diverges say which checkpoint is left."""
    try:
        yield
    except Diverged as error:
        last = _find_checkpoint(run)
        good = f"{last} is the last good checkpoint; --init {run} starts from it" if last else "no checkpoint was saved"
        raise Diverged(f"{error}; {good}") from error


def _append(path: Path, figures: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(to_json(figures))


def _first(domain: Domain, data: SampleSet, count: int) -> Samples:
    samples, _, _ = data.items(np.arange(min(count, data.length or count)))
    return domain.array(samples)


def _describe(domain: Domain, data: SampleSet, first: Samples, figures: dict[str, float]) -> list[str]:
    """Lines about data, of which these are the first with their figures, from as many spread over the whole set.

    Folders are often sorted: the first pictures need not be like the others.
    """
    if data.length > len(first):
        samples, _, _ = data.items(np.linspace(0, data.length - 1, len(first)).astype(np.int64))
        first = domain.array(samples)
        figures = domain.summarize(first)
    return domain.describe(first, figures, data)


def _draw(run: Path, name: str, domain: Domain, samples: Samples, opinion: Opinion | None = None) -> None:
    for suffix, picture in domain.draw(samples, opinion).items():
        content = io.BytesIO()
        picture.save(content, "PNG")
        atomic_write(run / "samples" / f"{name}{suffix}.png", content.getvalue())


def fit(
    run: Path, *, config: TrainConfig | None = None, until: int | None = None, log: bool = True
) -> dict[str, dict[str, float]]:
    """Train what a run directory's configuration says, from its last checkpoint if there is one.

    If torch.distributed is initialized, all ranks call this; the first one writes. A finished run stays as it is.

    Args:
        run: directory made by `create_run`; its configuration is resolved.
        config: what to go on with, resolved: the run's own configuration with another number of steps, another device,
            or the same data in another place. config.json then says so.
        until: leave off after this step, with a checkpoint.
        log: show progress on standard error.

    Returns:
        Summary of the "data" and of the "generator": mean exact score and metrics by name; nothing if it left off.

    Raises:
        Stopped: Ctrl-C or SIGTERM came, and a checkpoint was saved.
        RunInUse: another process trains this run.
        ValueError: the run directory, its last checkpoint or the run that it starts from cannot be used; its data are
            not those that it began with; `config` changes something else; or the ranks cannot share the batch.
        Diverged: a loss, or anything that would be saved, is not finite; names the last good checkpoint.
        OSError: something cannot be written; the checkpoints before are still there.
    """
    open_run(run)  # What is not a run gets no lock.
    ranks = Ranks.current()
    with train_alone(run, ranks):
        return _fit(run, ranks, config, until, log and ranks.is_first)


def _fit(
    run: Path, ranks: Ranks, config: TrainConfig | None, until: int | None, log: bool
) -> dict[str, dict[str, float]]:
    kept = ranks.first(open_run(run))  # To others it may already be changed.
    changed = changes(kept, config or kept)
    config = resolve(config or kept)
    trainer = _Trainer.create(config)
    checkpoints, metrics, timings = run / "checkpoints", run / "metrics.jsonl", run / "timings.jsonl"
    done, best, planned, known = 0, -math.inf, config.steps, None
    if (last := _find_checkpoint(run)) is not None:
        tensors, info = load_checkpoint(last)
        restore_state(tensors, trainer.everything(), trainer.optimizers)
        done, best = info["step"], -math.inf if info["best"] is None else info["best"]
        planned, known = info.get("steps", kept.steps), info.get("data")
    elif config.init is not None:
        _start_from(Path(config.init), trainer, log)
    domain, stages = trainer.domain, trainer.stages
    total = sum(stage.steps for stage in stages)
    end = total if until is None else min(until, total)
    if "steps" in changed and total <= done:
        raise ValueError(f"{run} is at step {done}, and with steps {config.steps} it would end at {total}; give more")
    if done >= end < total:
        return {}
    finished = ranks.first(done == total and (run / "summary.json").exists())
    if finished and changed.keys() <= {"device"}:
        return _finish(run, done, log)
    data = config.data.open(config.size, trainer.rule, log=log)
    if known is not None:
        check_data(run, known, data.fingerprints)
    if ranks.is_first and changed:
        record_changes(run, config, changed, done)
        _say(changed, done, log)
    if finished:
        return _finish(run, done, log)
    trainer.domain = domain = domain.given(data)
    first = _first(domain, data, config.eval_images)
    reference = domain.summarize(first)
    if ranks.is_first:
        for path in (metrics, timings):
            _rewind(path, done)
        (run / "summary.json").unlink(missing_ok=True)  # There is one of fewer steps, if it goes on with more.
        _draw(run, "data", domain, _first(domain, data, domain.drawn))
    before = seconds_trained(run) if ranks.is_first else 0.0  # To others a last line may still be cut short.
    batches = load_batches(
        data,
        config.batch_size * config.recipe.draws,
        seed=config.seed,
        start=done,
        workers=config.workers,
        device=config.device,
    )

    def save(kind: str, step: int, keep: int) -> None:
        info = {
            "step": step,
            "best": best if math.isfinite(best) else None,
            "steps": config.steps,
            "data": [asdict(fingerprint) for fingerprint in data.fingerprints],
        }
        save_checkpoint(
            checkpoints, f"{kind}-{step:08d}", flatten_state(trainer.everything(), trainer.optimizers), info
        )
        prune_checkpoints(checkpoints, kind, keep)

    if ranks.is_first and config.init is not None and not done:
        save("step", 0, keep=2)  # What the run starts from is not needed after this.

    with (
        deferred_interrupt() as stop,
        closing(Progress(total, done, enabled=log)) as progress,
        _global_generators_kept(config.device),
        _last_good_named(run),
    ):
        if warning := config.recipe.warn(config.steps):
            progress.note(warning)
        for description in _describe(domain, data, first, reference) if log else ():
            progress.note(description)
        for step, stage, begins, generator_step in _schedule(stages, done, planned != config.steps):
            batch = trainer.batch(next(batches), step)
            trainer.seed_layers(step)
            if begins:
                progress.note(f"{stage.name} begins at step {step:,}")
            figures = trainer.begin(stage, batch) if begins else {}
            trainer.set_rates(generator_step)
            for phase in stage.phases:
                if step % phase.every == 0:
                    figures |= trainer.run_phase(phase, batch)
            if stage.makes_samples:
                trainer.average(generator_step)
            progress.advance()

            line: dict[str, float] = {}
            if step % config.log_every == 0 or step == total or (begins and stage.begin is not None):
                line = trainer.means(figures)
                if not all(map(math.isfinite, line.values())):
                    raise Diverged(f"training diverged at step {step}: {line}; try a smaller --lr")
            stopping = ranks.any(stop.is_set())
            evaluates = stage.makes_samples and (generator_step % config.eval_every == 0 or step == total)
            draws = stage.makes_samples and (generator_step % config.sample_every == 0 or step == total)
            saves = step % config.checkpoint_every == 0 or step == end or stopping
            if evaluates or draws or saves:
                trainer.check_finite(step)
            if ranks.is_first:
                if evaluates:
                    line |= trainer.evaluate()
                    progress.show({key: line[f"samples/{key}"] for key in domain.shown})
                if line:
                    _append(metrics, {"step": step, "stage": stage.name, "generator_step": generator_step, **line})
                    rate = (step - done) * config.batch_size / progress.seconds
                    _append(timings, {"step": step, "seconds": before + progress.seconds, "images_per_second": rate})
                found = {key.removeprefix("samples/"): value for key, value in line.items()}
                if line.get("samples/score", -math.inf) > best and domain.looks_like(found, reference):
                    best = line["samples/score"]
                    save("best", step, keep=1)
                if draws:
                    _draw(run, f"step-{step:08d}", domain, trainer.sample(domain.drawn, "sheet"), trainer.opinion)
                if saves:
                    save("step", step, keep=2)
            if stopping and step < total:
                raise Stopped(f"stopped at step {step} of {total}")
            if step == end:
                break

    if end < total:
        return {}
    summary = ranks.first(_summarize_run(run, trainer, data) if ranks.is_first else {})
    return cast(dict[str, dict[str, float]], summary)


def _start_from(source: Path, trainer: _Trainer, log: bool) -> None:
    """Give the networks the weights of another run's last checkpoint, where their shapes are the same."""
    open_run(source)
    path = _find_checkpoint(source)
    if path is None:
        raise ValueError(f"{source}, which --init names, has no checkpoint yet")
    tensors, info = load_checkpoint(path)
    taken, left = restore_matching(tensors, trainer.everything())
    if "generator" not in taken:
        raise ValueError(
            f"{source}, which --init names, has a generator of another shape; give the same recipe, size and width"
        )
    if log:
        others = f"; not in it, or of other shapes, and therefore new: {', '.join(left)}" if left else ""
        note(f"starts from step {info['step']:,} of {source}: {', '.join(taken)}{others}")


def _say(changed: Changes, step: int, log: bool) -> None:
    for name, values in changed.items() if log else ():
        holds = "these are the same data" if name.startswith("data") else "the numbers are not those of an unbroken run"
        note(f"{name} is {values['to']} after step {step:,}, and was {values['from']}: {holds}")


def _finish(run: Path, step: int, log: bool) -> dict[str, dict[str, float]]:
    """The summary that a finished run has."""
    path = run / "summary.json"
    try:
        summary = json.loads(path.read_text(encoding="utf-8"))["summary"]
    except (UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged: {error!r}; remove it to have it made again") from error
    if log:
        note(f"{run} is already finished at step {step:,}; --steps with a higher number trains on")
    return cast(dict[str, dict[str, float]], summary)


def _summarize_run(run: Path, trainer: _Trainer, data: SampleSet) -> dict[str, dict[str, float]]:
    """Write summary.json: figures and exact scores of as many data as generated samples."""
    domain = trainer.domain
    samples = {
        "data": _first(domain, data, domain.summarized),
        "generator": trainer.sample(domain.summarized, "summary"),
    }
    summary = {name: domain.summarize(those) for name, those in samples.items()}
    scores = {name: [round(float(s), 6) for s in domain.scores(those)] for name, those in samples.items()}
    write_json(run / "summary.json", {"summary": summary, "scores": scores}, indent=1)
    return summary
