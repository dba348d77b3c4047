"""Run directories: a trainer with everything that it leaves on the disk.

A run directory holds config.json, metrics.jsonl, timings.jsonl, samples/, checkpoints/ and summary.json;
`reggan.report` makes report.html from these. All but timings.jsonl is a function of the configuration: a run that was
stopped or killed and is resumed ends with the same bytes as an unbroken one on the same machine.
"""

from __future__ import annotations

import copy
import math
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from functools import reduce
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from . import __version__
from .checkpoint import (
    FORMAT,
    Part,
    check_format,
    config_path,
    list_checkpoints,
    load_checkpoint,
    read_info,
    restore_matching,
    restore_state,
)
from .config import TrainConfig, config_from_json, config_to_json
from .data import Fingerprint
from .devices import auto_device, check_device
from .distributed import Ranks
from .files import read_json, write_json
from .locks import train_alone
from .options import flatten
from .progress import note
from .recipes import check_restorable
from .recording import Recorder, Summary
from .sampler import Sampler, build, build_generator
from .schedule import Schedule
from .training import Callback, Diverged, Trainer

__all__ = ["RunDirectory", "make_trainer"]

Changes = dict[str, dict[str, Any]]
"""Values "from" and "to" of options, by their path in the configuration."""

_CHANGEABLE = ("steps", "device", "data.path", "data.first.path", "data.second.path")
"""Options that may change when a run is resumed, by their path in the configuration."""


@dataclass
class RunDirectory:
    """A run directory and its configuration; `create` makes one, `open` reads one."""

    path: Path
    config: TrainConfig
    changed: Changes = field(default_factory=dict)
    """What differs from config.json, which is written when the training goes on."""

    @classmethod
    def create(cls, path: str | Path, config: TrainConfig) -> RunDirectory:
        """Make a run directory.

        Raises:
            FileExistsError: the directory exists and is not empty.
            OSError: it cannot be made.
            ValueError: config.json could not name the recipe.
        """
        path = Path(path)
        check_restorable(config.recipe)
        try:
            path.mkdir(parents=True, exist_ok=True)
            if any(path.iterdir()):
                raise FileExistsError
            for part in ("samples", "checkpoints"):
                (path / part).mkdir()  # If two processes make one run at once, the second one fails here.
        except FileExistsError:
            go_on = ", or go on with --resume" if (path / "config.json").is_file() else ""
            raise FileExistsError(
                f"{path} exists already and is not an empty directory; name another with --run{go_on}"
            ) from None
        made_by = {
            "reggan": __version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "threads": torch.get_num_threads(),
        }
        described = {"format": FORMAT, "made_by": made_by, "config": config_to_json(config)}
        write_json(path / "config.json", described, indent=2)
        return cls(path, config)

    @classmethod
    def open(cls, path: str | Path, changes: Mapping[str, Any] | None = None) -> RunDirectory:
        """Read a run directory.

        Args:
            path: The directory.
            changes: Options to go on with, by their path in the configuration: "steps", "device", or "data.path",
                "data.first.path" and "data.second.path" for the same images in another place.

        Raises:
            ValueError: the directory is missing, is not a run directory, is damaged or of another version; or an
                option cannot change.
        """
        path = Path(path)
        raw = _read_config(path)
        before = flatten(raw)
        for key, value in (changes or {}).items():
            if key not in _CHANGEABLE:
                raise ValueError(f"{key} cannot change in a run that goes on; --init starts a new one from its weights")
            if key not in before:
                raise ValueError(f"the run has no {key}; --data needs as many paths as the run began with")
            *parents, name = key.split(".")
            reduce(dict.__getitem__, parents, raw)[name] = auto_device(value) if name == "device" else value
        try:
            config = config_from_json(raw)
        except ValueError as error:
            where = path / "config.json"
            raise ValueError(f"{where} cannot be used here, is damaged or of another version: {error}") from error
        after = flatten(config_to_json(config))
        changed = {key: {"from": before[key], "to": after[key]} for key in before if before[key] != after[key]}
        return cls(path, config, changed)

    @property
    def step(self) -> int:
        """Step of the last checkpoint; 0 without one."""
        last = self.find_checkpoint()
        return int(last.stem.rpartition("-")[2]) if last else 0

    @property
    def has_begun(self) -> bool:
        """Whether the directory holds anything of a training."""
        metrics = self.path / "metrics.jsonl"
        return self.find_checkpoint() is not None or (metrics.exists() and metrics.stat().st_size > 0)

    def find_checkpoint(self, kind: str = "last") -> Path | None:
        """JSON file of the "last" or the "best" checkpoint, if there is one."""
        prefixes = {"last": "step", "best": "best"}
        if kind not in prefixes:
            raise ValueError(f"checkpoint is {kind!r}, must be last or best")
        found = list_checkpoints(self.path / "checkpoints", prefixes[kind])
        return found[-1] if found else None

    def load_sampler(self, checkpoint: str = "last", device: str = "cpu") -> Sampler:
        """Load the averaged generator of the "last" or the "best" checkpoint; no other tensor is read.

        Raises:
            ValueError: there is no such checkpoint, or it is damaged.
        """
        recipe, modality = self.config.recipe, self.config.modality
        generator = build_generator(recipe, modality.shape, self.config.resolved_rule)
        restore_state(self._tensors(checkpoint, ("generator",)), {"averaged": generator}, {})
        place = torch.device(check_device(device))
        return Sampler(recipe, modality, generator.to(place).eval().requires_grad_(False), place)

    def load_networks(self, checkpoint: str = "last", device: str = "cpu") -> dict[str, nn.Module]:
        """Load all networks in evaluation mode; "averaged" is the generator's moving average.

        Raises:
            ValueError: there is no such checkpoint, or it is damaged.
        """
        tensors = self._tensors(checkpoint, ("generator", "state"))
        networks = build(self.config.recipe, self.config.modality.shape, self.config.resolved_rule)
        networks["averaged"] = copy.deepcopy(networks["generator"])
        restore_state(tensors, networks, {})
        place = check_device(device)
        return {name: network.to(place).eval().requires_grad_(False) for name, network in networks.items()}

    def _tensors(self, checkpoint: str, parts: Iterable[Part]) -> dict[str, Tensor]:
        path = self.find_checkpoint(checkpoint)
        if path is None:
            raise ValueError(f"{self.path} has no {checkpoint} checkpoint")
        return load_checkpoint(path, parts)[0]

    def train(self, callbacks: Iterable[Callback] = (), *, log: bool = True) -> Summary:
        """Train to the end, from the last checkpoint if there is one. A finished run stays as it is.

        If torch.distributed is initialized, all ranks call this; the first one writes.

        Args:
            callbacks: As in `Trainer.fit`; they run before the step is logged and saved.
            log: Show progress on standard error.

        Returns:
            Metrics of the "data" and of the "generator"; empty if a callback stopped the training.

        Raises:
            Stopped: Ctrl-C or SIGTERM came, and a checkpoint was saved.
            RunInUse: another process trains this run.
            ValueError: the last checkpoint or the run to start from cannot be used, the data are not those of the
                run, or the ranks cannot share the batch.
            Diverged: a loss, or anything that would be saved, is not finite; names the last good checkpoint.
            OSError: something cannot be written; the checkpoints before are still there.
        """
        ranks = Ranks.current()
        with train_alone(self.path, ranks):
            return self._train(ranks, callbacks, log and ranks.is_first)

    def _train(self, ranks: Ranks, callbacks: Iterable[Callback], log: bool) -> Summary:
        config, last = self.config, self.find_checkpoint()
        info: dict[str, Any] = {"step": 0, "best": None, "steps": config.steps, "data": None}
        info |= read_info(last) if last else {}
        trainer = make_trainer(config)
        done, total = info["step"], trainer.total
        if total < done or ("steps" in self.changed and total == done):
            raise ValueError(
                f"{self.path} is at step {done}, and with steps {config.steps} it would end at {total}; give more"
            )
        if last:
            counters = {name: torch.tensor(info[name]) for name in ("step", "steps")}
            trainer.load_state_dict({**load_checkpoint(last)[0], **counters})
        elif config.init is not None:
            _start_from(RunDirectory.open(Path(config.init)), trainer, log)
        finished = ranks.broadcast(done == total and (self.path / "summary.json").exists())
        if finished and self.changed.keys() <= {"device"}:
            return self._finished(done, log)
        data = config.open_data(log=log)
        if info["data"] is not None:
            _check_data(self.path, info["data"], data.fingerprints)
        if ranks.is_first and self.changed:
            self._record_changes(done, log)
        self.changed = {}
        if finished:
            return self._finished(done, log)
        trainer.use(data)
        trainer.modality = trainer.modality.given(data)
        recorder = Recorder(self.path, config, trainer, data, -math.inf if info["best"] is None else info["best"])
        if ranks.is_first:
            recorder.begin(log)
        with _last_good_named(self):
            trainer.fit([*callbacks, recorder], log=log)
        summary = recorder.summarize() if trainer.done == total and ranks.is_first else {}
        return cast(Summary, ranks.broadcast(summary))

    def _record_changes(self, step: int, log: bool) -> None:
        """Put the changed options into config.json, and below "resumed" what changed after which step."""
        path = self.path / "config.json"
        described = read_json(path)
        described["config"] = config_to_json(self.config)
        described.setdefault("resumed", []).append({"step": step, "changed": self.changed})
        write_json(path, described, indent=2)
        for name, values in self.changed.items() if log else ():
            same = "these are the same data" if name.startswith("data") else "the numbers differ from an unbroken run"
            note(f"{name} is {values['to']} after step {step:,}, and was {values['from']}: {same}")

    def _finished(self, step: int, log: bool) -> Summary:
        """The summary of a finished run."""
        path = self.path / "summary.json"
        try:
            summary = read_json(path)["summary"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is damaged; remove it to have it made again") from error
        if log:
            note(f"{self.path} is already finished at step {step:,}; --steps with a higher number trains on")
        return cast(Summary, summary)


def make_trainer(config: TrainConfig) -> Trainer:
    """The trainer of a configuration, without data: `Trainer.use` takes them."""
    schedule = {field.name: getattr(config, field.name) for field in fields(Schedule)}
    return Trainer(config.recipe, (), rule=config.resolved_rule, modality=config.modality, **schedule)


def _read_config(run: Path) -> dict[str, Any]:
    """The configuration in config.json, as JSON data."""
    path = config_path(run)
    try:
        described = read_json(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror}") from error
    try:
        found, raw = described["format"], dict(described["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged: {error!r}") from error
    check_format(str(run), found)
    return raw


@contextmanager
def _last_good_named(run: RunDirectory) -> Iterator[None]:
    """Add the last good checkpoint to the error of a training that diverges."""
    try:
        yield
    except Diverged as error:
        last = run.find_checkpoint()
        good = f"{last} is the last good checkpoint; --init {run.path} starts from it"
        raise Diverged(f"{error}; {good if last else 'no checkpoint was saved'}") from error


def _check_data(run: Path, before: list[dict[str, Any]], now: Sequence[Fingerprint]) -> None:
    """Refuse data that differ from those that a run was trained on."""
    differs = [
        f"{then['count']} images then, {found.count} now"
        if then["count"] != found.count
        else f"{found.count} images then and now, but not the same ones"
        for then, found in zip(before, now, strict=True)
        if then != asdict(found)
    ]
    if differs:
        raise ValueError(
            f"the data are not those that {run} was trained on: {'; '.join(differs)}. Put them back, say with --data "
            f"where they are, or start a new run from its weights with --init {run}"
        )


def _start_from(source: RunDirectory, trainer: Trainer, log: bool) -> None:
    """Give the networks the weights of another run's last checkpoint, where their shapes are the same."""
    path = source.find_checkpoint()
    if path is None:
        raise ValueError(f"{source.path}, which --init names, has no checkpoint yet")
    tensors, info = load_checkpoint(path)
    taken, left = restore_matching(tensors, trainer.everything())
    if "generator" not in taken:
        raise ValueError(
            f"{source.path}, which --init names, has a generator of another shape; give the same recipe, size and width"
        )
    if log:
        others = f"; not in it, or of other shapes, and therefore new: {', '.join(left)}" if left else ""
        note(f"starts from step {info['step']:,} of {source.path}: {', '.join(taken)}{others}")
