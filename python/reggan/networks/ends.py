"""The first and last layers of convolutional networks, with PyTorch's weights and results, and quicker on a CPU.

Where a network begins or ends there is one pixel, or there are one to three channels. Convolutions are not made for
that: on a CPU a matrix product takes a fraction of their time.
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
    """The first layer of a generator as a matrix product: (N, inputs) to (N, outputs, side, side)."""

    def forward(self, z: Tensor) -> Tensor:  # type: ignore[override]
        """Maps of rows."""
        inputs, outputs, *sides = self.weight.shape
        maps: Tensor = z @ self.weight.permute(0, 2, 3, 1).reshape(inputs, -1)
        return maps.view(-1, *sides, outputs).permute(0, 3, 1, 2)


class ToOnePixel(nn.Conv2d):
    """The last layer of a discriminator as a matrix product: (N, inputs, side, side) to (N, outputs)."""

    def forward(self, maps: Tensor) -> Tensor:
        """Rows of maps."""
        return F.linear(maps.permute(0, 2, 3, 1).flatten(1), self.weight.permute(0, 2, 3, 1).flatten(1))


class ToImage(nn.ConvTranspose2d):
    """The last layer of a generator: (N, inputs, side, side) to (N, channels, 2 side, 2 side)."""

    def __init__(self, inputs: int, channels: int) -> None:
        super().__init__(inputs, channels, **_DOUBLING, bias=False)

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]
        """Images of maps."""
        return _Up.apply(maps, self.weight) if _is_quicker(maps) else super().forward(maps)


class FromImage(nn.Conv2d):
    """The first layer of a discriminator: (N, channels, 2 side, 2 side) to (N, outputs, side, side)."""

    def __init__(self, channels: int, outputs: int) -> None:
        super().__init__(channels, outputs, **_DOUBLING, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Maps of images."""
        return _Down.apply(images, self.weight) if _is_quicker(images) else super().forward(images)


def _is_quicker(images: Tensor) -> bool:
    """Whether this is where matrix products were seen to be quicker: on a CPU, in the type that the images have."""
    return images.device.type == "cpu" and not torch.is_autocast_enabled("cpu")


def _of_weight(images: Tensor, weight: Tensor, maps: Tensor) -> Tensor:
    """The gradient of sum(FromImage(images) * maps) with respect to the weight, where that is `weight`."""
    # conv2d_weight of torch.nn.grad does not know how the weight lies in memory, and takes longer.
    options: Any = None, (2, 2), (1, 1), (1, 1), False, (0, 0), 1, (False, True, False)
    gradient: Tensor = torch.ops.aten.convolution_backward(maps, images, weight, *options)[1]
    return gradient


class _Down(Function):
    """FromImage's convolution, whose gradient with respect to the images is _Up."""

    @staticmethod
    def forward(ctx: Any, images: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(images, weight)
        return F.conv2d(images, weight, stride=2, padding=1)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        images, weight = ctx.saved_tensors
        of_images, of_weight = ctx.needs_input_grad
        return (
            _Up.apply(gradient, weight) if of_images else None,
            _of_weight(images, weight, gradient) if of_weight else None,
        )


class _Up(Function):
    """ToImage's transposed convolution, each pixel's part of the image by itself and then summed."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(maps, weight)
        parts = weight.flatten(1).T @ maps.flatten(2)
        return F.fold(parts, (2 * maps.shape[2], 2 * maps.shape[3]), **_DOUBLING)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None]:
        maps, weight = ctx.saved_tensors
        of_maps, of_weight = ctx.needs_input_grad
        return (
            _Down.apply(gradient, weight) if of_maps else None,
            _of_weight(gradient, weight, maps) if of_weight else None,
        )
