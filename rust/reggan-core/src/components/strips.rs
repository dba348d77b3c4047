//! A band of rows as strips of bits. A strip is 64 columns wide: one word a row, preceded by the row above
//! the band.

use crate::Error;
use crate::batch::Rows;
use crate::memory::TryGrow;
use crate::packing::Packing;
use crate::simd::Simd;

/// Strips are padded to a multiple of this many rows, so that vector operations on them need no remainder.
const ROW_BLOCK: usize = 8;

/// Strips of the same height. The memory is reused from band to band.
#[derive(Default)]
pub(crate) struct Strips {
    /// Each strip: the row above the band, the rows of the band, and zeros up to a full block.
    words: Vec<u64>,
    stride: usize,
    count: usize,
    width: usize,
    rows: usize,
    /// Number of rows packed so far.
    packed: usize,
    nan: bool,
}

impl Strips {
    /// Starts a band of `rows` rows, not packed yet, below the last row of the band `above`.
    #[inline(always)]
    pub(crate) fn begin(&mut self, rows: usize, width: usize, above: Option<&Self>) -> Result<(), Error> {
        let stride = 1 + rows.next_multiple_of(ROW_BLOCK);
        (self.count, self.stride) = (width.div_ceil(64), stride);
        (self.width, self.rows, self.packed, self.nan) = (width, rows, 0, false);
        self.words.try_resize(self.count * stride, 0)?;
        for (position, strip) in self.words.chunks_exact_mut(stride).enumerate() {
            strip[0] = above.map_or(0, |above| above.strip(position)[above.rows]);
            for word in &mut strip[1 + rows..] {
                *word = 0;
            }
        }
        Ok(())
    }

    /// Packs up to `at_most` of the remaining rows.
    #[inline(always)]
    pub(crate) fn pack<S: Simd, P: Packing>(
        &mut self,
        simd: S,
        packing: P,
        rows: &mut Rows<'_, P::Element>,
        at_most: usize,
    ) {
        let count = at_most.min(self.rows - self.packed);
        let words = &mut self.words[1 + self.packed..];
        self.packed += count;
        if self.width == 64
            && let Some(block) = rows.next_block(count)
        {
            self.nan |= packing.pack_words(simd, block, &mut words[..count]);
            return;
        }
        let (width, stride) = (self.width, self.stride);
        let mut nan = false;
        for y in 0..count {
            let Some(row) = rows.next() else { break };
            let words = &mut words[y..];
            nan |= packing.pack(simd, row, width, |strip, bits| words[strip * stride] = bits);
        }
        self.nan |= nan;
    }

    /// Puts the last row above the first, as in a periodic image that is one band.
    pub(super) fn wrap(&mut self) {
        for strip in self.words.chunks_exact_mut(self.stride) {
            strip[0] = strip[self.rows];
        }
    }

    /// Flips every pixel of a band without a row above it.
    pub(super) fn invert(&mut self) {
        let (rows, width) = (self.rows, self.width);
        for (position, strip) in self.words.chunks_exact_mut(self.stride).enumerate() {
            let inside = u64::MAX >> (64 * (position + 1)).saturating_sub(width);
            strip[0] = 0;
            strip[1..=rows].iter_mut().for_each(|word| *word = !*word & inside);
        }
    }

    /// The last column, in the last strip.
    pub(super) fn last_column(&self) -> u32 {
        (self.width as u32 - 1) % 64
    }

    /// Whether any packed pixel is NaN.
    pub(crate) fn has_nan(&self) -> bool {
        self.nan
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// Each strip: the row above the band, the rows of the band, and zeros up to a full block.
    #[inline(always)]
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.words.chunks_exact(self.stride)
    }

    #[inline(always)]
    pub(crate) fn strip(&self, position: usize) -> &[u64] {
        &self.words[position * self.stride..][..self.stride]
    }

    /// The words of row `y`.
    pub(crate) fn row(&self, y: usize) -> impl ExactSizeIterator<Item = u64> {
        self.words[1 + y..].iter().step_by(self.stride).copied()
    }
}
