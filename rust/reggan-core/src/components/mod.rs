//! Connected components of thresholded images: rows of bits, their runs, and a union-find over the runs.

mod bits;
mod measures;
mod runs;
mod union_find;

use std::ops::Range;

pub(crate) use bits::BitRows;
pub use measures::Measures;
pub(crate) use runs::{Run, for_each_run};
use union_find::Sets;

use crate::Error;
use crate::batch::{Batch, Images, check_length};
use crate::foreground::{Foreground, Pixel};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::simd::Packing;

/// Which pixels are neighbours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Connectivity {
    /// Pixels that share a side.
    #[default]
    Four,
    /// Pixels that share a side or a corner.
    Eight,
}

/// What is looked for in the images.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// The pixels that count.
    pub foreground: Foreground,
    /// Which of them are neighbours.
    pub connectivity: Connectivity,
}

/// The components of one image. Its memory is kept from one image to the next.
#[derive(Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// Where the runs of each row start, and at last how many runs there are.
    rows: Vec<u32>,
    sets: Sets,
    numbers: Vec<u32>,
}

impl Components {
    pub(crate) fn find(
        &mut self,
        bits: &BitRows,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let reach = match connectivity {
            Connectivity::Four => 0,
            Connectivity::Eight => 1,
        };
        self.runs.clear();
        self.rows.clear();
        self.sets.clear();
        let mut above = 0..0;
        for row in bits.rows() {
            let start = self.runs.len();
            self.rows.push(start as u32);
            for_each_run(row, |run| {
                self.runs.push(run);
                self.sets.add(run.len());
            });
            let below = start..self.runs.len();
            self.join(above, below.clone(), reach);
            above = below;
            watch.worked(bits.width())?;
        }
        self.rows.push(self.runs.len() as u32);
        Ok(())
    }

    /// Joins the runs of a row with those of the row above that they touch.
    fn join(&mut self, above: Range<usize>, below: Range<usize>, reach: u16) {
        let mut first = above.start;
        for current in below {
            let run = self.runs[current];
            while first < above.end && self.runs[first].end + reach <= run.start {
                first += 1;
            }
            // The last one may also touch the next run of this row, so `first` stays.
            let mut other = first;
            while other < above.end && self.runs[other].start < run.end + reach {
                self.sets.union(other as u32, current as u32);
                other += 1;
            }
        }
    }

    /// All foreground pixels.
    pub(crate) fn area(&self) -> u64 {
        self.runs.iter().map(|run| u64::from(run.len())).sum()
    }

    pub(crate) fn largest_area(&self) -> u64 {
        self.sets.largest_area().into()
    }

    /// Numbers the components from 1 in raster order of their first pixels; returns how many there are.
    fn number(&mut self) -> u32 {
        self.sets.number(&mut self.numbers)
    }

    /// Each row's runs with the numbers of their components, once they are numbered.
    fn numbered_rows(&self) -> impl Iterator<Item = impl Iterator<Item = (Run, u32)>> {
        self.rows.windows(2).map(|row| {
            let runs = row[0] as usize..row[1] as usize;
            self.runs[runs.clone()].iter().copied().zip(self.numbers[runs].iter().copied())
        })
    }

    /// The number of the largest component, once they are numbered; of equal ones, the first.
    fn largest_number(&self) -> Option<u32> {
        self.sets.largest().map(|run| self.numbers[run as usize])
    }
}

/// Measures every image.
pub fn analyze(
    images: Images<'_>,
    options: Options,
    measures: &mut [Measures],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    for_each_image(images, options, measures, 1, runner, |components, bits, out, watch| {
        out[0] = measures::measure(components, bits, options.connectivity, watch)?;
        Ok(())
    })
}

/// Writes, for every pixel of every image, 0 for the background or the number of its component, from 1 in
/// raster order of first pixels.
pub fn label(
    images: Images<'_>,
    options: Options,
    labels: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let (_, height, width) = images.dim();
    for_each_image(images, options, labels, height * width, runner, |components, _, out, watch| {
        components.number();
        for (row, runs) in out.chunks_exact_mut(width).zip(components.numbered_rows()) {
            row.fill(0);
            for (run, number) in runs {
                row[run.columns()].fill(number as i32);
            }
            watch.worked(width)?;
        }
        Ok(())
    })
}

/// Writes, for every pixel of every image, 1 if it is part of the largest component (of equal ones, the
/// first), else 0.
pub fn largest_component(
    images: Images<'_>,
    options: Options,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let (_, height, width) = images.dim();
    for_each_image(images, options, mask, height * width, runner, |components, _, out, watch| {
        components.number();
        let largest = components.largest_number();
        for (row, runs) in out.chunks_exact_mut(width).zip(components.numbered_rows()) {
            row.fill(0);
            for (run, _) in runs.filter(|(_, number)| Some(*number) == largest) {
                row[run.columns()].fill(1);
            }
            watch.worked(width)?;
        }
        Ok(())
    })
}

/// What a thread keeps from one image to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    pub(crate) bits: BitRows,
    pub(crate) components: Components,
}

impl Scratch {
    /// Finds the components of an image. Returns whether a pixel is NaN.
    pub(crate) fn find<'a, T: Pixel>(
        &mut self,
        rows: impl ExactSizeIterator<Item = &'a [T]>,
        width: usize,
        packing: Packing<T>,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<bool, Error> {
        self.bits.resize(rows.len(), width);
        let mut nan = false;
        for (y, row) in rows.enumerate() {
            nan |= packing.pack(row, self.bits.row_mut(y));
            watch.worked(width)?;
        }
        if !nan {
            self.components.find(&self.bits, connectivity, watch)?;
        }
        Ok(nan)
    }
}

/// The cost of an image beyond its pixels, in pixels.
const UNITS_PER_IMAGE: usize = 256;

/// Finds the components of each image, and gives them to `measure` with that image's `per_image` elements of
/// `out`.
pub(crate) fn for_each_image<O: Send>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    per_image: usize,
    runner: &Runner<'_>,
    measure: impl Fn(&mut Components, &BitRows, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
) -> Result<(), Error> {
    fn for_each<T: Pixel, O: Send>(
        batch: Batch<'_, T>,
        packing: Packing<T>,
        connectivity: Connectivity,
        out: &mut [O],
        per_image: usize,
        runner: &Runner<'_>,
        measure: impl Fn(&mut Components, &BitRows, &mut [O], &mut Watch<'_>) -> Result<(), Error> + Sync,
    ) -> Result<(), Error> {
        let (count, height, width) = batch.dim();
        check_length("out", out.len(), count * per_image)?;
        let per_task = images_per_task(height * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task * per_image).enumerate();
        runner.run(tasks, Scratch::default, |scratch, (task, out), watch| {
            for (position, out) in out.chunks_mut(per_image).enumerate() {
                let index = task * per_task + position;
                let image = batch.image(index);
                let rows = (0..height).map(|y| image.row(y));
                if scratch.find(rows, width, packing, connectivity, watch)? {
                    return Err(Error::NotANumber { image: index });
                }
                measure(&mut scratch.components, &scratch.bits, out, watch)?;
                watch.worked(UNITS_PER_IMAGE)?;
            }
            Ok(())
        })
    }

    let Options { foreground, connectivity } = options;
    match images {
        Images::Float32(batch) => {
            for_each(batch, Packing::float32(foreground), connectivity, out, per_image, runner, measure)
        }
        Images::Float16(batch) => {
            for_each(batch, Packing::float16(foreground), connectivity, out, per_image, runner, measure)
        }
        Images::Uint8(batch) => {
            for_each(batch, Packing::uint8(foreground), connectivity, out, per_image, runner, measure)
        }
        Images::Bool(batch) => {
            for_each(batch, Packing::bool(foreground), connectivity, out, per_image, runner, measure)
        }
    }
}
