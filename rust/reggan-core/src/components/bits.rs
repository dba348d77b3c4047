//! Images and volumes of one bit a pixel: 64 pixels a word, pixel 0 in the lowest bit. Bits beyond the width
//! are 0.

use std::ops::Range;
use std::slice::{ChunksExact, ChunksExactMut};

use crate::Error;
use crate::memory::TryGrow;

/// Rows of bits, slice by slice; an image is one slice. The memory is reused from image to image.
#[derive(Default)]
pub struct BitRows {
    height: usize,
    width: usize,
    words_per_row: usize,
    words: Vec<u64>,
}

impl BitRows {
    /// Sets the size. The bits are unspecified until the rows are written or cleared.
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

    /// Rows in a slice.
    pub(crate) fn height(&self) -> usize {
        self.height
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    pub(crate) fn area(&self) -> u64 {
        self.words.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Copies the size and the bits of other rows.
    pub(crate) fn copy_from(&mut self, other: &Self) -> Result<(), Error> {
        (self.height, self.width, self.words_per_row) = (other.height, other.width, other.words_per_row);
        self.words.try_resize(other.words.len(), 0)?;
        self.words.copy_from_slice(&other.words);
        Ok(())
    }

    /// Replaces each word by `combine(own, other's)`. Both have one size.
    pub(crate) fn combine(&mut self, other: &Self, combine: impl Fn(u64, u64) -> u64) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, &other)| *word = combine(*word, other));
    }

    /// Pixels that differ from those of rows of the same size.
    pub(crate) fn count_different(&self, other: &Self) -> u64 {
        self.words.iter().zip(&other.words).map(|(word, other)| u64::from((word ^ other).count_ones())).sum()
    }

    /// Pairs of pixels, side by side or one above the other, that differ.
    pub(crate) fn edges(&self) -> u64 {
        let ones = |word: u64| u64::from(word.count_ones());
        let vertical: u64 =
            self.words.iter().zip(self.words.iter().skip(self.words_per_row)).map(|(a, b)| ones(a ^ b)).sum();
        // Each pixel against its right neighbor; the last of a row has none.
        let last = 1 << ((self.width - 1) % 64);
        let horizontal: u64 = self
            .rows()
            .map(|row| {
                let mut edges = 0;
                for (position, &word) in row.iter().enumerate() {
                    let next = row.get(position + 1);
                    let inner = if next.is_some() { u64::MAX } else { last - 1 };
                    let right = word >> 1 | next.map_or(0, |next| next << 63);
                    edges += ones((word ^ right) & inner);
                }
                edges
            })
            .sum();
        vertical + horizontal
    }

    #[inline]
    pub(crate) fn get(&self, y: usize, x: usize) -> bool {
        self.words[y * self.words_per_row + x / 64] >> (x % 64) & 1 == 1
    }

    #[inline]
    pub(crate) fn put(&mut self, y: usize, x: usize, value: bool) {
        let word = &mut self.words[y * self.words_per_row + x / 64];
        *word = *word & !(1 << (x % 64)) | u64::from(value) << (x % 64);
    }

    /// The position (y, x) of the one that `rank` ones precede in raster order.
    pub(crate) fn nth(&self, mut rank: u64) -> Option<(usize, usize)> {
        for (position, &word) in self.words.iter().enumerate() {
            let ones = u64::from(word.count_ones());
            if rank < ones {
                let mut rest = word;
                (0..rank).for_each(|_| rest &= rest - 1);
                let (y, column) = (position / self.words_per_row, position % self.words_per_row);
                return Some((y, column * 64 + rest.trailing_zeros() as usize));
            }
            rank -= ones;
        }
        None
    }

    /// Becomes the other rows, moved down and to the right; what leaves comes in at the opposite side.
    pub(crate) fn roll_from(&mut self, other: &Self, down: usize, right: usize) -> Result<(), Error> {
        let (height, width) = (other.height, other.width);
        self.resize(1, height, width)?;
        let (down, right) = (down % height, right % width);
        for y in 0..height {
            let target = (y + down) % height;
            if let [word] = other.row(y) {
                let all = u64::MAX >> (64 - width);
                let rolled = if right == 0 { *word } else { word << right | word >> (width - right) };
                self.row_mut(target)[0] = rolled & all;
            } else {
                let last = u64::MAX >> (63 - (width - 1) % 64);
                let row = other.row(y);
                let rolled = self.row_mut(target);
                for (position, word) in rolled.iter_mut().enumerate() {
                    let start = (position * 64) as isize - right as isize;
                    *word = bits_from(row, start) | bits_from(row, start + width as isize);
                }
                rolled[row.len() - 1] &= last;
            }
        }
        Ok(())
    }

    /// Flips every pixel.
    pub(crate) fn invert(&mut self) {
        let last = u64::MAX >> (63 - (self.width - 1) % 64);
        for row in self.rows_mut() {
            row.iter_mut().for_each(|word| *word = !*word);
            row[row.len() - 1] &= last;
        }
    }

    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
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

    /// `N` rows from row `y` on, if each row is one word and there are enough rows.
    #[inline(always)]
    pub(crate) fn narrow_rows<const N: usize>(&mut self, y: usize) -> Option<&mut [u64; N]> {
        if self.words_per_row == 1 { self.words[y..].first_chunk_mut() } else { None }
    }

    /// Sets the pixels `columns` of row `y`. The range may be empty.
    pub(crate) fn set(&mut self, y: usize, columns: Range<usize>) {
        self.update(y, columns, |word, mask| word | mask);
    }

    /// Replaces words by `update(word, mask)`, where `mask` holds the pixels `columns` of row `y`. The range may be
    /// empty.
    #[inline(always)]
    pub(crate) fn update(&mut self, y: usize, columns: Range<usize>, update: impl Fn(u64, u64) -> u64) {
        if columns.is_empty() {
            return;
        }
        let (first, last) = (columns.start / 64, (columns.end - 1) / 64);
        let from = u64::MAX << (columns.start % 64);
        let to = u64::MAX >> (63 - (columns.end - 1) % 64);
        let words = &mut self.row_mut(y)[first..=last];
        match words {
            [word] => *word = update(*word, from & to),
            [start, middle @ .., end] => {
                *start = update(*start, from);
                middle.iter_mut().for_each(|word| *word = update(*word, u64::MAX));
                *end = update(*end, to);
            }
            [] => {}
        }
    }
}

/// The 64 bits of a row from bit `start` on; bits outside of the row are 0.
fn bits_from(row: &[u64], start: isize) -> u64 {
    let (position, offset) = (start.div_euclid(64), start.rem_euclid(64));
    let word = |position: isize| {
        usize::try_from(position).ok().and_then(|position| row.get(position)).copied().unwrap_or(0)
    };
    let low = word(position) >> offset;
    if offset == 0 { low } else { low | word(position + 1) << (64 - offset) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    fn noise(height: usize, width: usize) -> BitRows {
        let mut stream = Stream::new(3, (height * 1000 + width) as u64, 0);
        let mut bits = BitRows::default();
        bits.resize(1, height, width).unwrap();
        bits.clear();
        for y in 0..height {
            for x in 0..width {
                bits.put(y, x, stream.word().is_multiple_of(3));
            }
        }
        bits
    }

    #[test]
    fn rows_roll() {
        for (height, width) in [(1, 1), (3, 63), (4, 64), (5, 65), (3, 127), (3, 128), (3, 130), (2, 200)] {
            let (bits, mut rolled, mut back) = (noise(height, width), BitRows::default(), BitRows::default());
            for (down, right) in [(0, 0), (1, 1), (height - 1, width - 1), (2, width / 2), (1, 64)] {
                rolled.roll_from(&bits, down, right).unwrap();
                for y in 0..height {
                    for x in 0..width {
                        assert_eq!(bits.get(y, x), rolled.get((y + down) % height, (x + right) % width));
                    }
                }
                back.roll_from(&rolled, height - down % height, width - right % width).unwrap();
                assert_eq!(back.count_different(&bits), 0);
            }
        }
    }

    #[test]
    fn edges_and_ranks_are_those_of_single_pixels() {
        for (height, width) in [(1, 1), (1, 64), (3, 63), (5, 65), (4, 130), (70, 2)] {
            let bits = noise(height, width);
            let (mut edges, mut ones) = (0, 0);
            for y in 0..height {
                for x in 0..width {
                    edges += u64::from(x + 1 < width && bits.get(y, x) != bits.get(y, x + 1));
                    edges += u64::from(y + 1 < height && bits.get(y, x) != bits.get(y + 1, x));
                    if bits.get(y, x) {
                        assert_eq!(bits.nth(ones), Some((y, x)));
                        ones += 1;
                    }
                }
            }
            assert_eq!((bits.edges(), bits.area(), bits.nth(ones)), (edges, ones, None));
        }
    }
}
