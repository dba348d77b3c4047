"""The record of a training in its run directory: lines, sheets of samples, checkpoints and the summary."""

from __future__ import annotations

import io
import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np

from .checkpoint import prune_checkpoints, save_checkpoint
from .config import TrainConfig
from .data import SampleSet
from .files import atomic_write, to_json, write_json
from .modalities import Modality, Samples
from .progress import note
from .training import Step, Trainer

__all__ = ["Recorder", "Summary", "seconds_trained"]

Summary = dict[str, dict[str, float]]
"""Metrics of the "data" and of the "generator", by name."""


class Recorder:
    """Callback that writes what a run leaves: lines, sheets of samples, checkpoints and the summary."""

    def __init__(self, path: Path, config: TrainConfig, trainer: Trainer, data: SampleSet, best: float) -> None:
        self.path, self.config, self.trainer, self.data, self.best = path, config, trainer, data, best
        self.start = trainer.done
        self.first = _first(trainer.modality, data, self.config.eval_images)
        self.reference = trainer.modality.summarize(self.first)
        self.seconds_before = 0.0

    def begin(self, log: bool) -> None:
        """Drop what was written after the last checkpoint, draw the data, and describe them."""
        modality = self.trainer.modality
        for name in ("metrics.jsonl", "timings.jsonl"):
            _rewind(self.path / name, self.start)
        (self.path / "summary.json").unlink(missing_ok=True)  # It is of fewer steps, if the run goes on with more.
        self._draw("data", _first(modality, self.data, modality.num_drawn))
        self.seconds_before = seconds_trained(self.path)
        if self.config.init is not None and not self.start:
            self._save("step", keep=2)  # From here on the run to start from is not needed.
        for line in self._describe() if log else ():
            note(line)

    def __call__(self, trainer: Trainer, step: Step) -> None:
        """Log, evaluate, draw and save as the configuration says. All ranks call it; the first one writes."""
        config, is_last = self.config, step.number == trainer.total
        evaluates, draws = (
            step.stage.trains_generator and (step.generator_step % every == 0 or is_last)
            for every in (config.eval_every, config.sample_every)
        )
        saves = step.number % config.checkpoint_every == 0 or is_last or trainer.stopping
        line: dict[str, float] = {}
        if step.number % config.log_every == 0 or is_last or (step.begins and step.stage.begin is not None):
            line = step.metrics()
        if evaluates or draws or saves:
            trainer.check_finite()
        if not trainer.ranks.is_first:
            return
        found: dict[str, float] = {}
        if evaluates:
            found = trainer.evaluate(config.eval_images)
            line |= {f"samples/{key}": value for key, value in found.items()}
            if trainer.progress:
                trainer.progress.show({key: found[key] for key in trainer.modality.progress_metrics})
        if line:
            self._log(step, line)
        if found.get("score", -math.inf) > self.best and trainer.modality.looks_like(found, self.reference):
            self.best = found["score"]
            self._save("best", keep=1)
        if draws:
            self._draw(f"step-{step.number:08d}", trainer.sample(trainer.modality.num_drawn, "sheet"), is_data=False)
        if saves:
            self._save("step", keep=2)

    def summarize(self) -> Summary:
        """Write summary.json: metrics and exact scores of data and of as many generated samples."""
        modality = self.trainer.modality
        samples = {
            "data": _first(modality, self.data, modality.num_summary),
            "generator": self.trainer.sample(modality.num_summary, "summary"),
        }
        summary = {name: modality.summarize(each) for name, each in samples.items()}
        scores = {name: [round(float(s), 6) for s in modality.scores(each)] for name, each in samples.items()}
        write_json(self.path / "summary.json", {"summary": summary, "scores": scores}, indent=1)
        return summary

    def _log(self, step: Step, line: dict[str, float]) -> None:
        seconds = self.trainer.progress.seconds if self.trainer.progress else 0.0
        rate = (step.number - self.start) * self.config.batch_size / seconds
        metrics = {"step": step.number, "stage": step.stage.name, "generator_step": step.generator_step, **line}
        timings = {"step": step.number, "seconds": self.seconds_before + seconds, "images_per_second": rate}
        for name, figures in (("metrics.jsonl", metrics), ("timings.jsonl", timings)):
            with (self.path / name).open("a", encoding="utf-8") as file:
                file.write(to_json(figures))

    def _save(self, kind: str, keep: int) -> None:
        tensors, directory = self.trainer.state_dict(), self.path / "checkpoints"
        step, steps = (int(tensors.pop(name)) for name in ("step", "steps"))
        info = {
            "step": step,
            "best": self.best if math.isfinite(self.best) else None,
            "steps": steps,
            "data": [asdict(fingerprint) for fingerprint in self.data.fingerprints],
        }
        save_checkpoint(directory, f"{kind}-{step:08d}", tensors, info)
        prune_checkpoints(directory, kind, keep)

    def _draw(self, name: str, samples: Samples, *, is_data: bool = True) -> None:
        discriminate = None if is_data else self.trainer.discriminate
        for suffix, picture in self.trainer.modality.draw(samples, discriminate).items():
            content = io.BytesIO()
            picture.save(content, "PNG")
            atomic_write(self.path / "samples" / f"{name}{suffix}.png", content.getvalue())

    def _describe(self) -> list[str]:
        """Lines about the data, from samples spread over the whole set: folders are often sorted."""
        modality, samples, figures = self.trainer.modality, self.first, self.reference
        if self.data.length > len(samples):
            spread = np.linspace(0, self.data.length - 1, len(samples)).astype(np.int64)
            samples = modality.to_numpy(self.data.fetch(spread))
            figures = modality.summarize(samples)
        return modality.describe(samples, figures, self.data)


def seconds_trained(run: Path) -> float:
    """Seconds of training up to the last line of timings.jsonl, in all sittings."""
    path = run / "timings.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return float(json.loads(lines[-1])["seconds"]) if lines else 0.0


def _first(modality: Modality, data: SampleSet, count: int) -> Samples:
    return modality.to_numpy(data.fetch(np.arange(min(count, data.length or count))))


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
