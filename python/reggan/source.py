"""Where images come from: a spec, a seed, a size and a dtype, which with an index say every pixel; and its JSON form.

What is written about images that can be drawn again, the state of a search or the manifest of a set, holds a source,
and what goes on with it asks for the same one.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .rendering import STREAM_VERSION, GroundTruth, Size, ground_truth, image_shape, render, render_scores
from .specs import RENDERERS, Spec

__all__ = ["Source", "differences"]

UInts = NDArray[np.uint64]

_SHAPES = 2**18
"""Shapes of images that are told at once: about 11 MB."""


@dataclass(frozen=True)
class Source:
    """The images of a spec and a seed, at one size and in one dtype. Image k is the same for everyone.

    Raises:
        TypeError: a spec or a dtype that is not served.
        ValueError: a seed or a size that is out of range.
    """

    spec: Spec
    seed: int = 0
    size: Size = 64
    dtype: Literal["uint8", "float32"] = "uint8"

    def __post_init__(self) -> None:
        self.render(np.empty(0, np.uint64))
        size = tuple(map(int, self.size)) if isinstance(self.size, Sequence) else int(self.size)
        object.__setattr__(self, "seed", int(self.seed))
        object.__setattr__(self, "size", size)
        object.__setattr__(self, "dtype", np.dtype(self.dtype).name)

    @property
    def renderer(self) -> str:
        """Name of the spec's kind in RENDERERS."""
        return next(name for name, kind in RENDERERS.items() if kind is type(self.spec))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), of RGB images (3, H, W), of volumes (D, H, W)."""
        return image_shape(self.spec, self.size)

    @property
    def is_volume(self) -> bool:
        """Whether the images are volumes, (D, H, W)."""
        return self.spec.axes == 3

    @property
    def is_color(self) -> bool:
        """Whether the images are RGB, (3, H, W)."""
        return len(self.image_shape) == 3 and not self.is_volume

    @property
    def image_bytes(self) -> int:
        """Bytes of one image."""
        return int(np.prod(self.image_shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def render(self, indices: UInts, *, out: NDArray[Any] | None = None, threads: int | None = None) -> NDArray[Any]:
        """Images (N, *image_shape) of these indices (N,)."""
        return render(self.spec, indices, seed=self.seed, size=self.size, dtype=self.dtype, out=out, threads=threads)

    def render_with_scores(
        self, indices: UInts, *, out: NDArray[Any] | None = None, threads: int | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Images (N, *image_shape) of these indices (N,), and their scores (N,)."""
        return render(
            self.spec,
            indices,
            seed=self.seed,
            size=self.size,
            dtype=self.dtype,
            with_scores=True,
            out=out,
            threads=threads,
        )

    def scores(self, indices: UInts, *, threads: int | None = None) -> NDArray[np.float32]:
        """Scores (N,) of the images of these indices (N,), none of which is kept."""
        return render_scores(self.spec, indices, seed=self.seed, size=self.size, dtype=self.dtype, threads=threads)

    def sigma(self, indices: UInts) -> NDArray[np.float64]:
        """Standard deviation (N,) in pixels of the blur of each image; NaN where the renderer has no blur."""

        def truth(few: UInts) -> GroundTruth:
            return ground_truth(self.spec, few, seed=self.seed, size=self.size)

        # The shapes, which are told with it, can take a thousand times the place.
        step = max(1, _SHAPES // truth(indices[:0]).radii.shape[1])
        parts = [truth(indices[k : k + step]).sigma for k in range(0, len(indices), step)]
        return np.concatenate([np.empty(0), *parts])

    def to_json(self) -> dict[str, Any]:
        """The source as JSON data, with the stream version."""
        raw = {
            "renderer": self.renderer,
            "spec": dataclasses.asdict(self.spec),  # type: ignore[call-overload]
            "seed": self.seed,
            "size": self.size,
            "dtype": self.dtype,
            "stream_version": STREAM_VERSION,
        }
        return json.loads(json.dumps(raw))  # type: ignore[no-any-return]

    @classmethod
    def from_json(cls, raw: Any) -> Source:
        """Rebuild a source from its JSON data.

        Raises:
            ValueError: the renderer is unknown, a field is missing, unknown or wrong, or the images are of
                another stream version, which this version of reggan cannot draw.
        """
        try:
            if raw["stream_version"] != STREAM_VERSION:
                raise ValueError(
                    f"its images are of stream version {raw['stream_version']}, and this version of reggan draws "
                    f"those of stream version {STREAM_VERSION}"
                )
            if raw["renderer"] not in RENDERERS:
                raise ValueError(f"unknown renderer {raw['renderer']!r}; known: {', '.join(RENDERERS)}")
            spec = RENDERERS[raw["renderer"]](**{name: _untuple(value) for name, value in raw["spec"].items()})
            source = cls(spec, raw["seed"], _untuple(raw["size"]), raw["dtype"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"it does not describe images that can be drawn: {error!r}") from error
        if source.to_json() != raw:
            raise ValueError(
                f"it does not describe images as {cls.__name__} does: {differences(raw, source.to_json())}"
            )
        return source


def _untuple(value: Any) -> Any:
    return tuple(map(_untuple, value)) if isinstance(value, list) else value


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What differs between two sets of named values, in words; empty if nothing does."""
    told = []
    for name in dict.fromkeys([*there, *here]):
        old, new = there.get(name), here.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            told.append(differences(old, new))
        elif old != new:
            told.append(f"{name} is {json.dumps(old)} there and {json.dumps(new)} here")
    return "; ".join(filter(None, told))
