//! Rows of bits with a margin around them, in columns of words, so that a shift is a pass over words.

use super::Layer;
use crate::Error;
use crate::components::BitRows;
use crate::memory::TryGrow;
use crate::simd::Simd;

/// Words that a vector operation may access beyond the valid ones.
const SLACK: usize = 8;

/// Column `c` of words holds, for each row, the 64 pixels from pixel `c * step` on. The words of a column follow each
/// other.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) step: usize,
}

impl Layout {
    /// For `width` pixels, the margin included.
    pub(super) fn new(rows: usize, width: usize) -> Self {
        Self { rows, columns: width.div_ceil(64), step: 64 }
    }

    /// The number of words.
    pub(super) fn len(self) -> usize {
        self.rows * self.columns
    }

    /// Makes room for the words, and for what is read beyond them by shifts of at most `pixels` pixels and rows.
    pub(super) fn reserve(self, words: &mut Vec<u64>, pixels: usize) -> Result<(), Error> {
        let beyond = (pixels / 64 + 1) * self.rows + pixels + 2 * SLACK;
        words.try_resize(self.len() + beyond, 0)
    }

    /// Writes a layer, below `margin` rows and right of `margin` pixels. Outside of the image all pixels belong to the
    /// layer, or the image is repeated.
    #[inline(always)]
    pub(super) fn spread(
        self,
        bits: &BitRows,
        layer: Layer,
        periodic: bool,
        margin: usize,
        words: &mut [u64],
    ) {
        let (height, width) = (bits.height(), bits.width());
        let flip = layer.flip();
        for (column, words) in words[..self.len()].chunks_exact_mut(self.rows).enumerate() {
            let first = (column * self.step) as isize - margin as isize;
            let image = &mut words[margin..margin + height];
            image.fill(0);
            if periodic {
                let mut copy = first.rem_euclid(width as isize);
                while copy > -64 {
                    add_pixels(bits, copy, image);
                    copy -= width as isize;
                }
            } else {
                add_pixels(bits, first, image);
            }
            let outside = if periodic { 0 } else { !within(first, width) };
            image.iter_mut().for_each(|word| *word = (*word ^ flip) | outside);
            if periodic {
                for row in (0..margin).rev() {
                    words[row] = words[row + height];
                }
                for row in margin + height..self.rows {
                    words[row] = words[row - height];
                }
            } else {
                words[..margin].fill(u64::MAX);
                words[margin + height..].fill(u64::MAX);
            }
        }
    }

    /// The words from `at` on, `pixels` to the right. `load` gives the words at a position. Without `CARRY` nothing comes
    /// from the next column.
    #[inline(always)]
    pub(super) fn shifted<S: Simd, const CARRY: bool>(
        self,
        simd: S,
        load: impl Fn(usize) -> S::Words,
        at: usize,
        pixels: usize,
    ) -> S::Words {
        if !CARRY {
            return simd.shift_right_by(load(at), pixels as u32);
        }
        let (at, bits) = (at + pixels / 64 * self.rows, (pixels % 64) as u32);
        let next = simd.shift_left_by(simd.shift_left::<1>(load(at + self.rows)), 63 - bits);
        simd.or(simd.shift_right_by(load(at), bits), next)
    }
}

/// Which of the 64 pixels from `first` on are in a row.
#[inline(always)]
pub(super) fn within(first: isize, width: usize) -> u64 {
    let below = |end: isize| if end >= 64 { u64::MAX } else { (1 << end.max(0)) - 1 };
    below(width as isize - first) & !below(-first)
}

/// Adds the 64 pixels from `first` on of each row; there are none outside of the image.
#[inline(always)]
fn add_pixels(bits: &BitRows, first: isize, image: &mut [u64]) {
    let (position, skipped) = (first.div_euclid(64), first.rem_euclid(64));
    add_words(bits, position, image, |word| word >> skipped);
    if skipped > 0 {
        add_words(bits, position + 1, image, |word| word << (64 - skipped));
    }
}

#[inline(always)]
fn add_words(bits: &BitRows, position: isize, image: &mut [u64], shift: impl Fn(u64) -> u64) {
    let words_per_row = bits.width().div_ceil(64);
    match usize::try_from(position) {
        // A case of its own, which needs no strides.
        Ok(0) if words_per_row == 1 => {
            image.iter_mut().zip(bits.words()).for_each(|(word, &row)| *word |= shift(row));
        }
        Ok(position) if position < words_per_row => {
            let rows = bits.words()[position..].iter().step_by(words_per_row);
            image.iter_mut().zip(rows).for_each(|(word, &row)| *word |= shift(row));
        }
        _ => {}
    }
}
