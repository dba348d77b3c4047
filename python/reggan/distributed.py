"""Training on several ranks, as torchrun starts them: each has a stripe of every batch, and all arrive at one result.

It is the result of one process with the joined batch, but for rounding. Every rank draws the joined batch and the
joined noise, and keeps a stripe; batch norm's statistics and the gradients are averaged over the ranks, and what a
recipe remembers is put together from all stripes, so that the ranks never differ in what they hold.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn

__all__ = ["Ranks", "SynchronizedBatchNorm2d", "start"]


@dataclass(frozen=True)
class Ranks:
    """Which rank is this, and how many there are; without others nothing is sent, and nothing changes.

    It gives the result of one process, which DistributedDataParallel does not: that averages gradients alone, while
    batch norm, random numbers and what a recipe remembers would be those of each rank's stripe.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """Those of torch.distributed, if it is initialized."""
        if dist.is_available() and dist.is_initialized():
            return cls(dist.get_rank(), dist.get_world_size())
        return cls()

    @property
    def is_first(self) -> bool:
        """Whether this rank writes and shows what all have in common."""
        return self.rank == 0

    def share(self, joined: Tensor) -> Tensor:
        """Stripe (N, ...) of this rank, of a joined batch (N * count, ...)."""
        return joined[self.rank :: self.count]

    def join(self, stripe: Tensor) -> Tensor:
        """The joined batch (N * count, ...) of all ranks' stripes (N, ...), without gradients."""
        if self.count == 1:
            return stripe
        stripes = [torch.empty_like(stripe, memory_format=torch.contiguous_format) for _ in range(self.count)]
        dist.all_gather(stripes, stripe.contiguous())
        return torch.stack(stripes, dim=1).flatten(0, 1)

    def mean(self, value: Tensor) -> Tensor:
        """Mean over the ranks of a tensor of equal shape on each, through which gradients flow."""
        return value if self.count == 1 else cast(Tensor, _Mean.apply(value))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Put the mean over the ranks in the place of each gradient, all in one message."""
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        if self.count == 1 or not gradients:
            return
        sent = self.mean(torch.cat([gradient.flatten() for gradient in gradients]))
        means = torch.split(sent, [gradient.numel() for gradient in gradients])
        for gradient, mean in zip(gradients, means, strict=True):
            gradient.copy_(mean.view(gradient.shape))

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on any rank."""
        return bool(self.mean(torch.tensor(float(flag))) > 0)

    def first(self, value: Any) -> Any:
        """What the first rank has; the others wait for it."""
        if self.count == 1:
            return value
        sent = [value]
        dist.broadcast_object_list(sent, src=0)
        return sent[0]

    def synchronize(self, network: nn.Module) -> None:
        """Let its batch norms take their statistics from the joined batch."""
        if self.count > 1:
            for part in network.modules():
                if type(part) is nn.BatchNorm2d:
                    part.__class__ = SynchronizedBatchNorm2d


class _Mean(torch.autograd.Function):
    """Mean over ranks. If each rank's loss is its stripe's mean, the mean of the gradients is the gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Mean.forward(ctx, gradient)


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d with the statistics of the joined batch, on every device: nn.SyncBatchNorm knows GPUs alone."""

    def forward(self, input: Tensor) -> Tensor:
        """Normalized maps (N, C, H, W)."""
        if not self.training:
            return super().forward(input)
        ranks = Ranks.current()
        values = input.float()
        mean = ranks.mean(values.mean(dim=(0, 2, 3)))
        centered = values - mean[:, None, None]
        variance = ranks.mean(centered.square().mean(dim=(0, 2, 3)))
        count = ranks.count * values.numel() // values.shape[1]
        with torch.no_grad():
            self.running_mean.lerp_(mean, self.momentum)  # type: ignore[union-attr, arg-type]
            self.running_var.lerp_(variance * count / (count - 1), self.momentum)  # type: ignore[union-attr, arg-type]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return (centered * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


@contextmanager
def start() -> Iterator[Ranks]:
    """Join the other ranks if torchrun started this process; "cuda" is then the GPU of this rank's number."""
    if not dist.is_available() or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield Ranks()
        return
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group()
    try:
        yield Ranks.current()
        dist.barrier()  # none leaves while another still listens to it
    finally:
        dist.destroy_process_group()
