"""Which instruction set the kernels use: `simd_info`, and the environment variable `REGGAN_SIMD`."""

from __future__ import annotations

from typing import TypedDict

from reggan import _core


class SimdInfo(TypedDict):
    """What `simd_info` tells."""

    used: str
    """The instruction set that the kernels of this process use."""
    available: list[str]
    """All that this machine has, each better than those before it."""


def simd_info() -> SimdInfo:
    """The instruction set in use, and those that this machine has, out of scalar, neon, avx2 and avx512.

    The best is used. The environment variable `REGGAN_SIMD`, read at the first call of a kernel, names the best that
    may be used; it can keep from using an instruction set, but not make a machine have it. Results do not depend on
    it. ValueError if it names none of the four.
    """
    used, available = _core.simd_info()
    return {"used": used, "available": available}
