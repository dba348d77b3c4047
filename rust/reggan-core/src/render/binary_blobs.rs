//! Binary blobs: sparse noise under a wide blur, cut off at a part of its mean. They are those of the notebook of
//! RegGAN's authors, whose sides are 512 and whose length l is 500; elsewhere l is 500 / 512 of the shorter side.
//!
//! What is drawn, and in which order, is part of the stream version. The image's stream (object 0) gives `n =
//! integer(count)`. The noise is `round(n^2 * (height * width / shorter side^2))` draws of a pixel, computed in
//! float64 in this order. A pixel may be drawn twice: draw i is `x = integer(0, width - 1)`, `y = integer(0, height -
//! 1)` of the words 2 i and 2 i + 1 of object 1. The pixels drawn are 1, the others 0, and all are blurred with
//! sigma = l / (3.5 n). A blob is where the result is more than `threshold` times the share of pixels that were
//! drawn, which is its mean unless it is lost at the border. An image that is `reduced` by k is drawn k times as
//! large, and is the means of blocks of k x k pixels.

use super::blur::Gray;
use super::border::Border;
use super::gaussian::Gaussian;
use super::{BLACK, Image, Paint, Scene, Shape, Size, check_counts, check_range, flat};
use crate::batch::check_sides;
use crate::memory::TryGrow;
use crate::parallel::Watch;
use crate::simd::Simd;
use crate::{Error, Stream};

/// Floats of the rows that are blurred at once, so that they stay in the second cache.
const BAND: usize = 1 << 16;
/// Pixels that an image may draw: sixty-four times those of the highest count in a square.
const MOST_DRAWS: usize = 1 << 22;

/// What binary blobs are drawn from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryBlobs {
    count: (u32, u32),
    threshold: f64,
    dark: bool,
    reduced: usize,
    border: Border,
}

impl BinaryBlobs {
    /// `count`, the range of n, 1 to 256; `threshold` 0 to 100; `dark`, whether the blobs are ink, and not the rest;
    /// `reduced` 1 to 64.
    pub fn new(
        count: (u32, u32),
        threshold: f64,
        dark: bool,
        reduced: usize,
        border: Border,
    ) -> Result<Self, Error> {
        check_counts("count", count, 256)?;
        check_range("threshold", (threshold, threshold), (0.0, 100.0))?;
        check_range("reduced", (reduced as f64, reduced as f64), (1.0, 64.0))?;
        Ok(Self { count, threshold, dark, reduced, border })
    }

    fn full(&self, size: Size) -> Size {
        Size { depth: 1, height: size.height * self.reduced, width: size.width * self.reduced }
    }

    /// Gives the pixels (y, x) that are drawn, each once and in the order of rows, and sigma.
    #[inline(always)]
    fn seeds(
        &self,
        Image { seed, index, size }: Image,
        words: &mut Vec<u32>,
        seeds: &mut Vec<[u32; 2]>,
    ) -> Result<f64, Error> {
        let size = self.full(size);
        let count = Stream::new(seed, index, 0).integer(self.count);
        words.clear();
        words.try_resize(2 * draws(count, size), 0)?;
        Stream::words(seed, index, 1, words);
        seeds.clear();
        let below = |word: u32, length: usize| ((u64::from(word) * length as u64) >> 32) as u32;
        let drawn = words.as_chunks().0.iter();
        seeds.try_extend(drawn.map(|&[x, y]| [below(y, size.height), below(x, size.width)]))?;
        seeds.sort_unstable();
        seeds.dedup();
        Ok(size.shorter_side() * (500.0 / 512.0) / (3.5 * f64::from(count)))
    }
}

/// How many pixels are drawn.
fn draws(count: u32, size: Size) -> usize {
    // Of an image that is reduced, before it is checked, there may be more pixels than a `usize` holds.
    let pixels = size.height as f64 * size.width as f64;
    let squares = pixels / (size.shorter_side() * size.shorter_side());
    (f64::from(count * count) * squares).round() as usize
}

/// Memory that is kept from one image to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    words: Vec<u32>,
    seeds: Vec<[u32; 2]>,
    gaussian: Gaussian,
    /// The weights of the offsets from -radius to radius.
    weights: Vec<f32>,
    /// Rows that are blurred.
    band: Vec<f32>,
    /// Pixels with ink, of a row of blocks that are reduced.
    counts: Vec<u32>,
}

impl Paint for BinaryBlobs {
    type Scratch = Scratch;

    fn check(&self, size: Size) -> Result<(), Error> {
        flat(size)?;
        let full = self.full(size);
        check_sides(full.depth, full.height, full.width).map_err(|error| match self.reduced {
            1 => error,
            times => {
                Error::invalid(format!("{error}; an image that is reduced by {times} is drawn at that size"))
            }
        })?;
        if draws(self.count.1, full) > MOST_DRAWS {
            return Err(Error::invalid(format!(
                "count is up to {}, which are more than {MOST_DRAWS} random pixels in an image of {} x {}; allowed is \
                 a lower count, or a side less long",
                self.count.1, full.height, full.width
            )));
        }
        Ok(())
    }

    fn most_shapes(&self, size: Size) -> usize {
        draws(self.count.1, self.full(size))
    }

    /// Rows are blurred band by band.
    fn scratch(&self, _: Size) -> usize {
        0
    }

    fn scene(&self, image: Image, scene: &mut Scene, watch: &mut Watch<'_>) -> Result<(), Error> {
        let mut seeds = Vec::new();
        let reduced = self.reduced as f64;
        scene.sigma = self.seeds(image, &mut Vec::new(), &mut seeds)? / reduced;
        let center = |place: u32| (f64::from(place) + 0.5) / reduced;
        let color = if self.dark { BLACK } else { [1.0; 3] };
        let shape =
            |&[y, x]: &[u32; 2]| Shape { center: [0.5, center(y), center(x)], radius: f64::NAN, color };
        scene.shapes.clear();
        scene.shapes.try_extend(seeds.iter().map(shape))?;
        watch.worked(seeds.len())
    }

    #[inline(always)]
    fn paint<S: Simd, T: Gray>(
        &self,
        _: S,
        image: Image,
        scratch: &mut Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Scratch { words, seeds, gaussian, weights, band, counts } = scratch;
        gaussian.set_exact(self.seeds(image, words, seeds)?)?;
        weights.clear();
        weights.try_extend(gaussian.exact()[1..].iter().rev().map(|&weight| weight as f32))?;
        weights.try_extend(gaussian.exact().iter().map(|&weight| weight as f32))?;

        let Size { height, width, .. } = self.full(image.size);
        let limit = (self.threshold * seeds.len() as f64 / (height * width) as f64) as f32;
        let reduced_rows = (BAND / (width * self.reduced)).clamp(1, image.size.height);
        let rows = reduced_rows * self.reduced;
        band.try_resize(rows * width, 0.0)?;
        for (top, pixels) in (0..height).step_by(rows).zip(pixels.chunks_mut(reduced_rows * image.size.width))
        {
            let band = &mut band[..rows.min(height - top) * width];
            band.fill(0.0);
            watch.worked(band.len() + seeds.len())?;
            add_blurred(seeds, weights, self.border, Band { top, height, width, values: band }, watch)?;
            let lines = band.chunks_exact(self.reduced * width);
            for (pixels, lines) in pixels.chunks_exact_mut(image.size.width).zip(lines) {
                self.write_row(lines, limit, counts, pixels)?;
            }
            watch.worked(rows * width)?;
        }
        Ok(())
    }
}

impl BinaryBlobs {
    /// Writes a row of pixels, each from a block of values.
    #[inline(always)]
    fn write_row<T: Gray>(
        &self,
        lines: &[f32],
        limit: f32,
        counts: &mut Vec<u32>,
        pixels: &mut [T],
    ) -> Result<(), Error> {
        counts.clear();
        counts.try_resize(pixels.len() * self.reduced, 0)?;
        for line in lines.chunks_exact(counts.len()) {
            for (count, &value) in counts.iter_mut().zip(line) {
                *count += u32::from((value > limit) == self.dark);
            }
        }
        let whole = (self.reduced * self.reduced) as f32;
        for (pixel, counts) in pixels.iter_mut().zip(counts.chunks_exact(self.reduced)) {
            *pixel = T::from_ink(counts.iter().sum::<u32>() as f32 / whole);
        }
        Ok(())
    }
}

/// Some rows of an image.
struct Band<'a> {
    top: usize,
    /// Of the image.
    height: usize,
    width: usize,
    values: &'a mut [f32],
}

/// Adds the blur of single pixels, in their order.
#[inline(always)]
fn add_blurred(
    seeds: &[[u32; 2]],
    weights: &[f32],
    border: Border,
    band: Band<'_>,
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let Band { top, height, width, values } = band;
    let radius = weights.len() / 2;
    for &[y, x] in seeds {
        for y in border.places(y as usize, radius, height) {
            // The rows that the pixel reaches, of those that are here.
            let first = (y - radius as isize).max(top as isize);
            let end = (y + radius as isize + 1).min((top + values.len() / width) as isize);
            if first >= end {
                continue;
            }
            for x in border.places(x as usize, radius, width) {
                let start = x - radius as isize;
                let columns = start.max(0) as usize..(x + radius as isize + 1).min(width as isize) as usize;
                let along = &weights[(columns.start as isize - start) as usize..];
                for row in first..end {
                    let weight = weights[(row - y + radius as isize) as usize];
                    let line = &mut values[(row as usize - top) * width..][columns.clone()];
                    for (value, &along) in line.iter_mut().zip(along) {
                        *value += weight * along;
                    }
                }
                watch.worked((end - first) as usize * columns.len() / 8)?;
            }
        }
    }
    Ok(())
}
