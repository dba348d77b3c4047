//! Wavefronts in small images: several rows to a word, and all words a step.

use super::diameter::{Wave, Waves, diameter};
use crate::Error;
use crate::components::BitRows;
use crate::parallel::Watch;
use crate::simd::{Kernel, Simd};

/// Sets of pixels, a bit each.
type Pixels<const N: usize> = [u64; N];

/// An image of at most `N` words, whose rows do not cross words.
pub(super) struct Dense<const N: usize> {
    /// Pixels of components that were not taken.
    left: Pixels<N>,
    component: Pixels<N>,
    candidates: Pixels<N>,
    width: u32,
    /// From the first row of a word to its last, in bits.
    fold: u32,
    /// The pixels of a word with a left neighbor, and with a right neighbor.
    has_left: u64,
    has_right: u64,
    /// All ones in the words with a word above, and with a word below.
    has_above: Pixels<N>,
    has_below: Pixels<N>,
    /// All ones if corners connect.
    corners: u64,
}

impl<const N: usize> Dense<N> {
    /// Whether an image fits.
    pub(super) fn fits(height: usize, width: usize) -> bool {
        width < 64 && height <= N * (64 / width)
    }

    #[inline(always)]
    pub(super) fn new(bits: &BitRows, corners: bool) -> Self {
        let rows = 64 / bits.width();
        let width = bits.width() as u32;
        let mut left = [0; N];
        for (word, rows) in left.iter_mut().zip(bits.words().chunks(rows)) {
            *word = rows.iter().rev().fold(0, |word, row| word << width | row);
        }
        let starts = (0..rows as u32).fold(0, |starts, row| starts | 1 << (row * width));
        Self {
            left,
            component: [0; N],
            candidates: [0; N],
            width,
            fold: (rows as u32 - 1) * width,
            has_left: !starts,
            has_right: !(starts << (width - 1)),
            has_above: std::array::from_fn(|i| if i > 0 { u64::MAX } else { 0 }),
            has_below: std::array::from_fn(|i| if i + 1 < N { u64::MAX } else { 0 }),
            corners: if corners { u64::MAX } else { 0 },
        }
    }

    /// The pixels and their neighbors, in the image or not.
    #[inline(always)]
    fn grown(&self, pixels: &Pixels<N>) -> Pixels<N> {
        let across: Pixels<N> = std::array::from_fn(|i| {
            let word = pixels[i];
            word | (word & self.has_right) << 1 | (word & self.has_left) >> 1
        });
        let along: Pixels<N> = std::array::from_fn(|i| pixels[i] | across[i] & self.corners);
        std::array::from_fn(|i| {
            // As a rotation and a mask, the compiler keeps all words in registers.
            let above = (along[(i + N - 1) % N] & self.has_above[i]) >> self.fold;
            let below = (along[(i + 1) % N] & self.has_below[i]) << self.fold;
            across[i] | along[i] << self.width | along[i] >> self.width | above | below
        })
    }

    /// The pixels within `radius` steps of the source, and those at the last step.
    #[inline(always)]
    fn ball(&self, source: usize, radius: u32) -> (Pixels<N>, Pixels<N>) {
        let mut front = single(source);
        let mut unseen = and_not(&self.component, &front);
        for _ in 0..radius {
            front = and(&self.grown(&front), &unseen);
            unseen = and_not(&unseen, &front);
        }
        (and_not(&self.component, &unseen), front)
    }

    /// Pairs of neighbors in the component, if only sides connect.
    #[inline(always)]
    fn edges(&self) -> u32 {
        let component = &self.component;
        (0..N)
            .map(|i| {
                let word = component[i];
                let below = if i + 1 < N { component[i + 1] << self.fold } else { 0 };
                (word & (word & self.has_left) >> 1).count_ones()
                    + (word & (word >> self.width | below)).count_ones()
            })
            .sum()
    }
}

impl<const N: usize> Waves for Dense<N> {
    #[inline(always)]
    fn next_component(&mut self, longest: u32, watch: &mut Watch<'_>) -> Result<Option<Wave>, Error> {
        while count(&self.left) > longest + 1
            && let Some(source) = first(&self.left)
        {
            let mut front: Pixels<N> = single(source);
            let mut unseen = and_not(&self.left, &front);
            let mut next = and(&self.grown(&front), &unseen);
            let mut steps = 0;
            while !is_empty(&next) {
                front = next;
                unseen = and_not(&unseen, &front);
                next = and(&self.grown(&front), &unseen);
                steps += 1;
            }
            self.component = and_not(&self.left, &unseen);
            self.left = unseen;
            watch.worked(N * steps as usize)?;
            if 2 * steps > longest && count(&self.component) > longest + 1 {
                self.candidates = self.component;
                return Ok(Some(Wave { steps, last: first(&front).unwrap_or(source) }));
            }
        }
        Ok(None)
    }

    #[inline(always)]
    fn is_tree(&self) -> bool {
        self.corners == 0 && self.edges() < count(&self.component)
    }

    #[inline(always)]
    fn sweep(&mut self, source: usize, watch: &mut Watch<'_>) -> Result<Wave, Error> {
        let mut front: Pixels<N> = single(source);
        let mut unseen = and_not(&self.component, &front);
        let mut last = front;
        let mut left = and(&self.candidates, &unseen);
        let mut steps = 0;
        while !is_empty(&left) {
            front = and(&self.grown(&front), &unseen);
            unseen = and_not(&unseen, &front);
            last = left;
            left = and(&left, &unseen);
            steps += 1;
        }
        watch.worked(N * steps as usize)?;
        Ok(Wave { steps, last: first(&last).unwrap_or(source) })
    }

    #[inline(always)]
    fn middle(&mut self, ends: [usize; 2], steps: u32, watch: &mut Watch<'_>) -> Result<usize, Error> {
        let (_, halfway) = self.ball(ends[0], steps / 2);
        let (near, _) = self.ball(ends[1], steps.div_ceil(2));
        watch.worked(N * steps as usize)?;
        Ok(median(&and(&halfway, &near)).unwrap_or(ends[0]))
    }

    #[inline(always)]
    fn discard(&mut self, source: usize, radius: u32, watch: &mut Watch<'_>) -> Result<bool, Error> {
        let (near, _) = self.ball(source, radius);
        self.candidates = and_not(&self.candidates, &near);
        watch.worked(N * radius as usize)?;
        Ok(count(&self.candidates) > 1)
    }

    #[inline(always)]
    fn candidate(&self, preferred: usize) -> usize {
        let is_candidate = self.candidates[preferred / 64] >> (preferred % 64) & 1 == 1;
        if is_candidate { preferred } else { first(&self.candidates).unwrap_or(preferred) }
    }
}

#[inline(always)]
fn single<const N: usize>(pixel: usize) -> Pixels<N> {
    std::array::from_fn(|i| if i == pixel / 64 { 1 << (pixel % 64) } else { 0 })
}

#[inline(always)]
fn and<const N: usize>(a: &Pixels<N>, b: &Pixels<N>) -> Pixels<N> {
    std::array::from_fn(|i| a[i] & b[i])
}

#[inline(always)]
fn and_not<const N: usize>(a: &Pixels<N>, b: &Pixels<N>) -> Pixels<N> {
    std::array::from_fn(|i| a[i] & !b[i])
}

#[inline(always)]
fn is_empty<const N: usize>(pixels: &Pixels<N>) -> bool {
    pixels.iter().fold(0, |any, word| any | word) == 0
}

#[inline(always)]
fn count<const N: usize>(pixels: &Pixels<N>) -> u32 {
    pixels.iter().map(|word| word.count_ones()).sum()
}

#[inline(always)]
fn first<const N: usize>(pixels: &Pixels<N>) -> Option<usize> {
    let i = pixels.iter().position(|&word| word != 0)?;
    Some(i * 64 + pixels[i].trailing_zeros() as usize)
}

/// The pixel with as many before it as behind it.
#[inline(always)]
fn median<const N: usize>(pixels: &Pixels<N>) -> Option<usize> {
    let mut rest = *pixels;
    for _ in 0..count(pixels) / 2 {
        let i = first(&rest)? / 64;
        rest[i] &= rest[i] - 1;
    }
    first(&rest)
}

/// The geodesic diameter of a small image.
pub(super) struct Diameter<'a, 'w, const N: usize> {
    pub(super) bits: &'a BitRows,
    pub(super) corners: bool,
    pub(super) watch: &'a mut Watch<'w>,
}

impl<const N: usize> Kernel for Diameter<'_, '_, N> {
    type Output = Result<u32, Error>;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> Result<u32, Error> {
        diameter(&mut Dense::<N>::new(self.bits, self.corners), self.watch)
    }
}
