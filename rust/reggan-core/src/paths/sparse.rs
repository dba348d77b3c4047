//! Wavefronts in images of any size: a step visits only the words that the front is in.

use super::diameter::{Wave, Waves};
use crate::Error;
use crate::components::BitRows;
use crate::memory::TryGrow;
use crate::parallel::Watch;

/// Units of work of a word of a front.
const UNITS_PER_WORD: usize = 4;

/// Pixels of an image as words of bits, row by row. Between rows there are bits of no pixels, and before the first and
/// after the last row more than a row of them, so that no front needs to look for a border.
#[derive(Clone, Copy, Default)]
struct Layout {
    words_per_row: usize,
    corners: bool,
}

impl Layout {
    /// The words before the first row.
    fn margin(self) -> usize {
        self.words_per_row + 1
    }
}

/// A set of pixels that lists its words.
#[derive(Default)]
struct Front {
    bits: Vec<u64>,
    words: Vec<u32>,
}

impl Front {
    /// Makes room for all words of an image. The front must be empty.
    fn resize(&mut self, words: usize) -> Result<(), Error> {
        self.bits.try_resize(words, 0)?;
        self.words.try_reserve_room(words)
    }

    fn clear(&mut self) {
        for &word in &self.words {
            self.bits[word as usize] = 0;
        }
        self.words.clear();
    }

    #[inline(always)]
    fn add(&mut self, word: usize, bits: u64) -> Result<(), Error> {
        let known = &mut self.bits[word];
        if *known == 0 {
            self.words.try_push(word as u32)?;
        }
        *known |= bits;
        Ok(())
    }

    fn start_at(&mut self, pixel: usize) -> Result<(), Error> {
        self.clear();
        self.add(pixel / 64, 1 << (pixel % 64))
    }

    fn iter(&self) -> impl Iterator<Item = (usize, u64)> {
        self.words.iter().map(|&word| (word as usize, self.bits[word as usize]))
    }

    fn count(&self) -> u32 {
        self.iter().map(|(_, bits)| bits.count_ones()).sum()
    }

    fn first(&self) -> Option<usize> {
        self.iter().map(first_of).next()
    }
}

/// The first pixel of a word that is not 0.
fn first_of((word, bits): (usize, u64)) -> usize {
    word * 64 + bits.trailing_zeros() as usize
}

/// The wavefronts of one image. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Sparse {
    layout: Layout,
    /// Pixels of components that were not taken.
    left: Vec<u64>,
    /// All words of `left` before this one are 0.
    next: usize,
    component: Front,
    candidates: Vec<u64>,
    /// Pixels of the component that the wavefront has not reached.
    unseen: Vec<u64>,
    front: Front,
    reached: Front,
    halfway: Front,
}

impl Sparse {
    /// Reads an image.
    pub(super) fn load(&mut self, bits: &BitRows, corners: bool) -> Result<(), Error> {
        let words_per_row = bits.width() / 64 + 1;
        self.layout = Layout { words_per_row, corners };
        let margin = self.layout.margin();
        let words = bits.height() * words_per_row + 2 * margin;
        self.left.clear();
        self.left.try_resize(words, 0)?;
        for (row, padded) in bits.rows().zip(self.left[margin..].chunks_exact_mut(words_per_row)) {
            padded[..row.len()].copy_from_slice(row);
        }
        self.next = 0;
        self.forget_component();
        for front in [&mut self.component, &mut self.front, &mut self.reached, &mut self.halfway] {
            front.clear();
            front.resize(words)?;
        }
        for bits in [&mut self.candidates, &mut self.unseen] {
            bits.try_resize(words, 0)?;
        }
        Ok(())
    }

    /// Replaces distances, 0 at pixels to start from and negative elsewhere, by the steps to each pixel, -1 where
    /// there is no path.
    pub(super) fn measure(
        &mut self,
        distances: &mut [i32],
        width: usize,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Layout { words_per_row, .. } = self.layout;
        let margin = self.layout.margin();
        for (y, row) in distances.chunks_exact_mut(width).enumerate() {
            for (position, pixels) in row.chunks_mut(64).enumerate() {
                let word = margin + y * words_per_row + position;
                let starts =
                    (0..).zip(&*pixels).fold(0, |bits, (x, &pixel)| bits | u64::from(pixel == 0) << x);
                if starts != 0 {
                    let inside = starts & self.left[word];
                    pixels
                        .iter_mut()
                        .enumerate()
                        .for_each(|(x, pixel)| *pixel = (inside >> x & 1) as i32 - 1);
                    if inside != 0 {
                        self.front.add(word, inside)?;
                        self.left[word] &= !inside;
                    }
                }
            }
            watch.worked(width)?;
        }
        let mut steps = 0;
        while !self.front.words.is_empty() {
            watch.worked(UNITS_PER_WORD * self.front.words.len())?;
            spread(self.layout, &self.front, &mut self.left, &mut self.reached)?;
            self.front.clear();
            std::mem::swap(&mut self.front, &mut self.reached);
            steps += 1;
            for (word, mut bits) in self.front.iter() {
                let (y, position) = ((word - margin) / words_per_row, (word - margin) % words_per_row);
                let pixels = &mut distances[y * width + position * 64..];
                while bits != 0 {
                    pixels[bits.trailing_zeros() as usize] = steps;
                    bits &= bits - 1;
                }
            }
        }
        Ok(())
    }

    fn forget_component(&mut self) {
        for &word in &self.component.words {
            self.unseen[word as usize] = 0;
        }
        self.component.clear();
    }

    /// Starts a wavefront in the component.
    fn start(&mut self, source: usize) -> Result<(), Error> {
        for (word, bits) in self.component.iter() {
            self.unseen[word] = bits;
        }
        self.unseen[source / 64] &= !(1 << (source % 64));
        self.front.start_at(source)
    }

    /// Takes one step.
    #[inline(always)]
    fn step(&mut self, watch: &mut Watch<'_>) -> Result<(), Error> {
        watch.worked(UNITS_PER_WORD * self.front.words.len())?;
        spread(self.layout, &self.front, &mut self.unseen, &mut self.reached)?;
        self.front.clear();
        std::mem::swap(&mut self.front, &mut self.reached);
        Ok(())
    }

    /// Reaches the pixels of the component within `radius` steps; the front is those at the last step.
    fn ball(&mut self, source: usize, radius: u32, watch: &mut Watch<'_>) -> Result<(), Error> {
        self.start(source)?;
        (0..radius).try_for_each(|_| self.step(watch))
    }

    /// Pairs of neighbors in the component, if only sides connect.
    fn edges(&self) -> u32 {
        let Layout { words_per_row, .. } = self.layout;
        let all = &self.component.bits;
        let of_word = |(word, bits): (usize, u64)| {
            let right = bits >> 1 | all[word + 1] << 63;
            (bits & right).count_ones() + (bits & all[word + words_per_row]).count_ones()
        };
        self.component.iter().map(of_word).sum()
    }
}

/// Moves the unseen neighbors of the front to `reached`.
#[inline(always)]
fn spread(layout: Layout, front: &Front, unseen: &mut [u64], reached: &mut Front) -> Result<(), Error> {
    let Layout { words_per_row, corners } = layout;
    let mut reach = |word: usize, bits: u64| {
        let fresh = bits & unseen[word];
        if fresh == 0 {
            return Ok(());
        }
        unseen[word] &= !fresh;
        reached.add(word, fresh)
    };
    for (word, bits) in front.iter() {
        let (left, right) = (bits << 63, bits >> 63);
        let across = bits | bits << 1 | bits >> 1;
        let along = if corners { across } else { bits };
        reach(word, across)?;
        reach(word - words_per_row, along)?;
        reach(word + words_per_row, along)?;
        if words_per_row > 1 && left | right != 0 {
            let rows = if corners { words_per_row } else { 0 };
            for row in [word - rows, word, word + rows] {
                reach(row - 1, left)?;
                reach(row + 1, right)?;
            }
        }
    }
    Ok(())
}

impl Waves for Sparse {
    fn next_component(&mut self, longest: u32, watch: &mut Watch<'_>) -> Result<Option<Wave>, Error> {
        while let Some(skipped) = self.left[self.next..].iter().position(|&word| word != 0) {
            watch.worked(skipped)?;
            self.next += skipped;
            let source = self.next * 64 + self.left[self.next].trailing_zeros() as usize;
            self.left[self.next] &= self.left[self.next] - 1;
            self.forget_component();
            self.component.start_at(source)?;
            self.front.start_at(source)?;
            let (mut steps, mut last) = (0, source);
            loop {
                watch.worked(UNITS_PER_WORD * self.front.words.len())?;
                spread(self.layout, &self.front, &mut self.left, &mut self.reached)?;
                self.front.clear();
                std::mem::swap(&mut self.front, &mut self.reached);
                let Some(pixel) = self.front.first() else { break };
                last = pixel;
                steps += 1;
                for (word, bits) in self.front.iter() {
                    self.component.add(word, bits)?;
                }
            }
            if 2 * steps > longest && self.component.count() > longest + 1 {
                for (word, bits) in self.component.iter() {
                    self.candidates[word] = bits;
                }
                return Ok(Some(Wave { steps, last }));
            }
        }
        Ok(None)
    }

    fn is_tree(&self) -> bool {
        !self.layout.corners && self.edges() < self.component.count()
    }

    fn sweep(&mut self, source: usize, watch: &mut Watch<'_>) -> Result<Wave, Error> {
        self.start(source)?;
        let candidates = |front: &Front, candidates: &[u64]| {
            front.iter().map(|(word, bits)| (bits & candidates[word]).count_ones()).sum::<u32>()
        };
        let mut left =
            candidates(&self.component, &self.candidates) - candidates(&self.front, &self.candidates);
        let mut steps = 0;
        while left > 0 {
            self.step(watch)?;
            steps += 1;
            left -= candidates(&self.front, &self.candidates);
        }
        let mut reached = self.front.iter().map(|(word, bits)| (word, bits & self.candidates[word]));
        let last = reached.find(|&(_, bits)| bits != 0).map_or(source, first_of);
        Ok(Wave { steps, last })
    }

    fn middle(&mut self, ends: [usize; 2], steps: u32, watch: &mut Watch<'_>) -> Result<usize, Error> {
        self.ball(ends[0], steps / 2, watch)?;
        std::mem::swap(&mut self.front, &mut self.halfway);
        self.ball(ends[1], steps.div_ceil(2), watch)?;
        // The words of a front come in no order; any pixel of it that the other ball holds will do.
        let common = || {
            let held = self.halfway.iter().map(|(word, bits)| (word, bits & !self.unseen[word]));
            held.filter(|&(_, bits)| bits != 0)
        };
        let middle = common().count() / 2;
        Ok(common().nth(middle).map_or(ends[0], first_of))
    }

    fn discard(&mut self, source: usize, radius: u32, watch: &mut Watch<'_>) -> Result<bool, Error> {
        self.ball(source, radius, watch)?;
        let mut left = 0;
        for (word, _) in self.component.iter() {
            self.candidates[word] &= self.unseen[word];
            left += self.candidates[word].count_ones();
        }
        Ok(left > 1)
    }

    fn candidate(&self, preferred: usize) -> usize {
        if self.candidates[preferred / 64] >> (preferred % 64) & 1 == 1 {
            return preferred;
        }
        let mut words = self.component.iter().map(|(word, _)| (word, self.candidates[word]));
        words.find(|&(_, bits)| bits != 0).map_or(preferred, first_of)
    }
}
