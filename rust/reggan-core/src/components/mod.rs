//! Connected components of thresholded images: rows of bits, their runs, and a union-find over the runs.

mod betti;
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
mod winding;

use std::ops::Range;

pub use betti::{BETTI_NUMBERS, betti};
pub(crate) use bits::BitRows;
pub use connectivity::Connectivity;
use connectivity::EarlierRow;
pub(crate) use each::{Pack, Scratch, for_each_image};
pub use measures::{Fields, Measures, analyze};
pub use paint::{label, largest_component, largest_components, remove_small};
pub(crate) use runs::{Run, for_each_run};
pub(crate) use sweep::{Small, Tally};
pub(crate) use tally::{Scratch as TallyScratch, for_each_area, for_each_tally};
use union_find::Sets;
use winding::Winding;

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
    /// Whether pixels on opposite sides of an image are neighbors, as on a torus.
    pub periodic: bool,
}

impl Options {
    /// Fails if they are not options for images of this depth.
    fn check(&self, depth: usize) -> Result<(), Error> {
        if self.periodic && self.connectivity.is_spatial() {
            return Err(Error::invalid("periodic borders are for images; volumes have open borders"));
        }
        self.connectivity.check(depth)
    }
}

/// The components of one image. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Components {
    runs: Vec<Run>,
    /// The index of the first run of each row, and at the end the number of runs.
    rows: Vec<u32>,
    sets: Sets,
    winding: Winding,
}

impl Components {
    pub(crate) fn find(
        &mut self,
        bits: &BitRows,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        self.clear(bits.depth() * bits.height())?;
        self.winding.start(0)?;
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
                        let join = |above, below| self.sets.union(above, below);
                        for_each_touching(&self.runs, other, current.clone(), earlier.reach, join);
                    }
                }
                watch.worked(bits.width())?;
            }
        }
        self.rows.try_push(self.runs.len() as u32)
    }

    /// Joins the components found in an image across its border, as on a torus.
    pub(crate) fn join_around(
        &mut self,
        bits: &BitRows,
        connectivity: Connectivity,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { runs, rows, sets, winding } = self;
        winding.start(runs.len())?;
        let width = bits.width();
        let mut join = |(a, b), shift| sets.union_around(winding, a, b, shift);
        // The runs of a row that start at the left side and end at the right side.
        let at_sides = |row: &Range<usize>| {
            let left = runs[row.clone()].first().is_some_and(|run| run.start == 0);
            let right = runs[row.clone()].last().is_some_and(|run| run.columns().end == width);
            (left.then_some(row.start as u32), right.then(|| row.end as u32 - 1))
        };
        let corners = connectivity == Connectivity::Eight;
        let row = |y: usize| rows[y] as usize..rows[y + 1] as usize;
        let mut above = row(bits.height() - 1);
        for_each_touching(runs, above.clone(), row(0), corners.into(), |last, first| {
            join((first, last), [-1, 0]);
        });
        for y in 0..bits.height() {
            let current = row(y);
            let (left, right) = at_sides(&current);
            left.zip(right).into_iter().for_each(|(left, right)| join((right, left), [0, 1]));
            if corners {
                let (above_left, above_right) = at_sides(&above);
                let up = if y == 0 { -1 } else { 0 };
                right.zip(above_left).into_iter().for_each(|nodes| join(nodes, [up, 1]));
                left.zip(above_right).into_iter().for_each(|nodes| join(nodes, [up, -1]));
            }
            above = current;
            watch.worked(width)?;
        }
        Ok(())
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

    pub(crate) fn tally(&self) -> Tally {
        Tally {
            area: self.runs.iter().map(|run| u64::from(run.len())).sum(),
            largest_area: self.sets.largest_area().into(),
            count: self.sets.count().into(),
            winding: self.winding.components,
            rank: self.winding.rank,
            ..Tally::default()
        }
    }

    /// The components: their roots and areas.
    fn sets(&self) -> impl Iterator<Item = (u32, u32)> {
        self.sets.areas()
    }

    /// Whether the component with this root winds around the torus.
    fn winds(&self, root: u32) -> bool {
        self.winding.winds(root as usize)
    }

    /// Numbers the components from 1, in raster order of their first pixels.
    pub(crate) fn number(&mut self, watch: &mut Watch<'_>) -> Result<Numbered<'_>, Error> {
        let (numbers, areas) = self.sets.number(watch)?;
        Ok(Numbered { runs: &self.runs, row_starts: &self.rows, numbers, areas })
    }
}

/// Calls `visit(above, below)` for the runs of two rows that touch, that is share a column or miss one by at most
/// `reach` columns.
#[inline(always)]
fn for_each_touching(
    runs: &[Run],
    above: Range<usize>,
    below: Range<usize>,
    reach: u16,
    mut visit: impl FnMut(u32, u32),
) {
    let mut first = above.start;
    for current in below {
        let run = runs[current];
        while first < above.end && runs[first].end + reach <= run.start {
            first += 1;
        }
        // The last run above may also touch the next run of this row, so `first` stays.
        let mut other = first;
        while other < above.end && runs[other].start < run.end + reach {
            visit(other as u32, current as u32);
            other += 1;
        }
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
