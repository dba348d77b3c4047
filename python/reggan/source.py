"""The source of rendered images: spec, seed, size and dtype, which together with an index determine every pixel.

The state of a search and the manifest of a set store their source as JSON, so that they resume with the same one only.
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
"""Number of shapes in one `ground_truth`: about 11 MB."""


@dataclass(frozen=True)
class Source:
    """The images of a spec and a seed, at one size and of one dtype; raises as `render` does."""

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
        """Name of the spec's class in RENDERERS."""
        return next(name for name, kind in RENDERERS.items() if kind is type(self.spec))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """(H, W), of RGB images (3, H, W), of volumes (D, H, W)."""
        return image_shape(self.spec, self.size)

    @property
    def is_volume(self) -> bool:
        return self.spec.axes == 3

    @property
    def is_color(self) -> bool:
        return len(self.image_shape) == 3 and not self.is_volume

    @property
    def image_bytes(self) -> int:
        return int(np.prod(self.image_shape, dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def render(self, indices: UInts, *, out: NDArray[Any] | None = None, threads: int | None = None) -> NDArray[Any]:
        """Images (N, *image_shape) with these indices (N,)."""
        return render(self.spec, indices, seed=self.seed, size=self.size, dtype=self.dtype, out=out, threads=threads)

    def render_with_scores(
        self, indices: UInts, *, out: NDArray[Any] | None = None, threads: int | None = None
    ) -> tuple[NDArray[Any], NDArray[np.float32]]:
        """Images (N, *image_shape) with these indices (N,), and their scores (N,)."""
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
        """Scores (N,) of the images with these indices (N,)."""
        return render_scores(self.spec, indices, seed=self.seed, size=self.size, dtype=self.dtype, threads=threads)

    def sigma(self, indices: UInts) -> NDArray[np.float64]:
        """Standard deviation of each image's blur in pixels, (N,); NaN if the renderer does not blur."""

        def truth(few: UInts) -> GroundTruth:
            return ground_truth(self.spec, few, seed=self.seed, size=self.size)

        # In small steps, as the shapes can take a thousand times the memory of the sigmas.
        step = max(1, _SHAPES // truth(indices[:0]).radii.shape[1])
        parts = [truth(indices[k : k + step]).sigma for k in range(0, len(indices), step)]
        return np.concatenate([np.empty(0), *parts])

    def to_json(self) -> dict[str, Any]:
        """The source with the stream version, as JSON data."""
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
            ValueError: The renderer is unknown, a field is missing, unknown or wrong, or the stream version is not the
                one that this version of reggan draws.
        """
        try:
            if raw["stream_version"] != STREAM_VERSION:
                raise ValueError(
                    f"its images have stream version {raw['stream_version']}, but this version of reggan draws "
                    f"stream version {STREAM_VERSION}"
                )
            if raw["renderer"] not in RENDERERS:
                raise ValueError(f"unknown renderer {raw['renderer']!r}; known: {', '.join(RENDERERS)}")
            spec = RENDERERS[raw["renderer"]](**{name: _untuple(value) for name, value in raw["spec"].items()})
            source = cls(spec, raw["seed"], _untuple(raw["size"]), raw["dtype"])
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"its source cannot be drawn: {error!r}") from error
        if source.to_json() != raw:
            raise ValueError(f"its source is not in the expected form: {differences(raw, source.to_json())}")
        return source


def _untuple(value: Any) -> Any:
    return tuple(map(_untuple, value)) if isinstance(value, list) else value


def differences(there: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """Describe the differences between two nested mappings; empty if they are equal."""
    found = []
    for name in dict.fromkeys([*there, *here]):
        old, new = there.get(name), here.get(name)
        if isinstance(old, Mapping) and isinstance(new, Mapping):
            found.append(differences(old, new))
        elif old != new:
            found.append(f"{name} is {json.dumps(old)} there and {json.dumps(new)} here")
    return "; ".join(filter(None, found))
