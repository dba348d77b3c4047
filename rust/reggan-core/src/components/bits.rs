//! An image or a volume of one bit a pixel: 64 pixels a word, pixel 0 in the lowest bit, bits beyond the width
//! always 0.

use std::ops::Range;
use std::slice::{ChunksExact, ChunksExactMut};

use crate::Error;
use crate::memory::TryGrow;

/// Rows of bits, slice after slice; an image is one slice. Its memory is kept from one image to the next.
#[derive(Default)]
pub struct BitRows {
    height: usize,
    width: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl BitRows {
    /// Becomes an image of this size. What the bits are is open until rows are written or cleared.
    pub(crate) fn resize(&mut self, depth: usize, height: usize, width: usize) -> Result<(), Error> {
        self.height = height;
        self.width = width;
        self.words_per_row = width.div_ceil(64);
        self.words.try_resize(depth * height * self.words_per_row, 0)
    }

    pub(crate) fn clear(&mut self) {
        self.words.fill(0);
    }

    pub(crate) fn depth(&self) -> usize {
        self.words.len() / self.words_per_row / self.height
    }

    /// Rows of a slice.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn area(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Makes every one a zero and every zero a one.
    pub(crate) fn invert(&mut self) {
        let last = u64::MAX >> (63 - (self.width - 1) % 64);
        for row in self.rows_mut() {
            row.iter_mut().for_each(|word| *word = !*word);
            row[row.len() - 1] &= last;
        }
    }

    pub(crate) fn rows(&self) -> ChunksExact<'_, u64> {
        self.words.chunks_exact(self.words_per_row)
    }

    pub(crate) fn rows_mut(&mut self) -> ChunksExactMut<'_, u64> {
        self.words.chunks_exact_mut(self.words_per_row)
    }

    pub(crate) fn row(&self, y: usize) -> &[u64] {
        &self.words[y * self.words_per_row..][..self.words_per_row]
    }

    pub(crate) fn row_mut(&mut self, y: usize) -> &mut [u64] {
        &mut self.words[y * self.words_per_row..][..self.words_per_row]
    }

    /// `N` rows from row `y` on, where a row is a word and there are so many.
    #[inline(always)]
    pub(crate) fn narrow_rows<const N: usize>(&mut self, y: usize) -> Option<&mut [u64; N]> {
        if self.words_per_row == 1 { self.words[y..].first_chunk_mut() } else { None }
    }

    /// Sets the pixels `columns` of row `y`; empty ranges are fine.
    pub(crate) fn set(&mut self, y: usize, columns: Range<usize>) {
        if columns.is_empty() {
            return;
        }
        let (first, last) = (columns.start / 64, (columns.end - 1) / 64);
        let from = u64::MAX << (columns.start % 64);
        let to = u64::MAX >> (63 - (columns.end - 1) % 64);
        let words = &mut self.row_mut(y)[first..=last];
        match words {
            [word] => *word |= from & to,
            [start, middle @ .., end] => {
                *start |= from;
                middle.fill(u64::MAX);
                *end |= to;
            }
            [] => {}
        }
    }
}
