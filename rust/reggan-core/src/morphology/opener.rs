//! Openings by discs: passes over words, each of which combines all rows of the disc that have one length.

use super::layout::{Layout, within};
use super::{Disc, Layer};
use crate::Error;
use crate::components::BitRows;
use crate::parallel::Watch;
use crate::simd::{Kernel, Level, Simd};

/// What to open.
#[derive(Clone, Copy)]
pub(crate) struct Opening<'a> {
    pub(crate) layer: Layer,
    pub(crate) disc: &'a Disc,
    /// Whether the image repeats outside of it. If not, all pixels there belong to the layer.
    pub(crate) periodic: bool,
}

impl Opening<'_> {
    /// The margin on each side that a disc can reach which covers a pixel of the image.
    fn margin(&self) -> usize {
        self.disc.diameter() - 1
    }

    fn layout(&self, bits: &BitRows) -> Layout {
        let (rows, width) = (bits.height() + 2 * self.margin(), bits.width());
        // Columns of words with margins of their own need no carry, if enough of each is left.
        let step = 64_usize.saturating_sub(2 * self.margin());
        if step >= 32 || step >= width {
            Layout { rows, columns: width.div_ceil(step), step }
        } else {
            Layout::new(rows, width + 2 * self.margin())
        }
    }
}

/// Opens images by discs. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Opener {
    layer: Vec<u64>,
    fits: Vec<u64>,
}

impl Opener {
    /// The number of pixels that the opening removes.
    pub(crate) fn count_narrow(
        &mut self,
        bits: &BitRows,
        opening: Opening<'_>,
        watch: &mut Watch<'_>,
    ) -> Result<u64, Error> {
        self.open(bits, opening, None, watch)
    }

    /// Adds to `narrow` the pixels that the opening removes, and returns their number.
    pub(crate) fn add_narrow(
        &mut self,
        bits: &BitRows,
        opening: Opening<'_>,
        narrow: &mut BitRows,
        watch: &mut Watch<'_>,
    ) -> Result<u64, Error> {
        self.open(bits, opening, Some(narrow), watch)
    }

    fn open(
        &mut self,
        bits: &BitRows,
        opening: Opening<'_>,
        narrow: Option<&mut BitRows>,
        watch: &mut Watch<'_>,
    ) -> Result<u64, Error> {
        let layout = opening.layout(bits);
        for words in [&mut self.layer, &mut self.fits] {
            layout.reserve(words, opening.margin())?;
        }
        Level::chosen()?.run(Narrow { bits, opening, layout, opener: self, narrow, watch })
    }
}

struct Narrow<'a, 'w> {
    bits: &'a BitRows,
    opening: Opening<'a>,
    layout: Layout,
    opener: &'a mut Opener,
    narrow: Option<&'a mut BitRows>,
    watch: &'a mut Watch<'w>,
}

impl Kernel for Narrow<'_, '_> {
    type Output = Result<u64, Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<u64, Error> {
        let Self { bits, opening, layout, opener, mut narrow, watch } = self;
        let Opener { layer, fits } = opener;
        let Opening { disc, periodic, .. } = opening;
        let (height, width) = (bits.height(), bits.width());
        layout.spread(bits, opening.layer, periodic, opening.margin(), layer);
        if layout.step < 64 {
            stack::<S, true, false>(simd, layout, disc, layer, fits, watch)?;
            stack::<S, false, false>(simd, layout, disc, fits, layer, watch)?;
        } else {
            stack::<S, true, true>(simd, layout, disc, layer, fits, watch)?;
            stack::<S, false, true>(simd, layout, disc, fits, layer, watch)?;
        }
        // Now `layer` is the opened layer, without a margin.
        layout.spread(bits, opening.layer, periodic, 0, fits);
        let mut count = 0;
        for column in 0..width.div_ceil(layout.step) {
            let first = column * layout.step;
            let inside = within(0, layout.step.min(width - first));
            let words = column * layout.rows..column * layout.rows + height;
            let removed = &mut fits[words.clone()];
            for (word, &opened) in removed.iter_mut().zip(&layer[words]) {
                *word &= inside & !opened;
                count += u64::from(word.count_ones());
            }
            let Some(narrow) = &mut narrow else { continue };
            for (&removed, row) in removed.iter().zip(narrow.rows_mut()) {
                row[first / 64] |= removed << (first % 64);
                if let Some(next) = row.get_mut(first / 64 + 1) {
                    *next |= removed >> 1 >> (63 - first % 64);
                }
            }
        }
        Ok(count)
    }
}

/// Combines each pixel of `out` with the pixels of `source` in the disc whose top left corner is that pixel: by AND,
/// an erosion, or by OR, a dilation. Overwrites `source`.
#[inline(always)]
fn stack<S: Simd, const AND: bool, const CARRY: bool>(
    simd: S,
    layout: Layout,
    disc: &Disc,
    source: &mut [u64],
    out: &mut [u64],
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    let join = |a, b| if AND { simd.and(a, b) } else { simd.or(a, b) };
    let diameter = disc.diameter();
    let words = (0..layout.len()).step_by(S::LANES);
    // `source` holds the runs of `length` pixels.
    let (mut length, mut top) = (1, 0);
    for rows in disc.rows[..diameter.div_ceil(2)].chunk_by(|a, b| a == b) {
        while length < rows[0] {
            let more = length.min(rows[0] - length);
            for at in words.clone() {
                let rest = layout.shifted::<S, CARRY>(simd, |at| simd.load(source, at), at, more);
                simd.store(join(simd.load(source, at), rest), source, at);
            }
            length += more;
        }
        // All rows of this length, those of the lower half of the disc included.
        let (first, end, left) = (top, top + rows.len(), (diameter - length) / 2);
        let pair = |at, y| join(simd.load(source, at + y), simd.load(source, at + diameter - 1 - y));
        let all = |at| {
            let mut joined = pair(at, first);
            for y in first + 1..end {
                joined = join(joined, pair(at, y));
            }
            joined
        };
        for at in words.clone() {
            let run = layout.shifted::<S, CARRY>(simd, all, at, left);
            simd.store(if first == 0 { run } else { join(simd.load(out, at), run) }, out, at);
        }
        top = end;
        watch.worked(layout.len() * rows.len())?;
    }
    Ok(())
}
