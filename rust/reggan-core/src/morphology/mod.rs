//! Openings by discs, and short runs: which pixels of a layer are in no disc, and no run, that lies in the layer.
//!
//! A disc of diameter d is the pixels of a d x d square whose centers are less than d / 2 from the center of the
//! square. Its rows are centered runs whose lengths all have the parity of d. So a pixel of the eroded image is
//! an AND of runs, and a longer run is an AND of two shifted runs.

mod layout;
mod opener;
mod runs;

pub(crate) use opener::{Opener, Opening};
pub(crate) use runs::RunFinder;

use crate::Error;
use crate::batch::Images;
use crate::components::{Options, Scratch, for_each_image};
use crate::memory::try_filled;
use crate::parallel::Runner;

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
        let mut rows = try_filled(diameter, 0)?;
        let mut left = (diameter - 1) / 2;
        for y in 0..diameter.div_ceil(2) {
            while left > 0 && from_center(left - 1) + from_center(y) < diameter.pow(2) {
                left -= 1;
            }
            rows[y] = diameter - 2 * left;
            rows[diameter - 1 - y] = rows[y];
        }
        Ok(Self { rows })
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

impl Layer {
    /// Turns words of foreground into words of the layer by XOR.
    fn flip(self) -> u64 {
        if self == Self::Foreground { 0 } else { u64::MAX }
    }
}

/// Writes for each image how many pixels of the layers their openings by a disc remove. Outside of the image the
/// image is repeated, or all pixels belong to the layer.
pub fn narrow_pixels(
    images: Images<'_>,
    options: Options,
    diameter: usize,
    layers: &[Layer],
    periodic: bool,
    counts: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let disc = &Disc::new(diameter)?;
    for_each_image(images, options, counts, 1, runner, |scratch, count, watch| {
        let Scratch { bits, opener, .. } = scratch;
        count[0] = 0;
        for &layer in layers {
            count[0] += opener.count_narrow(bits, Opening { layer, disc, periodic }, watch)? as i64;
        }
        Ok(())
    })
}

/// Writes 1 for every pixel of the foreground after an opening of a layer, else 0: the opened foreground, or, as the
/// complement of the opened background, the closed foreground. The outside is that of [`narrow_pixels`].
pub fn open_layer(
    images: Images<'_>,
    options: Options,
    diameter: usize,
    layer: Layer,
    periodic: bool,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let disc = &Disc::new(diameter)?;
    let (_, _, height, width) = images.dim();
    for_each_image(images, options, mask, height * width, runner, |scratch, mask, watch| {
        let Scratch { bits, opener, narrow, .. } = scratch;
        narrow.resize(1, height, width)?;
        narrow.clear();
        opener.add_narrow(bits, Opening { layer, disc, periodic }, narrow, watch)?;
        // Removed pixels change their layer.
        narrow.combine(bits, |narrow, bits| narrow ^ bits);
        for (mask, row) in mask.chunks_exact_mut(width).zip(narrow.rows()) {
            write_bits(row, mask);
            watch.worked(width)?;
        }
        Ok(())
    })
}

/// Writes each bit of a row as a byte.
fn write_bits(row: &[u64], mask: &mut [u8]) {
    // A copy of the byte for each of its bits; then 0x7f carries any bit of a byte into its highest.
    let spread = |byte: u64| {
        let bits = (byte * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
        ((bits + 0x7f7f_7f7f_7f7f_7f7f) >> 7 & 0x0101_0101_0101_0101).to_le_bytes()
    };
    for (mask, &word) in mask.chunks_mut(64).zip(row) {
        let (eights, rest) = mask.as_chunks_mut::<8>();
        let mut bits = word;
        for eight in eights {
            *eight = spread(bits & 0xff);
            bits >>= 8;
        }
        rest.copy_from_slice(&spread(bits & 0xff)[..rest.len()]);
    }
}

/// Writes for each image the largest diameter such that no disc up to it removes a pixel of the layer. It is 0 if the
/// layer has no pixels, and at most the longer side and [`MAX_DIAMETER`]. The outside is that of [`narrow_pixels`].
pub fn minimum_width(
    images: Images<'_>,
    options: Options,
    layer: Layer,
    periodic: bool,
    widths: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let (_, _, height, width) = images.dim();
    let most = height.max(width).min(MAX_DIAMETER);
    for_each_image(images, options, widths, 1, runner, |scratch, widest, watch| {
        let Scratch { bits, opener, .. } = scratch;
        let ink = bits.area();
        let pixels = (height * width) as u64;
        let area = if layer == Layer::Foreground { ink } else { pixels - ink };
        let mut diameter = if area == 0 {
            0
        } else if area == pixels {
            most
        } else {
            1
        };
        while (1..most).contains(&diameter) {
            let disc = &Disc::new(diameter + 1)?;
            if opener.count_narrow(bits, Opening { layer, disc, periodic }, watch)? > 0 {
                break;
            }
            diameter += 1;
        }
        widest[0] = diameter as i64;
        Ok(())
    })
}

/// Writes for each image how many runs in its rows and columns are too short: runs of foreground of less than
/// `lengths[0]` pixels, and runs of background between foreground of less than `lengths[1]`. In a periodic image, runs
/// go on at the opposite side, and a row of one layer has no end.
pub fn short_runs(
    images: Images<'_>,
    options: Options,
    lengths: [usize; 2],
    periodic: bool,
    counts: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    for_each_image(images, options, counts, 1, runner, |scratch, count, watch| {
        let Scratch { bits, run_finder, .. } = scratch;
        count[0] = run_finder.count_short(bits, lengths, periodic, watch)? as i64;
        Ok(())
    })
}
