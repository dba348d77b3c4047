//! Binary blobs: sparse noise under a wide blur, thresholded at a fraction of its mean. They follow the
//! notebook of RegGAN's authors, where sides are 512 and the length l is 500. At other sizes l is 500 / 512
//! of the shorter side.
//!
//! The draws and their order are part of the stream version. The image's stream (object 0) gives
//! `n = integer(count)`. The noise consists of `round(n^2 * (height * width / shorter side^2))` draws of a
//! pixel, computed in float64 in this order. Draw i is `x = integer(0, width - 1)`,
//! `y = integer(0, height - 1)` from words 2 i and 2 i + 1 of object 1; a pixel may be drawn twice. Drawn
//! pixels are 1, the others 0, and the image is blurred with sigma = l / (3.5 n). A pixel belongs to a blob
//! if the result is more than `threshold` times the share of drawn pixels. This share is the mean of the
//! result, unless some of it is lost at the border. An image that is `reduced` by k is drawn k times as
//! large; its pixels are the means of blocks of k x k pixels.

use super::blur::Gray;
use super::border::Border;
use super::gaussian::Gaussian;
use super::{BLACK, Image, Paint, Scene, Shape, Size, check_counts, check_range, flat};
use crate::batch::check_sides;
use crate::memory::TryGrow;
use crate::parallel::Watch;
use crate::simd::Simd;
use crate::{Error, Stream};

/// Floats in a band of rows that is blurred at once, chosen to fit the L2 cache.
const BAND: usize = 1 << 16;
/// The most pixels that an image may draw: 64 times those of a square image with the highest count.
const MAX_DRAWS: usize = 1 << 22;

/// The options of binary blobs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BinaryBlobs {
    count: (u32, u32),
    threshold: f64,
    dark: bool,
    reduced: usize,
    border: Border,
}

impl BinaryBlobs {
    /// `count` is the range of n, from 1 to 256. `threshold` is from 0 to 100. `dark` tells whether the blobs
    /// or the rest are ink. `reduced` is from 1 to 64.
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

    /// Writes the distinct drawn pixels (y, x) to `seeds` in raster order, and returns sigma.
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
    // Floats, as this runs before the full size of a reduced image is checked, and its pixels may overflow a
    // `usize`.
    let pixels = size.height as f64 * size.width as f64;
    let squares = pixels / (size.shorter_side() * size.shorter_side());
    (f64::from(count * count) * squares).round() as usize
}

/// Working memory, reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    words: Vec<u32>,
    seeds: Vec<[u32; 2]>,
    gaussian: Gaussian,
    /// The weights of the offsets from -radius to radius.
    weights: Vec<f32>,
    /// A band of blurred rows.
    band: Vec<f32>,
    /// Number of ink pixels in each column of a row of blocks.
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
        if draws(self.count.1, full) > MAX_DRAWS {
            return Err(Error::invalid(format!(
                "count is up to {}, which needs more than {MAX_DRAWS} random pixels in an image of {} x {}; \
                 lower the count or shorten the longer side",
                self.count.1, full.height, full.width
            )));
        }
        Ok(())
    }

    fn most_shapes(&self, size: Size) -> usize {
        draws(self.count.1, self.full(size))
    }

    /// Only bands of rows are kept, so nothing grows with the image.
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

/// Consecutive rows of an image.
struct Band<'a> {
    top: usize,
    /// Height of the image.
    height: usize,
    width: usize,
    values: &'a mut [f32],
}

/// Adds the blurred seeds one by one, in their order.
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
            // The rows of the band that the pixel reaches.
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
