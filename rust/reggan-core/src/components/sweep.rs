//! Counts components and finds the largest area without labels or lists of runs. A score needs no more.
//!
//! A strip of 64 columns has one word a row. Most of the work is done for as many rows at once as the
//! instruction set has lanes. From one row to the next, usually nothing happens: each run touches exactly one
//! run of the other row. A row where anything else happens is a *change*. A change starts a *segment*, which
//! lasts until the next change. All rows of a segment have the same number of runs, and the k-th runs of its
//! rows are connected: together they are one node of a union-find. Nodes of consecutive segments are joined
//! where their runs touch, at the changes. Nodes of neighboring strips are joined along their common border.

use super::Connectivity;
use super::forest::Forest;
use super::strips::Strips;
use super::tile::{Tile, Touching, join_border, run_count};
use crate::Error;
use crate::memory::{TryGrow, try_collect};
use crate::simd::{Scalar, Simd};

/// The components of an image in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Number of foreground pixels.
    pub(crate) area: u64,
    /// Area of the largest component in pixels.
    pub(crate) largest_area: u64,
    /// Number of components.
    pub(crate) count: u64,
}

impl Tally {
    /// The tally of `area` pixels in `runs` runs. Each run is a component until a join makes one of two.
    #[inline(always)]
    fn of(forest: &Forest, area: u64, runs: u64) -> Self {
        Self { area, largest_area: forest.largest_area().into(), count: runs - forest.joins() }
    }
}

/// The components of an image, found band by band. The memory is reused from image to image. Its size depends
/// on the band, not on the image.
#[derive(Default)]
pub(crate) struct Sweep {
    corners: bool,
    forest: Forest,
    /// The current strip and the strip to its left.
    tile: Tile,
    left: Tile,
    /// For each strip of the band, the first nodes of its first and last segments.
    first_nodes: Vec<(u32, u32)>,
    /// The first row of the image, and the last row of the previous band.
    top: Option<Row>,
    above: Row,
    area: u64,
    runs: u64,
}

/// A row of an image: its words, one a strip, and the nodes of its runs.
#[derive(Clone, Default)]
struct Row {
    words: Vec<u64>,
    nodes: Vec<u32>,
}

impl Sweep {
    /// Starts an image.
    #[inline(always)]
    pub(crate) fn start(&mut self, connectivity: Connectivity) {
        self.corners = connectivity == Connectivity::Eight;
        self.forest.clear();
        self.above.nodes.clear();
        self.top = None;
        (self.area, self.runs) = (0, 0);
    }

    /// Adds a band: the first one, or the next one after [`Sweep::end_band`]. Calls `meanwhile` regularly.
    #[inline(always)]
    pub(crate) fn band<S: Simd>(
        &mut self,
        simd: S,
        strips: &Strips,
        mut meanwhile: impl FnMut(),
    ) -> Result<(), Error> {
        let rows = strips.rows();
        let mut above = self.above.nodes.iter();
        self.first_nodes.clear();
        for (position, words) in strips.iter().enumerate() {
            if position > 0 {
                std::mem::swap(&mut self.left, &mut self.tile);
            }
            let (left, tile) = (&self.left, &mut self.tile);
            tile.scan(simd, words, rows, self.corners, &mut meanwhile)?;
            tile.place(&mut self.forest, &mut above)?;
            tile.join_segments(simd, &mut self.forest)?;
            if let Some(left_words) = position.checked_sub(1).map(|position| strips.strip(position)) {
                join_border(simd, (left, left_words), (tile, words), rows, self.corners, &mut self.forest);
            }
            self.area += tile.area();
            self.runs += tile.runs();
            self.first_nodes.try_push((tile.first_node(0), tile.first_node(tile.segments as i64 - 1)))?;
        }
        Ok(())
    }

    /// Ends a band that is not the last. Retires all nodes that nothing below can touch.
    pub(crate) fn end_band(&mut self, strips: &Strips) -> Result<(), Error> {
        let row = |y: usize, first_node: fn(&(u32, u32)) -> u32| {
            let words = try_collect(strips.row(y))?;
            let mut nodes = Vec::new();
            for (&word, first) in words.iter().zip(&self.first_nodes) {
                let first = first_node(first);
                nodes.try_extend(first..first + run_count(word) as u32)?;
            }
            Ok(Row { words, nodes })
        };
        self.above = row(strips.rows() - 1, |first| first.1)?;
        let mut top = self.top.take().map_or_else(|| row(0, |first| first.0), Ok)?;
        self.forest.retain(&mut [&mut top.nodes, &mut self.above.nodes])?;
        self.top = Some(top);
        Ok(())
    }

    /// The components found so far.
    #[inline(always)]
    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.forest, self.area, self.runs)
    }

    /// Ends the last band and returns the components.
    pub(crate) fn into_stripe(mut self, strips: &Strips) -> Result<Stripe, Error> {
        self.end_band(strips)?;
        let Self { corners, forest, top, above, area, runs, .. } = self;
        Ok(Stripe { corners, forest, top: top.unwrap_or_default(), bottom: above, area, runs })
    }
}

/// The components of consecutive rows of an image.
pub(crate) struct Stripe {
    corners: bool,
    forest: Forest,
    top: Row,
    bottom: Row,
    area: u64,
    runs: u64,
}

impl Stripe {
    /// Combines this stripe with the one below it.
    pub(crate) fn above(mut self, mut lower: Self) -> Result<Self, Error> {
        let offset = self.forest.append(lower.forest)?;
        for node in lower.top.nodes.iter_mut().chain(&mut lower.bottom.nodes) {
            *node += offset;
        }
        join_rows(&self.bottom, &lower.top, self.corners, &mut self.forest);
        self.forest.retain(&mut [&mut self.top.nodes, &mut lower.bottom.nodes])?;
        self.bottom = lower.bottom;
        self.area += lower.area;
        self.runs += lower.runs;
        Ok(self)
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.forest, self.area, self.runs)
    }
}

fn join_rows(upper: &Row, lower: &Row, corners: bool, forest: &mut Forest) {
    let [mut first_upper, mut first_lower] = [0; 2];
    let mut left = (0, 0);
    for (&up, &low) in upper.words.iter().zip(&lower.words) {
        let touching = Touching::of(Scalar, up, low, corners);
        let mut contacts = touching.contacts;
        while contacts != 0 {
            let up_to = contacts ^ (contacts - 1);
            let run = |starts: u64| (starts & up_to).count_ones() as usize - 1;
            forest.join(
                upper.nodes[first_upper + run(touching.starts_above)],
                lower.nodes[first_lower + run(touching.starts)],
            );
            contacts &= contacts - 1;
        }
        if corners && left.0 >> 63 & low & 1 == 1 {
            forest.join(upper.nodes[first_upper - 1], lower.nodes[first_lower]);
        }
        if corners && left.1 >> 63 & up & 1 == 1 {
            forest.join(upper.nodes[first_upper], lower.nodes[first_lower - 1]);
        }
        first_upper += run_count(up);
        first_lower += run_count(low);
        left = (up, low);
    }
}
