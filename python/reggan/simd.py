"""Which instruction set the kernels use: `simd_info`, and the environment variable `REGGAN_SIMD`."""

from __future__ import annotations

from typing import TypedDict

from reggan import _core


class SimdInfo(TypedDict):
    """The result of `simd_info`."""

    used: str
    """The instruction set that this process uses."""
    available: list[str]
    """The instruction sets of this machine, from worst to best."""


def simd_info() -> SimdInfo:
    """The instruction set in use, and those of this machine, out of scalar, neon, avx2 and avx512.

    Kernels use the best one, unless the environment variable `REGGAN_SIMD` names a lower one as the limit; it is read
    at the first call of a kernel. Results do not depend on it. Raises a ValueError if it names none of the four.
    """
    used, available = _core.simd_info()
    return {"used": used, "available": available}
