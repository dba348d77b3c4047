//! Iteration over images: thresholds each image into bits and measures the bits into its part of the output.

use super::{BitRows, Components, Options, Tally};
use crate::Error;
use crate::batch::{Batch, Images, Rows, check_length};
use crate::morphology::{Opener, RunFinder};
use crate::packing::{OnRows, Packing, on_rows};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::paths::{Extent, Sparse};
use crate::simd::{Kernel, Level, Simd};

/// Working memory of a thread, reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) bits: BitRows,
    pub(crate) components: Components,
    pub(crate) opener: Opener,
    pub(crate) run_finder: RunFinder,
    pub(crate) narrow: BitRows,
    pub(crate) waves: Sparse,
    pub(crate) extents: Vec<Extent>,
}

impl Scratch {
    /// Finds the components of the packed image.
    pub(crate) fn find(&mut self, options: Options, watch: &mut Watch<'_>) -> Result<(), Error> {
        let Self { bits, components, .. } = self;
        components.find(bits, options.connectivity, watch)?;
        if options.periodic { components.join_around(bits, options.connectivity, watch) } else { Ok(()) }
    }

    /// Finds and counts the components of the packed image.
    pub(crate) fn tally(&mut self, options: Options, watch: &mut Watch<'_>) -> Result<Tally, Error> {
        self.find(options, watch)?;
        Ok(self.components.tally())
    }
}

/// The fixed cost of an image, in pixels.
const UNITS_PER_IMAGE: usize = 256;

/// Packs each image, then calls `measure` with the `per_image` elements of `out` that belong to it.
pub(crate) fn for_each_image<O: Send>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    per_image: usize,
    runner: &Runner<'_>,
    measure: impl Fn(&mut Scratch, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (count, depth, _, width) = images.dim();
    options.check(depth)?;
    check_length("out", out.len(), count.saturating_mul(per_image))?;
    let level = Level::chosen()?;
    on_rows(images, options.foreground, Work { level, width, out, per_image, measure, runner })
}

struct Work<'a, O, M> {
    level: Level,
    width: usize,
    out: &'a mut [O],
    per_image: usize,
    measure: M,
    runner: &'a Runner<'a>,
}

impl<O: Send, M> OnRows for Work<'_, O, M>
where
    M: Fn(&mut Scratch, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
{
    type Output = Result<(), Error>;

    fn on<P: Packing>(self, batch: Batch<'_, P::Element>, packing: P) -> Result<(), Error> {
        let Self { level, width, out, per_image, measure, runner } = self;
        let (_, depth, height, _) = batch.dim();
        let per_task = images_per_task(depth * height * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task * per_image).enumerate();
        runner.run(tasks, Scratch::default, |scratch, (task, out), watch| {
            for (position, out) in out.chunks_mut(per_image).enumerate() {
                let image = task * per_task + position;
                scratch.bits.resize(depth, height, width)?;
                let (rows, bits) = (batch.rows(image), &mut scratch.bits);
                if level.run(Pack { rows, packing, bits, watch })? {
                    return Err(Error::NotANumber { image });
                }
                measure(scratch, out, watch)?;
                watch.worked(UNITS_PER_IMAGE)?;
            }
            Ok(())
        })
    }
}

/// Thresholds the rows of an image into bits.
pub(crate) struct Pack<'a, 's, 'w, P: Packing> {
    pub(crate) rows: Rows<'a, P::Element>,
    pub(crate) packing: P,
    pub(crate) bits: &'s mut BitRows,
    pub(crate) watch: &'s mut Watch<'w>,
}

impl<P: Packing> Kernel for Pack<'_, '_, '_, P> {
    /// Whether any pixel is NaN.
    type Output = Result<bool, Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<bool, Error> {
        let Self { mut rows, packing, bits, watch } = self;
        let (width, count) = (bits.width(), bits.depth() * bits.height());
        if width <= 64
            && let Some(block) = rows.next_block(count)
        {
            watch.worked(width * count)?;
            return Ok(packing.pack_rows(simd, block, width, bits.words_mut()));
        }
        let mut nan = false;
        for (row, words) in rows.zip(bits.rows_mut()) {
            nan |= packing.pack(simd, row, width, |position, bits| words[position] = bits);
            watch.worked(width)?;
        }
        Ok(nan)
    }
}
