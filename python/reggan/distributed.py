"""Training on several ranks started by torchrun, with the result of a single process except for rounding.

Every rank draws the whole batch and the whole noise, and keeps its stripe. Gradients and the statistics of batch norm
are averaged over the ranks, and replay buffers are gathered from all stripes, so all ranks hold the same state.
DistributedDataParallel averages only gradients; batch norm, random numbers and buffers would differ between ranks.
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
    """The number of this rank and of all ranks; with a single rank, all methods return at once."""

    rank: int = 0
    count: int = 1

    @classmethod
    def current(cls) -> Ranks:
        """The ranks of torch.distributed if it is initialized."""
        is_started = dist.is_available() and dist.is_initialized()
        return cls(dist.get_rank(), dist.get_world_size()) if is_started else cls()

    @property
    def is_first(self) -> bool:
        """Whether this rank writes files and messages."""
        return self.rank == 0

    def shard(self, joined: Tensor) -> Tensor:
        """Stripe (N, ...) of this rank from a whole batch (N * count, ...)."""
        return joined[self.rank :: self.count]

    def all_gather(self, stripe: Tensor) -> Tensor:
        """The whole batch (N * count, ...) from all ranks' stripes (N, ...), without gradients."""
        if self.count == 1:
            return stripe
        stripes = [torch.empty_like(stripe, memory_format=torch.contiguous_format) for _ in range(self.count)]
        dist.all_gather(stripes, stripe.contiguous())
        return torch.stack(stripes, dim=1).flatten(0, 1)

    def mean(self, value: Tensor) -> Tensor:
        """Mean over the ranks of tensors of equal shape; differentiable."""
        return value if self.count == 1 else cast(Tensor, _Mean.apply(value))

    def average_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace each gradient by its mean over the ranks, in a single message."""
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

    def broadcast(self, value: Any) -> Any:
        """The first rank's value; the others wait for it."""
        if self.count == 1:
            return value
        sent = [value]
        dist.broadcast_object_list(sent, src=0)
        return sent[0]

    def synchronize(self, network: nn.Module) -> None:
        """Make its batch norms use the statistics of the whole batch."""
        if self.count > 1:
            for part in network.modules():
                if type(part) is nn.BatchNorm2d:
                    part.__class__ = SynchronizedBatchNorm2d


class _Mean(torch.autograd.Function):
    """Mean over ranks. If each rank's loss is the mean over its stripe, the mean of the gradients is the gradient."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.detach().clone()
        dist.all_reduce(total)
        return total / dist.get_world_size()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return _Mean.forward(ctx, gradient)


class SynchronizedBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d with the statistics of the whole batch, on every device (nn.SyncBatchNorm supports only GPUs)."""

    def forward(self, input: Tensor) -> Tensor:
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
    """Join the other ranks if torchrun started this process; "cuda" is then the GPU with the local rank's number."""
    if not dist.is_available() or "TORCHELASTIC_RUN_ID" not in os.environ:
        yield Ranks()
        return
    if torch.accelerator.is_available():
        torch.accelerator.set_device_index(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group()
    try:
        yield Ranks.current()
        dist.barrier()  # no rank may end while another still waits for its messages
    finally:
        dist.destroy_process_group()
