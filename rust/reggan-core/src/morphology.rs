//! Erosion, dilation and opening by a disc, on rows of bits: 64 pixels a step.
//!
//! A disc of diameter d is the pixels of a d x d square whose centers are less than d / 2 from the center of the
//! square. Its rows are centered runs whose lengths all have the parity of d. So a pixel of the eroded image is
//! an AND of runs, and a run two pixels longer is an AND of two shifted runs.

use crate::Error;
use crate::batch::Images;
use crate::components::{BitRows, Options, Scratch, for_each_image};
use crate::memory::{TryGrow, try_collect};
use crate::parallel::Runner;
use crate::simd::{Kernel, Level, Simd};

/// The largest diameter of a disc.
pub const MAX_DIAMETER: usize = 1024;

/// A disc, by the lengths of its rows from top to bottom.
#[derive(Clone, Debug)]
pub(crate) struct Disc {
    rows: Vec<usize>,
}

impl Disc {
    /// Fails unless the diameter is from 1 to [`MAX_DIAMETER`].
    pub(crate) fn new(diameter: usize) -> Result<Self, Error> {
        if !(1..=MAX_DIAMETER).contains(&diameter) {
            let text = format!("the diameter is {diameter} pixels, but must be from 1 to {MAX_DIAMETER}");
            return Err(Error::invalid(text));
        }
        // In half pixels, so that even diameters need no fractions.
        let from_center = |k: usize| (2 * k + 1).abs_diff(diameter).pow(2);
        let length =
            |y: usize| (0..diameter).filter(|&x| from_center(x) + from_center(y) < diameter.pow(2)).count();
        Ok(Self { rows: try_collect((0..diameter).map(length))? })
    }

    pub(crate) fn diameter(&self) -> usize {
        self.rows.len()
    }

    /// The first column and the end of each row.
    pub(crate) fn runs(&self) -> impl Iterator<Item = (usize, usize)> {
        let diameter = self.diameter();
        self.rows.iter().map(move |&length| ((diameter - length) / 2, (diameter + length) / 2))
    }
}

/// Which pixels to open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The foreground.
    Foreground,
    /// All other pixels.
    Background,
}

/// Opens images by discs. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Opener {
    /// The image with `diameter - 1` solid pixels on all sides.
    padded: Vec<u64>,
    /// Places where the disc fits, by its top left corner.
    fits: Vec<u64>,
    shifted: Vec<u64>,
}

impl Opener {
    /// Adds to `narrow` the pixels of the layer that its opening removes, and returns their number. Outside of the
    /// image all pixels belong to the layer.
    pub(crate) fn add_narrow(
        &mut self,
        bits: &BitRows,
        layer: Layer,
        disc: &Disc,
        narrow: &mut BitRows,
    ) -> Result<u64, Error> {
        let margin = disc.diameter() - 1;
        let stride = (bits.width() + 2 * margin).div_ceil(64);
        let rows = bits.height() + 2 * margin;
        // One more word, for shifts.
        for (words, rows) in
            [(&mut self.padded, rows), (&mut self.fits, rows - margin), (&mut self.shifted, rows)]
        {
            words.clear();
            words.try_resize(rows * stride + 1, u64::MAX)?;
        }
        Ok(Level::chosen()?.run(Narrow { bits, layer, disc, stride, opener: self, narrow }))
    }
}

struct Narrow<'a> {
    bits: &'a BitRows,
    layer: Layer,
    disc: &'a Disc,
    stride: usize,
    opener: &'a mut Opener,
    narrow: &'a mut BitRows,
}

impl Kernel for Narrow<'_> {
    type Output = u64;

    #[inline(always)]
    fn run<S: Simd>(self, _simd: S) -> u64 {
        let Self { bits, layer, disc, stride, opener, narrow } = self;
        let Opener { padded, fits, shifted } = opener;
        let margin = disc.diameter() - 1;
        let last = u64::MAX >> (63 - (bits.width() - 1) % 64);
        let flip = if layer == Layer::Foreground { 0 } else { u64::MAX };
        let kept = |position: usize, word: u64| {
            let inside = if (position + 1) * 64 > bits.width() { last } else { u64::MAX };
            (word ^ flip) & inside
        };
        for (row, padded) in bits.rows().zip(padded[margin * stride..].chunks_exact_mut(stride)) {
            for (position, &word) in row.iter().enumerate() {
                let missing = kept(position, !word);
                let (words, pixels) = (position + margin / 64, margin % 64);
                padded[words] &= !(missing << pixels);
                if let Some(next) = padded.get_mut(words + 1) {
                    *next &= !(missing >> 1 >> (63 - pixels));
                }
            }
        }
        stack::<true>(padded, disc, stride, shifted, fits);
        // The opening is written over the padded image.
        let opened = &mut padded[..bits.height() * stride + 1];
        opened.fill(0);
        stack::<false>(fits, disc, stride, shifted, opened);
        let mut count = 0;
        for ((row, opened), narrow) in bits.rows().zip(opened.chunks_exact(stride)).zip(narrow.rows_mut()) {
            for (position, ((&word, opened), narrow)) in row.iter().zip(opened).zip(narrow).enumerate() {
                let removed = kept(position, word) & !opened;
                count += u64::from(removed.count_ones());
                *narrow |= removed;
            }
        }
        count
    }
}

/// Combines each word of `out` with the words of `source` in the disc, whose top left corner is that word: by AND,
/// an erosion, or by OR, a dilation. Overwrites `source` and `shifted`. The last words of `source` and `out` are
/// spare.
#[inline(always)]
fn stack<const AND: bool>(
    source: &mut [u64],
    disc: &Disc,
    stride: usize,
    shifted: &mut [u64],
    out: &mut [u64],
) {
    let join = |a: u64, b: u64| if AND { a & b } else { a | b };
    let diameter = disc.diameter();
    let words = source.len() - 1;
    // `source` holds the runs of `length` pixels.
    let mut length = 1;
    let widest = disc.rows[diameter / 2];
    loop {
        if length % 2 == diameter % 2 {
            let (skipped, pixels) = ((diameter - length) / 2 / 64, (diameter - length) / 2 % 64);
            if disc.rows.contains(&length) {
                // Words beyond the end belong to no place where the disc lies on the rows.
                let end = words - skipped;
                for (shifted, pair) in shifted[..end].iter_mut().zip(source[skipped..].windows(2)) {
                    *shifted = pair[0] >> pixels | pair[1] << 1 << (63 - pixels);
                }
                for y in (0..diameter).filter(|&y| disc.rows[y] == length) {
                    for (out, &shifted) in out.iter_mut().zip(&shifted[y * stride..end.max(y * stride)]) {
                        *out = join(*out, shifted);
                    }
                }
            }
        }
        if length >= widest {
            return;
        }
        let longer = |step: u32, source: &mut [u64]| {
            for position in 0..words {
                let next = source[position] >> step | source[position + 1] << (64 - step);
                source[position] = join(source[position], next);
            }
        };
        // A run of one pixel and the run one pixel on are not three pixels.
        if length == 1 {
            longer(1, source);
            length = 2;
            if diameter % 2 == 1 {
                longer(1, source);
                length = 3;
            }
        } else {
            longer(2, source);
            length += 2;
        }
    }
}

/// Writes for each image how many pixels of a layer its opening by a disc removes. Outside of the image, all pixels
/// belong to the layer.
pub fn narrow_pixels(
    images: Images<'_>,
    options: Options,
    diameter: usize,
    layer: Layer,
    counts: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let disc = Disc::new(diameter)?;
    for_each_image(images, options, counts, 1, runner, |scratch, count, _| {
        let Scratch { bits, opener, narrow, .. } = scratch;
        narrow.resize(1, bits.height(), bits.width())?;
        narrow.clear();
        count[0] = opener.add_narrow(bits, layer, &disc, narrow)? as i64;
        Ok(())
    })
}
