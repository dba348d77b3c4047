//! A band of an image as strips of bits: 64 columns each, a word a row, and one row above the band.

use crate::packing::Packing;
use crate::simd::Simd;

/// Rows are kept up to a multiple of this, which every instruction set's number of lanes divides.
const ROW_BLOCK: usize = 8;

/// Strips of the same height. Memory is kept from one band and image to the next.
#[derive(Default)]
pub(crate) struct Strips {
    /// For each strip the row above the band, its rows, and zeros to a full block.
    words: Vec<u64>,
    stride: usize,
    count: usize,
    rows: usize,
}

impl Strips {
    /// The first band of an image: nothing is above it. No band of the image has more rows.
    pub(crate) fn start(&mut self, rows: usize, width: usize) {
        self.count = width.div_ceil(64);
        self.stride = 1 + rows.next_multiple_of(ROW_BLOCK);
        self.words.resize(self.count * self.stride, 0);
        for strip in self.words.chunks_exact_mut(self.stride) {
            strip[0] = 0;
        }
        self.set_rows(rows);
    }

    /// The next band of the image: its row above is the last row of this one.
    pub(crate) fn advance(&mut self, rows: usize) {
        let last = self.rows;
        for strip in self.words.chunks_exact_mut(self.stride) {
            strip[0] = strip[last];
        }
        self.set_rows(rows);
    }

    fn set_rows(&mut self, rows: usize) {
        self.rows = rows;
        let end = 1 + rows.next_multiple_of(ROW_BLOCK);
        for strip in self.words.chunks_exact_mut(self.stride) {
            strip[1 + rows..end].fill(0);
        }
    }

    /// Packs one row of pixels into row `y`. Returns whether a pixel is NaN.
    #[inline(always)]
    pub(crate) fn pack<S: Simd, P: Packing>(
        &mut self,
        simd: S,
        packing: P,
        y: usize,
        row: &[P::Element],
        width: usize,
    ) -> bool {
        let (words, stride) = (&mut self.words[1 + y..], self.stride);
        packing.pack(simd, row, width, |strip, bits| words[strip * stride] = bits)
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// For each strip: the row above, the rows, and zeros to a full block.
    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.words.chunks_exact(self.stride)
    }

    pub(crate) fn strip(&self, position: usize) -> &[u64] {
        &self.words[position * self.stride..][..self.stride]
    }

    /// The words of row `y`.
    pub(crate) fn row(&self, y: usize) -> impl Iterator<Item = u64> {
        self.words[1 + y..].iter().step_by(self.stride).copied()
    }
}
