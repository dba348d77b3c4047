//! Short runs of pixels in rows and columns.

use super::Layer;
use super::layout::{Layout, within};
use crate::Error;
use crate::components::BitRows;
use crate::parallel::Watch;
use crate::simd::{Kernel, Level, Simd};

/// Finds short runs. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct RunFinder {
    paper: Vec<u64>,
    fits: Vec<u64>,
}

impl RunFinder {
    /// The number of runs of foreground shorter than `ink`, and of background between foreground shorter than `paper`.
    pub(super) fn count_short(
        &mut self,
        bits: &BitRows,
        [ink, paper]: [usize; 2],
        periodic: bool,
        watch: &mut Watch<'_>,
    ) -> Result<u64, Error> {
        // No run that ends is longer than a side.
        let most = bits.height().max(bits.width()) + 1;
        let lengths = [ink, paper].map(|length| length.clamp(1, most));
        let reach = lengths[0].max(lengths[1]);
        let layout = Layout::new(bits.height() + reach, bits.width() + reach);
        for words in [&mut self.paper, &mut self.fits] {
            layout.reserve(words, reach)?;
        }
        Level::chosen()?.run(ShortRuns { bits, lengths, periodic, layout, finder: self, watch })
    }
}

struct ShortRuns<'a, 'w> {
    bits: &'a BitRows,
    /// Of ink and of paper.
    lengths: [usize; 2],
    periodic: bool,
    layout: Layout,
    finder: &'a mut RunFinder,
    watch: &'a mut Watch<'w>,
}

impl Kernel for ShortRuns<'_, '_> {
    type Output = Result<u64, Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<u64, Error> {
        let Self { bits, lengths: [ink, paper], periodic, layout, finder, watch } = self;
        // With one pixel of margin before the image: a run starts where the pixel before is of the other layer.
        layout.spread(bits, Layer::Background, periodic, 1, &mut finder.paper);
        let mut count = 0;
        for (flip, length) in [(u64::MAX, ink), (0, paper)] {
            count += if layout.columns == 1 {
                count_short::<S, false>(simd, bits, layout, finder, flip, length, watch)?
            } else {
                count_short::<S, true>(simd, bits, layout, finder, flip, length, watch)?
            };
        }
        Ok(count)
    }
}

/// The number of runs, in rows and in columns, of the paper whose pixels are flipped by `flip`.
#[inline(always)]
fn count_short<S: Simd, const CARRY: bool>(
    simd: S,
    bits: &BitRows,
    layout: Layout,
    finder: &mut RunFinder,
    flip: u64,
    length: usize,
    watch: &mut Watch<'_>,
) -> Result<u64, Error> {
    if length == 1 {
        return Ok(0);
    }
    let RunFinder { paper, fits } = finder;
    let (flip, words) = (simd.splat(flip), (0..layout.len()).step_by(S::LANES));
    let mut count = 0;
    for along_rows in [true, false] {
        for at in words.clone() {
            simd.store(simd.xor(simd.load(paper, at), flip), fits, at);
        }
        let next = |at: usize, pixels: usize, words: &[u64]| {
            let load = |at| simd.load(words, at);
            if along_rows { layout.shifted::<S, CARRY>(simd, load, at, pixels) } else { load(at + pixels) }
        };
        // `fits` is where runs of `shorter` pixels start.
        let mut shorter = 1;
        while shorter < length {
            let more = shorter.min(length - shorter);
            for at in words.clone() {
                simd.store(simd.and(simd.load(fits, at), next(at, more, fits)), fits, at);
            }
            shorter += more;
            watch.worked(layout.len())?;
        }
        // A run starts one pixel on, and is too short where `length` pixels do not fit.
        for at in words.clone() {
            let before = simd.xor(simd.load(paper, at), flip);
            let first = simd.xor(next(at, 1, paper), flip);
            let short = simd.and_not(simd.and_not(first, before), next(at, 1, fits));
            simd.store(short, fits, at);
        }
        let (top, left) = if along_rows { (1, 0) } else { (0, 1) };
        for (column, words) in fits[..layout.len()].chunks_exact(layout.rows).enumerate() {
            let image = within((column * 64) as isize - left, bits.width());
            let short = words[top..top + bits.height()].iter();
            count += short.map(|word| u64::from((word & image).count_ones())).sum::<u64>();
        }
    }
    Ok(count)
}
