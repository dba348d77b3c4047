//! Image after image: rows become bits, and what is asked of the bits goes to the image's part of the output.

use super::{BitRows, Components, Connectivity, Options, Sizes};
use crate::Error;
use crate::batch::{Batch, Images, check_length};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::simd::{Packing, kernels};

/// What a thread keeps from one image to the next.
pub(crate) struct Scratch {
    pub(crate) bits: BitRows,
    pub(crate) components: Components,
}

impl Scratch {
    pub(crate) fn new(depth: usize, height: usize, width: usize) -> Self {
        let mut bits = BitRows::default();
        bits.resize(depth, height, width);
        Self { bits, components: Components::with_room_for(depth * height) }
    }

    /// Thresholds the rows of an image into bits. Returns whether a pixel is NaN.
    pub(crate) fn pack<'a, T: 'a>(
        &mut self,
        rows: impl Iterator<Item = &'a [T]>,
        pack_row: impl Fn(&[T], &mut [u64]) -> bool,
        watch: &mut Watch<'_>,
    ) -> Result<bool, Error> {
        let (width, mut nan) = (self.bits.width(), false);
        for (row, words) in rows.zip(self.bits.rows_mut()) {
            nan |= pack_row(row, words);
            watch.worked(width)?;
        }
        Ok(nan)
    }

    /// Finds the components of the image that is packed.
    pub(crate) fn find(&mut self, connectivity: Connectivity, watch: &mut Watch<'_>) -> Result<(), Error> {
        self.components.find(&self.bits, connectivity, watch)
    }

    /// The sizes of the components of the image that is packed, which need not be found for it.
    pub(crate) fn sizes(
        &mut self,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<Sizes, Error> {
        self.find(connectivity, watch)?;
        Ok(self.components.sizes())
    }
}

/// The cost of an image beyond its pixels, in pixels.
const UNITS_PER_IMAGE: usize = 256;

/// Packs each image, and gives it to `measure` with that image's `per_image` elements of `out`.
pub(crate) fn for_each_image<O: Send>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    per_image: usize,
    runner: &Runner<'_>,
    measure: impl Fn(&mut Scratch, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    let (count, depth, _, width) = images.dim();
    options.connectivity.check(depth)?;
    check_length("out", out.len(), count.saturating_mul(per_image))?;
    let work = Work { width, out, per_image, measure, runner };
    let foreground = options.foreground;
    match images {
        Images::Float64(batch) => work.on_pixels(batch, Packing::float64(foreground)),
        Images::Float32(batch) => work.on_pixels(batch, Packing::float32(foreground)),
        Images::Float16(batch) => work.on_pixels(batch, Packing::float16(foreground)),
        Images::Uint8(batch) => work.on_pixels(batch, Packing::uint8(foreground)),
        Images::Bool(batch) => work.on_pixels(batch, Packing::bool(foreground)),
        Images::Packed(batch) => {
            let (predicate, pack_bits) = (foreground.bit(), kernels().pack_bits);
            work.on_rows(batch.bytes, |row, words| {
                pack_bits(row, width, batch.order, predicate, words);
                false
            })
        }
    }
}

/// What is to be done with each image, whatever its rows are made of.
struct Work<'a, O, M> {
    width: usize,
    out: &'a mut [O],
    per_image: usize,
    measure: M,
    runner: &'a Runner<'a>,
}

impl<O: Send, M> Work<'_, O, M>
where
    M: Fn(&mut Scratch, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
{
    fn on_pixels<T: Copy + Send + Sync>(self, batch: Batch<'_, T>, packing: Packing<T>) -> Result<(), Error> {
        self.on_rows(batch, |row, words| packing.pack(row, words))
    }

    /// `pack_row` returns whether a pixel is NaN.
    fn on_rows<T: Send + Sync>(
        self,
        batch: Batch<'_, T>,
        pack_row: impl Fn(&[T], &mut [u64]) -> bool + Sync,
    ) -> Result<(), Error> {
        let Self { width, out, per_image, measure, runner } = self;
        let (_, depth, height, _) = batch.dim();
        let per_task = images_per_task(depth * height * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task * per_image).enumerate();
        let scratch = || Scratch::new(depth, height, width);
        runner.run(tasks, scratch, |scratch, (task, out), watch| {
            for (position, out) in out.chunks_mut(per_image).enumerate() {
                let image = task * per_task + position;
                if scratch.pack(batch.rows(image), &pack_row, watch)? {
                    return Err(Error::NotANumber { image });
                }
                measure(scratch, out, watch)?;
                watch.worked(UNITS_PER_IMAGE)?;
            }
            Ok(())
        })
    }
}
