//! Components without labels and without a list of runs: all that a score needs.
//!
//! A strip of 64 columns is a word a row, and nearly everything is done for as many rows at once as the
//! instruction set has words. From one row to the next mostly nothing happens: each run of ones touches exactly
//! one run of the other row. A row where anything else happens is a *change*. It starts a *segment*, which lasts
//! until the next change, so all rows of a segment have the same number of runs, and the k-th runs of its rows
//! are one piece: a node of a union-find. Nodes of one segment and the next are joined where their runs touch,
//! which is at the changes only; nodes of neighboring strips are joined along the border between them.

use super::Connectivity;
use super::forest::Forest;
use super::strips::Strips;
use super::tile::{Tile, Touching, join_border, run_count};
use crate::Error;
use crate::memory::{TryGrow, try_collect};
use crate::simd::{Scalar, Simd};

/// What is known of the components of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// All foreground pixels.
    pub(crate) area: u64,
    /// Pixels of the largest component.
    pub(crate) largest_area: u64,
    /// How many components there are.
    pub(crate) count: u64,
}

impl Tally {
    /// Of so many pixels in so many runs: each is a node, and each join makes one component of two.
    #[inline(always)]
    fn of(forest: &Forest, area: u64, runs: u64) -> Self {
        Self { area, largest_area: forest.largest_area().into(), count: runs - forest.joins() }
    }
}

/// The components of an image that is given band by band. Memory is kept from one image to the next, and needed
/// for a band, not for the image.
#[derive(Default)]
pub(crate) struct Sweep {
    corners: bool,
    forest: Forest,
    /// The strip that is swept, and the one to its left.
    tile: Tile,
    left: Tile,
    /// Of each strip of the band, the first nodes of its first and of its last segment.
    first_nodes: Vec<(u32, u32)>,
    /// The nodes of the runs of the first row of the image, and of the last row so far, strip by strip.
    top: Option<Row>,
    above: Row,
    area: u64,
    runs: u64,
}

/// A row of an image, strip by strip, and the nodes of its runs.
#[derive(Clone, Default)]
struct Row {
    words: Vec<u64>,
    nodes: Vec<u32>,
}

impl Sweep {
    /// The next image.
    #[inline(always)]
    pub(crate) fn start(&mut self, connectivity: Connectivity) {
        self.corners = connectivity == Connectivity::Eight;
        self.forest.clear();
        self.above.nodes.clear();
        self.top = None;
        (self.area, self.runs) = (0, 0);
    }

    /// The next band, the first or after [`Sweep::end_band`]. `meanwhile` is called every so often.
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

    /// Ends a band after which there is another, or another sweep: forgets all nodes that nothing below can
    /// touch.
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

    /// What was found so far.
    #[inline(always)]
    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.forest, self.area, self.runs)
    }

    /// What was found down to the end of this band, the last.
    pub(crate) fn into_stripe(mut self, strips: &Strips) -> Result<Stripe, Error> {
        self.end_band(strips)?;
        let Self { corners, forest, top, above, area, runs, .. } = self;
        Ok(Stripe { corners, forest, top: top.unwrap_or_default(), bottom: above, area, runs })
    }
}

/// The components of some consecutive rows of an image.
pub(crate) struct Stripe {
    corners: bool,
    forest: Forest,
    top: Row,
    bottom: Row,
    area: u64,
    runs: u64,
}

impl Stripe {
    /// This stripe with the one that comes below it.
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
