//! The inner loops, one table of them for each instruction set, and the one place that chooses among the
//! tables.

mod scalar;

use half::f16;

use crate::batch::BitOrder;
use crate::foreground::{Foreground, Predicate};

/// Thresholds a row into bits, pixel 0 in the lowest bit; bits beyond the row are 0. Returns whether a pixel
/// is NaN.
pub(crate) type PackRow<T> = fn(row: &[T], predicate: Predicate<T>, words: &mut [u64]) -> bool;

/// The same for a row of `width` pixels that are bits already, eight a byte.
pub(crate) type PackBits =
    fn(row: &[u8], width: usize, order: BitOrder, predicate: Predicate<bool>, words: &mut [u64]);

/// The inner loops of one instruction set. All sets give the same bits.
pub(crate) struct Kernels {
    pub(crate) pack_f64: PackRow<f64>,
    pub(crate) pack_f32: PackRow<f32>,
    pub(crate) pack_f16: PackRow<f16>,
    pub(crate) pack_u8: PackRow<u8>,
    pub(crate) pack_bits: PackBits,
    /// `line[i] += high[i] - low[i]`; all of one length.
    pub(crate) add_difference: fn(line: &mut [f32], high: &[f32], low: &[f32]),
    /// `out[x] = sum over k of weights[k] * rows[k * stride + x]`, summed in blocks of [`SUM_BLOCK`] rows,
    /// each block and the blocks in rising order.
    pub(crate) weighted_sum: fn(out: &mut [f32], rows: &[f32], stride: usize, weights: &[f32]),
}

/// Rows that are summed before they are added to the total: keeps the rounding error of very long sums small.
pub(crate) const SUM_BLOCK: usize = 64;

/// The fastest table for this machine, to be chosen once per batch.
pub(crate) fn kernels() -> &'static Kernels {
    &scalar::KERNELS
}

/// Thresholding rows of one pixel type: the predicate and the fastest loop for it.
#[derive(Clone, Copy)]
pub(crate) struct Packing<T> {
    predicate: Predicate<T>,
    pack: PackRow<T>,
}

impl<T: Copy> Packing<T> {
    /// Writes a row's bits; returns whether a pixel is NaN.
    pub(crate) fn pack(&self, row: &[T], words: &mut [u64]) -> bool {
        (self.pack)(row, self.predicate, words)
    }
}

impl Packing<f64> {
    pub(crate) fn float64(foreground: Foreground) -> Self {
        Self { predicate: foreground.float64(), pack: kernels().pack_f64 }
    }
}

impl Packing<f32> {
    pub(crate) fn float32(foreground: Foreground) -> Self {
        Self { predicate: foreground.float32(), pack: kernels().pack_f32 }
    }
}

impl Packing<f16> {
    pub(crate) fn float16(foreground: Foreground) -> Self {
        Self { predicate: foreground.float16(), pack: kernels().pack_f16 }
    }
}

impl Packing<u8> {
    pub(crate) fn uint8(foreground: Foreground) -> Self {
        Self { predicate: foreground.uint8(), pack: kernels().pack_u8 }
    }

    pub(crate) fn bool(foreground: Foreground) -> Self {
        Self { predicate: foreground.bool(), pack: kernels().pack_u8 }
    }
}
