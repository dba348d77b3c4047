//! The halo: gray pixels around the ink, which the blur of a renderer or a generator leaves.
//!
//! The *profile* is the usual gray at each distance from the ink of an image. Where halos of two pieces overlap
//! and one of the pieces goes away, the halo of the other is drawn by the profile. Distances are octagonal, which
//! is nearly Euclidean (Rosenfeld & Pfaltz, "Distance functions on digital pictures", 1968): sets of pixels grow
//! to their 4 and to their 8 neighbors in turn, 64 pixels at a time.

use std::cmp::Ordering;

use super::Canvas;
use super::pieces::{Piece, Pieces};
use crate::Error;
use crate::components::{BitRows, Run, for_each_run};
use crate::memory::TryGrow;
use crate::packing::Gray;
use crate::parallel::Watch;

/// A halo reaches this share of the shorter side, and `LEAST_REACH` pixels at least.
const REACH: usize = 8;
const LEAST_REACH: usize = 3;
/// The most rows that are sampled for the profile, and the share of darker samples. Pixels that are darker than
/// usual are in two halos.
const SAMPLED_ROWS: usize = 32;
const SHARE: (usize, usize) = (2, 3);

/// The profile of an image, and working memory that is reused from image to image.
#[derive(Default)]
pub(super) struct Halo<T> {
    /// The usual gray at each distance from the ink, from 1 on, until it is white.
    profile: Vec<T>,
    samples: Vec<T>,
    /// The usual gray of the ink at its edge.
    pub(super) edge: T,
    /// The ink that stays where it is.
    pub(super) kept: BitRows,
    removed: Growing,
    growing: Growing,
    /// The pixels near a piece, and near two or more.
    near: BitRows,
    contested: BitRows,
}

impl<T: Gray + PartialOrd> Halo<T> {
    /// Measures the profile of an image.
    pub(super) fn measure(
        &mut self,
        canvas: &Canvas<'_, T>,
        ink: &BitRows,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let (height, width) = (canvas.height(), canvas.width);
        let reach = (height.min(width) / REACH).max(LEAST_REACH);
        self.growing.start(height, width)?;
        self.growing.add(ink);
        self.profile.clear();
        // The set is the ink at first, and gains a ring of pixels at each distance.
        for distance in 0..=reach {
            if distance > 0 {
                self.growing.grow(watch)?;
            }
            self.samples.clear();
            for y in (0..height).step_by(height.div_ceil(SAMPLED_ROWS)) {
                let row = canvas.row(y);
                for x in self.growing.ends_of_ring(y).into_iter().flatten() {
                    self.samples.try_push(row[x])?;
                }
            }
            let Some(last) = self.samples.len().checked_sub(1) else { break };
            let compare = |a: &T, b: &T| a.partial_cmp(b).unwrap_or(Ordering::Equal);
            let (_, &mut gray, _) = self.samples.select_nth_unstable_by(last * SHARE.0 / SHARE.1, compare);
            if distance == 0 {
                self.edge = gray;
                continue;
            }
            if gray > canvas.palest {
                break;
            }
            // A halo fades with the distance.
            let nearer = self.profile.last().copied();
            self.profile.try_push(nearer.map_or(gray, |nearer| lighter(nearer, gray)))?;
        }
        Ok(())
    }

    /// Removes the ink that is not kept, and its halo. The halo of the kept ink stays; where a halo was removed, it
    /// is at least as light as the profile.
    pub(super) fn remove(
        &mut self,
        canvas: &mut Canvas<'_, T>,
        ink: &BitRows,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let (height, width, white) = (canvas.height(), canvas.width, canvas.white);
        let Self { profile, kept, removed, growing, .. } = self;
        removed.start(height, width)?;
        removed.add(ink);
        removed.remove(kept);
        // One more, as a halo is rounder than the octagon that the set grows to.
        for _ in 0..=profile.len() {
            removed.grow(watch)?;
        }
        removed.remove(kept);
        for (y, pixels) in canvas.pixels.chunks_exact_mut(width).enumerate() {
            for_each_run(removed.words(y), |run| {
                pixels[run.columns()].fill(white);
                Ok(())
            })?;
        }
        growing.start(height, width)?;
        growing.add(kept);
        for &gray in profile.iter() {
            growing.grow(watch)?;
            for y in 0..height {
                let row = canvas.row(y);
                let pixels = &mut canvas.pixels[y * width..][..width];
                growing.for_each_run_of_ring(y, Some(removed.words(y)), |run| {
                    for (pixel, &before) in pixels[run.columns()].iter_mut().zip(&row[run.columns()]) {
                        *pixel = lighter(before, gray);
                    }
                });
            }
        }
        Ok(())
    }

    /// Finds the pixels that are near two pieces or more.
    pub(super) fn find_contested(
        &mut self,
        (height, width): (usize, usize),
        pieces: &Pieces,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        for bits in [&mut self.near, &mut self.contested] {
            bits.resize(1, height, width)?;
            bits.clear();
        }
        for piece in pieces.all() {
            let (top, left) = self.start(pieces, piece)?;
            for _ in 0..self.profile.len() {
                self.growing.grow(watch)?;
            }
            for y in top.max(0)..(top + self.growing.height as i32).min(height as i32) {
                let words = self.growing.words((y - top) as usize);
                let word = |word: i32| {
                    usize::try_from(word).ok().and_then(|word| words.get(word)).map_or(0, |&word| word)
                };
                let rows = self.near.row_mut(y as usize).iter_mut().zip(self.contested.row_mut(y as usize));
                for (start, (near, contested)) in (0..).step_by(64).zip(rows) {
                    // The window need not start where a word of the image does.
                    let (first, shift) = ((start - left).div_euclid(64), (start - left).rem_euclid(64));
                    let rest = if shift > 0 { word(first + 1) << (64 - shift) } else { 0 };
                    let here = word(first) >> shift | rest;
                    *contested |= *near & here;
                    *near |= here;
                }
            }
        }
        Ok(())
    }

    /// Starts a set with a piece in a window with a margin for its halo. Returns the top and left of the window.
    fn start(&mut self, pieces: &Pieces, piece: Piece) -> Result<(i32, i32), Error> {
        let margin = self.profile.len() as i32;
        let (top, left) = (piece.top - margin, piece.left - margin);
        let (bottom, right) = (piece.bottom + margin, piece.right + margin);
        self.growing.start((bottom - top) as usize, (right - left) as usize)?;
        for y in piece.top..piece.bottom {
            for run in pieces.row(piece, y) {
                let [start, end] = [run.start, run.end].map(|x| (x + piece.moved.1 - left) as usize);
                self.growing.set((y - top) as usize, start, end);
            }
        }
        Ok((top, left))
    }

    /// Draws a piece where it was moved to, with its halo; where that is near other pieces, it is at least as light
    /// as the profile. The darker of two grays stays.
    pub(super) fn draw(
        &mut self,
        canvas: &mut Canvas<'_, T>,
        pieces: &Pieces,
        piece: Piece,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let (height, width) = (canvas.height() as i32, canvas.width as i32);
        let (top, left) = self.start(pieces, piece)?;
        let moved = piece.moved;
        for y in piece.top..piece.bottom {
            let before = canvas.row((y - moved.0) as usize);
            for run in pieces.row(piece, y) {
                let (start, end) = (run.start + moved.1, run.end + moved.1);
                let pixels = &mut canvas.pixels[(y * width + start) as usize..(y * width + end) as usize];
                for (pixel, &gray) in pixels.iter_mut().zip(&before[run.start as usize..run.end as usize]) {
                    *pixel = darker(*pixel, gray);
                }
            }
        }
        let Self { profile, growing, contested, .. } = self;
        for (&gray, distance) in profile.iter().zip(1..) {
            growing.grow(watch)?;
            for y in (piece.top - distance).max(0)..(piece.bottom + distance).min(height) {
                // The image may have cut the piece. Its halo beyond the border is the profile.
                let from = usize::try_from(y - moved.0).ok().filter(|&y| y < canvas.height());
                let (row, contested) = from.map_or((&[][..], &[][..]), |y| (canvas.row(y), contested.row(y)));
                let pixels = &mut canvas.pixels[(y * width) as usize..][..width as usize];
                growing.for_each_run_of_ring((y - top) as usize, None, |run| {
                    let (start, end) = (i32::from(run.start) + left, i32::from(run.end) + left);
                    for x in start.max(0)..end.min(width) {
                        let from = usize::try_from(x - moved.1).ok().filter(|&x| x < row.len());
                        let gray = match from {
                            Some(x) if contested[x / 64] >> (x % 64) & 1 == 0 => row[x],
                            Some(x) => lighter(row[x], gray),
                            None => gray,
                        };
                        let pixel = &mut pixels[x as usize];
                        *pixel = darker(*pixel, gray);
                    }
                });
            }
        }
        Ok(())
    }

    /// Draws the profile around the ink that the image gained.
    pub(super) fn surround(
        &mut self,
        canvas: &mut Canvas<'_, T>,
        ink: &BitRows,
        before: &BitRows,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let (height, width) = (canvas.height(), canvas.width);
        self.growing.start(height, width)?;
        self.growing.add(ink);
        self.growing.remove(before);
        for &gray in &self.profile {
            self.growing.grow(watch)?;
            for (y, pixels) in canvas.pixels.chunks_exact_mut(width).enumerate() {
                self.growing.for_each_run_of_ring(y, None, |run| {
                    for pixel in &mut pixels[run.columns()] {
                        *pixel = darker(*pixel, gray);
                    }
                });
            }
        }
        Ok(())
    }
}

pub(super) fn darker<T: PartialOrd>(a: T, b: T) -> T {
    if b < a { b } else { a }
}

fn lighter<T: PartialOrd>(a: T, b: T) -> T {
    if b > a { b } else { a }
}

/// A set of pixels that grows. The memory is reused from set to set.
#[derive(Default)]
struct Growing {
    height: usize,
    /// Words in a row, and from row to row: wide rows have a word of zeros before them. A row of zeros is above and
    /// one is below.
    words_per_row: usize,
    stride: usize,
    last: u64,
    now: Vec<u64>,
    /// The set before it has grown.
    before: Vec<u64>,
    steps: usize,
}

impl Growing {
    /// Starts with an empty set.
    fn start(&mut self, height: usize, width: usize) -> Result<(), Error> {
        (self.height, self.steps) = (height, 0);
        self.words_per_row = width.div_ceil(64);
        self.stride = self.words_per_row + usize::from(width > 64);
        self.last = u64::MAX >> (63 - (width - 1) % 64);
        for words in [&mut self.now, &mut self.before] {
            words.clear();
            words.try_resize((height + 2) * self.stride + 1, 0)?;
        }
        Ok(())
    }

    /// Where the words of a row start.
    fn row(&self, y: usize) -> usize {
        (y + 2) * self.stride - self.words_per_row
    }

    fn words(&self, y: usize) -> &[u64] {
        &self.now[self.row(y)..][..self.words_per_row]
    }

    /// Adds the pixels of an image of this size.
    fn add(&mut self, bits: &BitRows) {
        self.combine(bits, |now, bits| now | bits);
    }

    /// Removes the pixels of an image of this size.
    fn remove(&mut self, bits: &BitRows) {
        self.combine(bits, |now, bits| now & !bits);
    }

    fn combine(&mut self, bits: &BitRows, operation: impl Fn(u64, u64) -> u64) {
        for (y, words) in bits.rows().enumerate() {
            let row = self.row(y);
            for (now, &word) in self.now[row..].iter_mut().zip(words) {
                *now = operation(*now, word);
            }
        }
    }

    /// Adds the pixels `start..end` of a row.
    fn set(&mut self, y: usize, start: usize, end: usize) {
        let row = self.row(y);
        let (first, last) = (start / 64, (end - 1) / 64);
        for (word, now) in (first..=last).zip(&mut self.now[row + first..]) {
            let from = if word == first { u64::MAX << (start % 64) } else { u64::MAX };
            let to = if word == last { u64::MAX >> (63 - (end - 1) % 64) } else { u64::MAX };
            *now |= from & to;
        }
    }

    /// Grows by a pixel: to sides, and every second time to corners too.
    fn grow(&mut self, watch: &mut Watch<'_>) -> Result<(), Error> {
        let Self { height, stride, last, .. } = *self;
        std::mem::swap(&mut self.now, &mut self.before);
        let corners = self.steps % 2 == 1;
        let now = &mut self.now[stride..];
        if stride == 1 {
            for (now, rows) in now.iter_mut().zip(self.before[..height + 2].windows(3)) {
                let (beside, row) = (rows[0] | rows[2], rows[1]);
                // The square around a pixel is a column of three that spreads to both sides.
                let spread = if corners { beside | row } else { row };
                *now = (row | beside | spread << 1 | spread >> 1) & last;
            }
        } else {
            for y in 0..height {
                let middle = (y + 1) * stride + 1;
                for (word, now) in now[y * stride + 1..][..stride - 1].iter_mut().enumerate() {
                    let at = middle + word;
                    let column =
                        |at: usize| self.before[at - stride] | self.before[at] | self.before[at + stride];
                    let spread = |at: usize| if corners { column(at) } else { self.before[at] };
                    let from_left = spread(at) << 1 | spread(at - 1) >> 63;
                    let from_right = spread(at) >> 1 | spread(at + 1) << 63;
                    *now = column(at) | from_left | from_right;
                }
                now[y * stride + stride - 1] &= last;
            }
        }
        self.steps += 1;
        watch.worked(height * stride * 4)
    }

    /// The first and the last pixel of a row that the set gained in the last step.
    fn ends_of_ring(&self, y: usize) -> [Option<usize>; 2] {
        let row = self.row(y);
        let ring = |word: usize| self.now[row + word] & !self.before[row + word];
        let words = self.words_per_row;
        let first = (0..words).find(|&word| ring(word) != 0);
        let last = (0..words).rev().find(|&word| ring(word) != 0);
        [
            first.map(|word| word * 64 + ring(word).trailing_zeros() as usize),
            last.map(|word| word * 64 + 63 - ring(word).leading_zeros() as usize),
        ]
    }

    /// Calls `visit` for each run of pixels of row `y` that the set gained in the last step and that are in
    /// `within`, if given. A run ends where a word does.
    fn for_each_run_of_ring(&self, y: usize, within: Option<&[u64]>, mut visit: impl FnMut(Run)) {
        let row = self.row(y);
        for word in 0..self.words_per_row {
            let mut ring = self.now[row + word] & !self.before[row + word];
            ring &= within.map_or(u64::MAX, |within| within[word]);
            while ring != 0 {
                let start = ring.trailing_zeros();
                let len = (!(ring >> start)).trailing_zeros();
                let first = 64 * word as u32 + start;
                visit(Run { start: first as u16, end: (first + len) as u16 });
                ring &= u64::MAX.checked_shl(start + len).unwrap_or(0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The octagon around the pixel (y, x), row by row.
    fn grown(height: usize, width: usize, (y, x): (usize, usize), steps: usize) -> Vec<Vec<usize>> {
        let mut set = Growing::default();
        set.start(height, width).unwrap();
        set.set(y, x, x + 1);
        for _ in 0..steps {
            set.grow(&mut Watch::new(&mut || false)).unwrap();
        }
        let bit = |row: &[u64], x: usize| row[x / 64] >> (x % 64) & 1 == 1;
        (0..height).map(|y| (0..width).filter(|&x| bit(set.words(y), x)).collect()).collect()
    }

    #[test]
    fn sets_grow_to_octagons() {
        for width in [9, 63, 64, 65, 127, 128, 129, 200] {
            for x in [0, 1, width / 2, 62.min(width - 1), 63.min(width - 1), 64.min(width - 1), width - 1] {
                for steps in 0..6 {
                    let rows = grown(12, width, (5, x), steps);
                    for (y, columns) in rows.into_iter().enumerate() {
                        // A diamond of all steps, and of the squares among them, half as many.
                        let (down, corners) = (y.abs_diff(5), steps / 2);
                        let inside = |&column: &usize| {
                            let (far, near) = (down.max(column.abs_diff(x)), down.min(column.abs_diff(x)));
                            far <= steps && far + near <= steps + corners
                        };
                        assert_eq!(
                            columns,
                            (0..width).filter(inside).collect::<Vec<_>>(),
                            "{width} {x} {steps} {y}"
                        );
                    }
                }
            }
        }
    }
}
