//! Connected components of thresholded images: rows of bits, their runs, and a union-find over the runs.

mod bits;
mod connectivity;
mod each;
mod euler;
mod forest;
mod measures;
mod paint;
mod runs;
mod strips;
mod sweep;
mod tally;
mod tile;
mod union_find;

use std::ops::Range;

pub(crate) use bits::BitRows;
pub use connectivity::Connectivity;
use connectivity::EarlierRow;
pub(crate) use each::{Pack, Scratch, for_each_image};
pub use measures::{Fields, Measures, analyze};
pub use paint::{label, largest_component, largest_components, remove_small};
pub(crate) use runs::{Run, for_each_run};
pub(crate) use sweep::Tally;
pub(crate) use tally::{Scratch as TallyScratch, for_each_area, for_each_tally};
use union_find::Sets;

use crate::Error;
use crate::foreground::Foreground;
use crate::memory::TryGrow;
use crate::parallel::Watch;

/// What to find in the images.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Which pixels are foreground.
    pub foreground: Foreground,
    /// Which foreground pixels are neighbors.
    pub connectivity: Connectivity,
}

/// The components of one image. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// The index of the first run of each row, and at the end the number of runs.
    rows: Vec<u32>,
    sets: Sets,
}

impl Components {
    pub(crate) fn find(
        &mut self,
        bits: &BitRows,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        self.clear(bits.depth() * bits.height())?;
        let mut rows = bits.rows();
        for z in 0..bits.depth() {
            for (y, row) in rows.by_ref().take(bits.height()).enumerate() {
                let start = self.runs.len();
                self.rows.try_push(start as u32)?;
                for_each_run(row, |run| {
                    self.runs.try_push(run)?;
                    self.sets.add(run.len())
                })?;
                let current = start..self.runs.len();
                for earlier in connectivity.earlier_rows() {
                    if let Some(other) = self.runs_of(earlier, z, y, bits.height()) {
                        self.join(other, current.clone(), earlier.reach);
                    }
                }
                watch.worked(bits.width())?;
            }
        }
        self.rows.try_push(self.runs.len() as u32)
    }

    /// Clears the lists and reserves room for a few rows: growing a list costs as much as a small image.
    fn clear(&mut self, rows: usize) -> Result<(), Error> {
        let room = (2 * rows).min(1 << 10);
        self.runs.clear();
        self.rows.clear();
        self.runs.try_reserve_room(room)?;
        self.rows.try_reserve_room(room)?;
        self.sets.clear(room)
    }

    /// The runs of the earlier row relative to the row at (z, y), if that row exists.
    fn runs_of(&self, earlier: &EarlierRow, z: usize, y: usize, height: usize) -> Option<Range<usize>> {
        let z = z.checked_sub(earlier.slices)?;
        let y = y.checked_add_signed(earlier.rows).filter(|&y| y < height)?;
        let row = z * height + y;
        Some(self.rows[row] as usize..self.rows[row + 1] as usize)
    }

    /// Joins the runs of a row with the runs of an earlier row that they touch.
    fn join(&mut self, above: Range<usize>, below: Range<usize>, reach: u16) {
        let mut first = above.start;
        for current in below {
            let run = self.runs[current];
            while first < above.end && self.runs[first].end + reach <= run.start {
                first += 1;
            }
            // The last run above may also touch the next run of this row, so `first` stays.
            let mut other = first;
            while other < above.end && self.runs[other].start < run.end + reach {
                self.sets.union(other as u32, current as u32);
                other += 1;
            }
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally {
            area: self.runs.iter().map(|run| u64::from(run.len())).sum(),
            largest_area: self.sets.largest_area().into(),
            count: self.sets.count().into(),
        }
    }

    /// Numbers the components from 1, in raster order of their first pixels.
    pub(crate) fn number(&mut self, watch: &mut Watch<'_>) -> Result<Numbered<'_>, Error> {
        let (numbers, areas) = self.sets.number(watch)?;
        Ok(Numbered { runs: &self.runs, row_starts: &self.rows, numbers, areas })
    }
}

/// The components of one image, numbered.
pub(crate) struct Numbered<'a> {
    runs: &'a [Run],
    row_starts: &'a [u32],
    /// The component of each run.
    numbers: &'a [u32],
    /// Area of each component, starting with number 1.
    pub(crate) areas: &'a [u32],
}

impl Numbered<'_> {
    pub(crate) fn areas(&self) -> &[u32] {
        self.areas
    }

    /// The runs of each row with the numbers of their components.
    pub(crate) fn rows(&self) -> impl Iterator<Item = impl Iterator<Item = (Run, u32)>> {
        self.row_starts.windows(2).map(|row| {
            let runs = row[0] as usize..row[1] as usize;
            self.runs[runs.clone()].iter().copied().zip(self.numbers[runs].iter().copied())
        })
    }
}

/// The number of the largest component; among equal ones, of the first.
pub(crate) fn largest_number(areas: &[u32]) -> Option<u32> {
    let largest = areas.iter().max()?;
    areas.iter().position(|area| area == largest).map(|position| position as u32 + 1)
}
