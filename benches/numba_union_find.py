"""Optimized union-find in Numba: over pixels, and over runs in rows of bits.

Both keep the thresholded image in registers and two rows of memory, write no labels, and join the components of each
row with those of the row above in one pass (Rosenfeld and Pfaltz, 1966), with the smaller index as parent and path
halving. Threads process chunks of images, and memory is allocated once per chunk.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
import numpy.typing as npt
from numba.core import types
from numba.extending import intrinsic

ONE, WORD = np.uint64(1), np.uint64(64)
CHUNKS_PER_THREAD = 8


def pixels(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores of images by union-find over pixels: the obvious algorithm, written efficiently."""
    return _call(_pixels, images)


def bits(images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    """Scores of images by union-find over runs, found and ranked by counting bits in 64-bit rows."""
    return _call(_bits, images)


def _call(kernel: Any, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    scores = np.empty(len(images), np.float32)
    limit = np.uint8(127) if images.dtype == np.uint8 else np.float32(0.5)
    chunks = min(len(images), CHUNKS_PER_THREAD * numba.get_num_threads())
    kernel(images, limit, chunks, scores)
    return scores


@intrinsic
def trailing_zeros(context, word):
    """Index of the lowest one; `word` must not be 0."""

    def generate(_, builder, __, arguments):
        from llvmlite import ir

        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 1))

    return types.uint64(types.uint64), generate


@intrinsic
def count_ones(context, word):
    """Number of ones."""

    def generate(_, builder, __, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), generate


@numba.njit(inline="always")
def find(parent, i):
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@numba.njit(parallel=True, nogil=True, cache=True)
def _pixels(images, limit, chunks, scores):
    n, height, width = images.shape
    for chunk in numba.prange(chunks):
        # At most every other pixel of a row begins a component. 0 is paper.
        parent = np.empty(height * ((width + 1) // 2) + 1, np.uint32)
        area = np.empty_like(parent)
        above = np.empty(width, np.uint32)
        for i in range(chunk * n // chunks, (chunk + 1) * n // chunks):
            above[:] = 0
            new = np.uint32(1)
            for y in range(height):
                left = np.uint32(0)
                for x in range(width):
                    if images[i, y, x] > limit:
                        left = np.uint32(0)
                        above[x] = 0
                        continue
                    up = above[x]
                    if left == 0:
                        if up == 0:
                            parent[new] = new
                            area[new] = 0
                            left = new
                            new += np.uint32(1)
                        else:
                            left = find(parent, up)
                    elif up != 0 and up != left:
                        a, b = find(parent, left), find(parent, up)
                        left = min(a, b)
                        if a != b:
                            parent[max(a, b)] = left
                            area[left] += area[max(a, b)]
                    area[left] += np.uint32(1)
                    above[x] = left
            total, largest = 0, 0
            for root in range(1, new):
                if parent[root] == root:
                    total += area[root]
                    largest = max(largest, area[root])
            scores[i] = largest / max(total, 1)


@numba.njit(inline="always")
def pack(row, start, count, limit):
    # With a constant count, LLVM emits one vector comparison per register of pixels.
    word = np.uint64(0)
    for x in range(count):
        word |= np.uint64(row[start + x] <= limit) << np.uint64(x)
    return word


@numba.njit(parallel=True, nogil=True, cache=True)
def _bits(images, limit, chunks, scores):
    n, height, width = images.shape
    words = (width + 63) // 64
    for chunk in numba.prange(chunks):
        parent = np.empty(height * ((width + 1) // 2), np.uint32)
        area = np.empty_like(parent)
        # For each word of the row above: its ink, the starts of runs, and the number of earlier runs.
        above, above_starts, above_count = np.empty((3, words), np.uint64)
        for i in range(chunk * n // chunks, (chunk + 1) * n // chunks):
            above[:] = 0
            count = np.uint64(0)
            total = np.uint64(0)
            for y in range(height):
                row = images[i, y]
                carry = overlap_carry = np.uint64(0)
                for k in range(words):
                    left = 64 * k
                    ink = pack(row, left, 64, limit) if left + 64 <= width else pack(row, left, width - left, limit)
                    total += count_ones(ink)
                    starts = ink & ~(ink << ONE | carry)
                    before = count
                    if carry:  # the last run of the word to the left continues
                        area[count - ONE] += trailing_zeros(~ink) if ~ink else WORD
                    rest = starts
                    while rest:
                        start = trailing_zeros(rest)
                        after = ~(ink >> start)
                        parent[count] = count
                        area[count] = trailing_zeros(after) if after else WORD
                        count += ONE
                        rest &= rest - ONE
                    # Each run of the overlap is a pair of touching runs; the ones up to it give their ranks.
                    overlap = ink & above[k]
                    rest = overlap & ~(overlap << ONE | overlap_carry)
                    while rest:
                        through = rest ^ (rest - ONE)
                        a = find(parent, np.uint32(before + count_ones(starts & through) - ONE))
                        b = find(parent, np.uint32(above_count[k] + count_ones(above_starts[k] & through) - ONE))
                        if b < a:
                            parent[a] = b
                        elif a < b:
                            parent[b] = a
                        rest &= rest - ONE
                    above[k], above_starts[k], above_count[k] = ink, starts, before
                    carry, overlap_carry = ink >> np.uint64(63), overlap >> np.uint64(63)
            # Parents precede their children: going backward, each area is complete when it is passed on.
            largest = np.uint32(0)
            for run in range(np.int64(count) - 1, -1, -1):
                if parent[run] != run:
                    area[parent[run]] += area[run]
                largest = max(largest, area[run])
            scores[i] = largest / max(total, ONE)
