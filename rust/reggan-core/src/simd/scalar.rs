//! The readable specification of every inner loop, in plain Rust that the compiler can vectorise.

use half::f16;

use super::{Kernels, SUM_BLOCK};
use crate::batch::BitOrder;
use crate::foreground::Predicate;

pub(super) const KERNELS: Kernels =
    Kernels { pack_f64, pack_f32, pack_f16, pack_u8, pack_bits, add_difference, weighted_sum };

fn pack_f64(row: &[f64], predicate: Predicate<f64>, words: &mut [u64]) -> bool {
    let limit = predicate.at_most;
    pack(row, predicate.negate, words, |block| {
        let [mut bits, mut nan] = [0; 2];
        for (bit, &pixel) in block.iter().enumerate() {
            bits |= if pixel <= limit { 1 << bit } else { 0 };
            nan |= u64::from(pixel.is_nan());
        }
        (bits, nan != 0)
    })
}

fn pack_f32(row: &[f32], predicate: Predicate<f32>, words: &mut [u64]) -> bool {
    let limit = predicate.at_most;
    pack(row, predicate.negate, words, |block| {
        // Each half is collected in 32-bit lanes, as wide as the pixels.
        let (low, high) = block.split_at(32);
        let [mut low_bits, mut high_bits, mut nan] = [0_u32; 3];
        for (bit, (&low, &high)) in low.iter().zip(high).enumerate() {
            low_bits |= if low <= limit { 1 << bit } else { 0 };
            high_bits |= if high <= limit { 1 << bit } else { 0 };
            nan |= u32::from(low.is_nan() | high.is_nan());
        }
        (u64::from(high_bits) << 32 | u64::from(low_bits), nan != 0)
    })
}

fn pack_f16(row: &[f16], predicate: Predicate<f16>, words: &mut [u64]) -> bool {
    /// An integer in the order of the numbers: negative ones are counted downwards.
    fn key(pixel: f16) -> i16 {
        let bits = pixel.to_bits() as i16;
        bits ^ (bits >> 15 & 0x7fff)
    }
    let limit = key(predicate.at_most);
    pack(row, predicate.negate, words, |block| {
        let nan = block.iter().fold(0, |nan, pixel| nan | u16::from(pixel.to_bits() & 0x7fff > 0x7c00));
        (gather(block.map(|pixel| key(pixel) <= limit)), nan != 0)
    })
}

fn pack_u8(row: &[u8], predicate: Predicate<u8>, words: &mut [u64]) -> bool {
    let limit = predicate.at_most;
    pack(row, predicate.negate, words, |block| (gather(block.map(|pixel| pixel <= limit)), false))
}

fn pack_bits(row: &[u8], width: usize, order: BitOrder, predicate: Predicate<bool>, words: &mut [u64]) {
    let flip = if predicate.negate { u64::MAX } else { 0 };
    // A bit is <= 1 whatever it is, and <= 0 when it is not set.
    let any = if predicate.at_most { u64::MAX } else { 0 };
    let word_of = |eight: [u8; 8]| {
        let bits = match order {
            BitOrder::Little => u64::from_le_bytes(eight),
            // The first pixel is the highest bit of them all, and becomes the lowest.
            BitOrder::Big => u64::from_be_bytes(eight).reverse_bits(),
        };
        flip ^ (any | !bits)
    };
    let (eights, rest) = row.as_chunks();
    for (eight, word) in eights.iter().zip(words.iter_mut()) {
        *word = word_of(*eight);
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get_mut(eights.len())) {
        let mut eight = [0; 8];
        eight[..rest.len()].copy_from_slice(rest);
        *word = word_of(eight);
    }
    if let (Some(last), 1..) = (words.last_mut(), width % 64) {
        *last &= (1 << (width % 64)) - 1;
    }
}

/// `pack_block` gives 64 pixels' bits, and whether one of them is NaN.
#[inline(always)]
fn pack<T: Copy + Default>(
    row: &[T],
    negate: bool,
    words: &mut [u64],
    pack_block: impl Fn(&[T; 64]) -> (u64, bool),
) -> bool {
    let flip = if negate { u64::MAX } else { 0 };
    let mut any_nan = false;
    let (blocks, rest) = row.as_chunks();
    for (block, word) in blocks.iter().zip(words.iter_mut()) {
        let (bits, nan) = pack_block(block);
        *word = flip ^ bits;
        any_nan |= nan;
    }
    if let (false, Some(word)) = (rest.is_empty(), words.get_mut(blocks.len())) {
        let mut block = [T::default(); 64];
        block[..rest.len()].copy_from_slice(rest);
        let (bits, nan) = pack_block(&block);
        *word = (flip ^ bits) & ((1 << rest.len()) - 1);
        any_nan |= nan;
    }
    any_nan
}

#[inline(always)]
fn gather(flags: [bool; 64]) -> u64 {
    // Eight bytes that are 0 or 1, times this, have their eight bits in order in the top byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let bytes = flags.map(u8::from);
    let eights = bytes.as_chunks::<8>().0.iter().enumerate();
    eights.fold(0, |word, (position, &eight)| {
        let bits = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        word | bits << (8 * position)
    })
}

fn add_difference(line: &mut [f32], high: &[f32], low: &[f32]) {
    for ((value, high), low) in line.iter_mut().zip(high).zip(low) {
        *value += high - low;
    }
}

fn weighted_sum(out: &mut [f32], rows: &[f32], stride: usize, weights: &[f32]) {
    /// Columns whose sums stay in registers.
    const LANES: usize = 32;
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    for (position, block) in blocks.iter_mut().enumerate() {
        *block = weighted_columns(&rows[position * LANES..], stride, weights);
    }
    let done = blocks.len() * LANES;
    for (position, value) in rest.iter_mut().enumerate() {
        [*value] = weighted_columns(&rows[done + position..], stride, weights);
    }
}

#[inline(always)]
fn weighted_columns<const LANES: usize>(rows: &[f32], stride: usize, weights: &[f32]) -> [f32; LANES] {
    let mut total = [0.0; LANES];
    for (position, weights) in weights.chunks(SUM_BLOCK).enumerate() {
        let rows = &rows[position * SUM_BLOCK * stride..];
        let mut sum = [0.0; LANES];
        for (row, weight) in weights.iter().enumerate() {
            let values = &rows[row * stride..][..LANES];
            for lane in 0..LANES {
                sum[lane] += weight * values[lane];
            }
        }
        for lane in 0..LANES {
            total[lane] += sum[lane];
        }
    }
    total
}
