"""Layers that double or halve images, and the first and last layers of networks, which are faster on a CPU.

First and last layers have a single pixel or one to three channels on one side. On a CPU, matrix products take a
fraction of the time of PyTorch's convolutions there. Layers that are `tileable` join opposite sides of the image.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

__all__ = ["Double", "FromImage", "FromOnePixel", "Halve", "ToImage", "ToOnePixel"]

_DOUBLING: Any = {"kernel_size": 4, "stride": 2, "padding": 1}


class FromOnePixel(nn.ConvTranspose2d):
    """The first layer of a generator as a matrix product: (N, inputs) to (N, outputs, *kernel_size)."""

    def forward(self, z: Tensor) -> Tensor:  # type: ignore[override]
        inputs, outputs, height, width = self.weight.shape
        maps: Tensor = z @ self.weight.permute(0, 2, 3, 1).reshape(inputs, -1)
        return maps.view(-1, height, width, outputs).permute(0, 3, 1, 2)


class ToOnePixel(nn.Conv2d):
    """The last layer of a discriminator as a matrix product: (N, inputs, *kernel_size) to (N, outputs)."""

    def forward(self, maps: Tensor) -> Tensor:
        return F.linear(maps.permute(0, 2, 3, 1).flatten(1), self.weight.permute(0, 2, 3, 1).flatten(1))


class Double(nn.ConvTranspose2d):
    """A transposed convolution: (N, inputs, H, W) to (N, outputs, 2 H, 2 W)."""

    def __init__(self, inputs: int, outputs: int, tileable: bool = False) -> None:
        # A pixel of margin on each side becomes two, which more padding cuts off.
        super().__init__(inputs, outputs, 4, 2, padding=3 if tileable else 1, bias=False)
        self.tileable = tileable

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(F.pad(maps, (1, 1, 1, 1), mode="circular") if self.tileable else maps)


class Halve(nn.Conv2d):
    """A convolution: (N, inputs, 2 H, 2 W) to (N, outputs, H, W)."""

    def __init__(self, inputs: int, outputs: int, tileable: bool = False) -> None:
        super().__init__(inputs, outputs, **_DOUBLING, bias=False, padding_mode="circular" if tileable else "zeros")


class ToImage(Double):
    """The last layer of a generator."""

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]
        return super().forward(maps) if self.tileable or not _is_faster(maps) else _Up.apply(maps, self.weight)


class FromImage(Halve):
    """The first layer of a discriminator."""

    def forward(self, images: Tensor) -> Tensor:
        is_faster = self.padding_mode == "zeros" and _is_faster(images)
        return _Down.apply(images, self.weight) if is_faster else super().forward(images)


def _is_faster(images: Tensor) -> bool:
    """Whether _Up and _Down are faster than convolutions: on a CPU without autocast."""
    return images.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _weight_gradient(images: Tensor, weight: Tensor, maps: Tensor) -> Tensor:
    """The gradient of sum(FromImage(images) * maps) with respect to the weight."""
    # torch.nn.grad.conv2d_weight ignores the memory format of the weight and is slower.
    options: Any = None, (2, 2), (1, 1), (1, 1), False, (0, 0), 1, (False, True, False)
    gradient: Tensor = torch.ops.aten.convolution_backward(maps, images, weight, *options)[1]
    return gradient


class _Down(Function):
    """The convolution of FromImage; its gradient with respect to the images is _Up."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return F.conv2d(images, weight, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        images, weight = ctx.saved_tensors
        needs_images, needs_weight = ctx.needs_input_grad
        return (
            _Up.apply(gradient, weight) if needs_images else None,
            _weight_gradient(images, weight, gradient) if needs_weight else None,
        )


class _Up(Function):
    """The transposed convolution of ToImage: a matrix product, then a sum over overlapping patches."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(maps, weight)
        patches = weight.flatten(1).T @ maps.flatten(2)
        return F.fold(patches, (2 * maps.shape[2], 2 * maps.shape[3]), **_DOUBLING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        maps, weight = ctx.saved_tensors
        needs_maps, needs_weight = ctx.needs_input_grad
        return (
            _Down.apply(gradient, weight) if needs_maps else None,
            _weight_gradient(gradient, weight, maps) if needs_weight else None,
        )
