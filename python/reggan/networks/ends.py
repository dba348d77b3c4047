"""First and last layers of convolutional networks: PyTorch's convolutions with the same weights, but faster on a CPU.

These layers have a single pixel or one to three channels on one side. On a CPU, matrix products take a fraction of the
time of convolutions there.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function
from torch.nn import functional as F

__all__ = ["FromImage", "FromOnePixel", "ToImage", "ToOnePixel"]

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


class ToImage(nn.ConvTranspose2d):
    """The last layer of a generator: (N, inputs, H, W) to (N, channels, 2 H, 2 W)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__(inputs, channels, **_DOUBLING, bias=False)

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]
        return _Up.apply(maps, self.weight) if _is_faster(maps) else super().forward(maps)


class FromImage(nn.Conv2d):
    """The first layer of a discriminator: (N, channels, 2 H, 2 W) to (N, outputs, H, W)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, **_DOUBLING, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        return _Down.apply(images, self.weight) if _is_faster(images) else super().forward(images)


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
