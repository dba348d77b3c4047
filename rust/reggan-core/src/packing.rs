//! Thresholding: 64 pixels become a word of bits, pixel 0 in the lowest bit.

use half::f16;

use crate::batch::{Batch, BitOrder, Images};
use crate::foreground::{Foreground, Pixel, Predicate};
use crate::simd::Simd;

/// Work on a batch of any element type.
pub(crate) trait OnRows {
    type Output;
    fn on<P: Packing>(self, rows: Batch<'_, P::Element>, packing: P) -> Self::Output;
}

/// Does the work with the rows of the images and the packing for their type.
pub(crate) fn on_rows<W: OnRows>(images: Images<'_>, foreground: Foreground, work: W) -> W::Output {
    match images {
        Images::Float64(batch) => work.on(batch, Threshold(foreground.float64())),
        Images::Float32(batch) => work.on(batch, Threshold(foreground.float32())),
        Images::Float16(batch) => work.on(batch, Threshold(foreground.float16())),
        Images::Uint8(batch) => work.on(batch, Threshold(foreground.uint8())),
        Images::Bool(batch) => work.on(batch, Threshold(foreground.bool())),
        Images::Packed(batch) => work.on(batch.bytes, Unpacking::new(foreground, batch.order)),
    }
}

/// How rows of one pixel type become bits.
pub(crate) trait Packing: Copy + Sync {
    /// The elements of a row.
    type Element: Copy + Sync;

    /// Writes full words. Returns whether any pixel is NaN.
    fn pack_words<S: Simd>(self, simd: S, elements: &[Self::Element], words: &mut [u64]) -> bool;

    /// Calls `write(position, word)` for the words of a row of `width` pixels that starts at `row[0]`. Bits
    /// beyond the row are 0. `row` may continue with the pixels that follow the row in the image. Returns
    /// whether any pixel is NaN, including those that follow in the last word.
    fn pack<S: Simd>(
        self,
        simd: S,
        row: &[Self::Element],
        width: usize,
        write: impl FnMut(usize, u64),
    ) -> bool;

    /// Packs rows of at most 64 pixels that follow each other: a word each. Returns whether any pixel is NaN.
    fn pack_rows<S: Simd>(self, simd: S, elements: &[Self::Element], width: usize, words: &mut [u64])
    -> bool;
}

/// Gray values, compared with a limit.
#[derive(Clone, Copy)]
pub(crate) struct Threshold<T>(pub(crate) Predicate<T>);

impl<T: Gray> Packing for Threshold<T> {
    type Element = T;

    #[inline(always)]
    fn pack_words<S: Simd>(self, simd: S, pixels: &[T], words: &mut [u64]) -> bool {
        let Predicate { at_most, negate } = self.0;
        let flip = if negate { u64::MAX } else { 0 };
        let mut any_nan = 0;
        for (block, word) in pixels.as_chunks::<64>().0.iter().zip(words) {
            let (bits, nan) = T::at_most(simd, block, at_most);
            any_nan |= nan;
            *word = bits ^ flip;
        }
        any_nan != 0
    }

    #[inline(always)]
    fn pack<S: Simd>(self, simd: S, row: &[T], width: usize, mut write: impl FnMut(usize, u64)) -> bool {
        let Predicate { at_most, negate } = self.0;
        let flip = if negate { u64::MAX } else { 0 };
        let mut any_nan = 0;
        let (blocks, rest) = row[..width].as_chunks::<64>();
        for (position, block) in blocks.iter().enumerate() {
            let (bits, nan) = T::at_most(simd, block, at_most);
            any_nan |= nan;
            write(position, bits ^ flip);
        }
        if !rest.is_empty() {
            let (bits, nan) = match row[blocks.len() * 64..].first_chunk() {
                Some(block) => T::at_most(simd, block, at_most),
                None => {
                    let mut block = [T::default(); 64];
                    block[..rest.len()].copy_from_slice(rest);
                    T::at_most(simd, &block, at_most)
                }
            };
            any_nan |= nan;
            write(blocks.len(), (bits ^ flip) & ((1 << rest.len()) - 1));
        }
        any_nan != 0
    }

    #[inline(always)]
    fn pack_rows<S: Simd>(self, simd: S, pixels: &[T], width: usize, words: &mut [u64]) -> bool {
        let mut nan = false;
        for (y, word) in words.iter_mut().enumerate() {
            nan |= self.pack(simd, &pixels[y * width..], width, |_, bits| *word = bits);
        }
        nan
    }
}

/// A pixel type and its comparison.
pub(crate) trait Gray: Pixel + Default {
    /// Which of 64 pixels are `<= limit`, and a nonzero number if any of them is NaN.
    fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64);
}

impl Gray for f32 {
    #[inline(always)]
    fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64) {
        simd.at_most_f32(pixels, limit)
    }
}

impl Gray for f64 {
    #[inline(always)]
    fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64) {
        simd.at_most_f64(pixels, limit)
    }
}

impl Gray for f16 {
    #[inline(always)]
    fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64) {
        simd.at_most_f16(pixels, limit)
    }
}

impl Gray for u8 {
    #[inline(always)]
    fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64) {
        (simd.at_most_u8(pixels, limit), 0)
    }
}

/// Pixels of one bit each, eight to a byte; 1 is white.
#[derive(Clone, Copy)]
pub(crate) struct Unpacking {
    /// Whether zeros and ones are foreground: all bits set or none.
    zeros: u64,
    ones: u64,
    order: BitOrder,
}

impl Unpacking {
    fn new(foreground: Foreground, order: BitOrder) -> Self {
        let Predicate { at_most, negate } = foreground.bit();
        let counts = |pixel| if (pixel <= at_most) != negate { u64::MAX } else { 0 };
        Self { zeros: counts(false), ones: counts(true), order }
    }

    #[inline(always)]
    fn word(self, bytes: [u8; 8]) -> u64 {
        self.foreground(u64::from_le_bytes(bytes))
    }

    #[inline(always)]
    fn foreground(self, bits: u64) -> u64 {
        let bits = match self.order {
            BitOrder::Big => bits.reverse_bits().swap_bytes(),
            BitOrder::Little => bits,
        };
        bits & self.ones | !bits & self.zeros
    }
}

impl Packing for Unpacking {
    type Element = u8;

    #[inline(always)]
    fn pack_words<S: Simd>(self, _simd: S, bytes: &[u8], words: &mut [u64]) -> bool {
        for (&bytes, word) in bytes.as_chunks::<8>().0.iter().zip(words) {
            *word = self.word(bytes);
        }
        false
    }

    #[inline(always)]
    fn pack<S: Simd>(self, _simd: S, row: &[u8], width: usize, mut write: impl FnMut(usize, u64)) -> bool {
        let (blocks, rest) = row[..width.div_ceil(8)].as_chunks::<8>();
        for (position, &bytes) in blocks.iter().enumerate() {
            let kept = u64::MAX >> (64 * (position + 1)).saturating_sub(width);
            write(position, self.word(bytes) & kept);
        }
        if !rest.is_empty() {
            let mut bytes = [0; 8];
            bytes[..rest.len()].copy_from_slice(rest);
            write(blocks.len(), self.word(bytes) & ((1 << (width % 64)) - 1));
        }
        false
    }

    #[inline(always)]
    fn pack_rows<S: Simd>(self, _simd: S, bytes: &[u8], width: usize, words: &mut [u64]) -> bool {
        let (per_row, kept) = (width.div_ceil(8), u64::MAX >> (64 - width));
        for (y, word) in words.iter_mut().enumerate() {
            let row = &bytes[y * per_row..];
            *word = match row.first_chunk() {
                Some(&bytes) => u64::from_le_bytes(bytes),
                None => {
                    let mut bytes = [0; 8];
                    bytes[..per_row].copy_from_slice(&row[..per_row]);
                    u64::from_le_bytes(bytes)
                }
            };
        }
        // A pass of its own, so that it is vectorized.
        words.iter_mut().for_each(|word| *word = self.foreground(*word) & kept);
        false
    }
}
