"""Callbacks for `Trainer.fit` that need a library of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .training import Step, Trainer

__all__ = ["TensorBoard"]


class TensorBoard:
    """Writes losses, evaluations and sheets of samples for TensorBoard; needs `pip install "reggan[tensorboard]"`.

    Args:
        folder: Where TensorBoard reads them.
        log_every: Steps between losses.
        eval_every: Generator steps between evaluations and sheets; 0 for none.
        eval_images: Generated samples in an evaluation.

    Raises:
        ImportError: TensorBoard is not installed.
    """

    def __init__(
        self, folder: str | Path, *, log_every: int = 10, eval_every: int = 500, eval_images: int = 512
    ) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ImportError('TensorBoard is not installed; pip install "reggan[tensorboard]"') from error
        self.writer = SummaryWriter(str(folder))
        self.log_every, self.eval_every, self.eval_images = log_every, eval_every, eval_images

    def __call__(self, trainer: Trainer, step: Step) -> None:
        """Write what is due at this step; under torch.distributed the first rank writes."""
        is_last = step.number == trainer.total
        values = step.metrics() if step.number % self.log_every == 0 or is_last else {}
        if not trainer.ranks.is_first:
            return
        if self.eval_every and step.stage.trains_generator and (step.generator_step % self.eval_every == 0 or is_last):
            found = trainer.evaluate(self.eval_images)
            values |= {f"samples/{name}": value for name, value in found.items()}
            for suffix, picture in trainer.modality.draw(trainer.sample(trainer.modality.num_drawn, "sheet")).items():
                pixels = np.asarray(picture.convert("RGB"))
                self.writer.add_image(f"samples{suffix}", pixels, step.number, dataformats="HWC")
        for name, value in values.items():
            self.writer.add_scalar(name, value, step.number)
        if is_last or trainer.stopping:
            self.writer.flush()
