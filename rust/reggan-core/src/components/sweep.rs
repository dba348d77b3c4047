//! Counts components and finds the largest area without labels or lists of runs. A score needs no more.
//!
//! A strip of 64 columns has one word a row. Most of the work is done for as many rows at once as the
//! instruction set has lanes. From one row to the next, usually nothing happens: each run touches exactly one
//! run of the other row. A row where anything else happens is a *change*. A change starts a *segment*, which
//! lasts until the next change. All rows of a segment have the same number of runs, and the k-th runs of its
//! rows are connected: together they are one node of a union-find. Nodes of consecutive segments are joined
//! where their runs touch, at the changes. Nodes of neighboring strips are joined along their common border.

use std::ops::Range;

use super::Connectivity;
use super::forest::Forest;
use super::strips::Strips;
use super::tile::{Side, Tile, Touching, euler_number, for_each_change, join_border, run_count};
use super::winding::Winding;
use crate::Error;
use crate::memory::{TryGrow, try_collect};
use crate::simd::{Kernel, Scalar, Simd};

/// The components of an image in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Number of foreground pixels.
    pub(crate) area: u64,
    /// Area of the largest component in pixels.
    pub(crate) largest_area: u64,
    /// Number of components.
    pub(crate) count: u64,
    /// The Euler number, if it was sought.
    pub(crate) euler: i64,
    /// Of a periodic image, the number of components that wind around the torus.
    pub(crate) winding: u64,
    /// Of a periodic image, the rank of the loops around the torus: 0, 1 or 2.
    pub(crate) rank: u8,
}

impl Tally {
    /// The number of holes of an image. On a torus, each component that winds around it has one loop more than holes.
    pub(crate) fn holes(&self) -> i64 {
        (self.count - self.winding) as i64 - self.euler
    }
}

/// Components, of which some are small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Small {
    /// Number of components.
    pub(crate) count: u64,
    /// Number of small components.
    pub(crate) small: u64,
    /// Area of all small components in pixels.
    pub(crate) area: u64,
}

impl Small {
    /// Of `count` components, which have these areas.
    pub(crate) fn of(count: u64, areas: impl Iterator<Item = u32>, min_area: u64) -> Self {
        let areas = areas.map(u64::from).filter(|&area| area < min_area);
        let (small, area) = areas.fold((0, 0), |(small, sum), area| (small + 1, sum + area));
        Self { count, small, area }
    }
}

/// What to find in an image.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sought {
    pub(crate) connectivity: Connectivity,
    pub(crate) border: Border,
    /// Whether to find the Euler number.
    pub(crate) euler: bool,
}

/// What is beyond the border of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Border {
    /// Nothing.
    #[default]
    Open,
    /// The other side. The image must be one band.
    Periodic,
    /// One component without pixels, which all components that touch the border belong to. The image must be one band.
    Outside,
}

/// The components of an image, found band by band. The memory is reused from image to image. Its size depends
/// on the band, not on the image.
#[derive(Default)]
pub(crate) struct Sweep {
    sought: Sought,
    forest: Forest,
    winding: Winding,
    /// The current strip, the strip to its left, and the first strip.
    tile: Tile,
    left: Tile,
    first: Tile,
    /// For each strip of the band, the first nodes of its first and last segments.
    first_nodes: Vec<(u32, u32)>,
    /// For each strip of a periodic image, the nodes of the row above it.
    above_nodes: Vec<Range<u32>>,
    /// The node of all that touches the border, of an image with [`Border::Outside`].
    outside: u32,
    /// The first row of the image, and the last row of the previous band.
    top: Option<Row>,
    above: Row,
    counts: Counts,
}

/// Sums over the rows of an image.
#[derive(Clone, Copy, Default)]
struct Counts {
    area: u64,
    /// Number of runs. Each run is a component until a join makes one of two.
    runs: u64,
    euler: i64,
}

impl Counts {
    #[inline(always)]
    fn tally(self, forest: &Forest) -> Tally {
        let Self { area, runs, euler } = self;
        let (largest_area, count) = (forest.largest_area().into(), runs - forest.joins());
        Tally { area, largest_area, count, euler, ..Tally::default() }
    }
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
    pub(crate) fn start(&mut self, sought: Sought) {
        self.sought = sought;
        self.forest.clear();
        self.above.nodes.clear();
        self.top = None;
        self.counts = Counts::default();
    }

    /// Adds a band: the first one, or the next one after [`Sweep::end_band`]. Calls `meanwhile` regularly.
    #[inline(always)]
    pub(crate) fn band<S: Simd>(
        &mut self,
        simd: S,
        strips: &Strips,
        mut meanwhile: impl FnMut(),
    ) -> Result<(), Error> {
        let (rows, corners) = (strips.rows(), self.sought.connectivity == Connectivity::Eight);
        let mut above = self.above.nodes.iter();
        self.first_nodes.clear();
        for (position, words) in strips.iter().enumerate() {
            match position {
                0 => (),
                1 => std::mem::swap(&mut self.first, &mut self.tile),
                _ => std::mem::swap(&mut self.left, &mut self.tile),
            }
            let left = if position == 1 { &self.first } else { &self.left };
            let tile = &mut self.tile;
            tile.scan(simd, words, rows, corners, &mut meanwhile)?;
            tile.place(&mut self.forest, &mut above)?;
            tile.join_segments(simd, &mut self.forest)?;
            if let Some(left_words) = position.checked_sub(1).map(|position| strips.strip(position)) {
                let left = Side { tile: left, words: left_words, column: 63 };
                let right = Side { tile, words, column: 0 };
                let join = |a, b| self.forest.join(a, b);
                self.counts.euler -= join_border(simd, left, right, rows, corners, join);
            }
            self.counts.area += tile.area();
            self.counts.runs += tile.runs();
            self.first_nodes.try_push((tile.first_node(0), tile.first_node(tile.segments as i64 - 1)))?;
            if self.sought.border == Border::Periodic {
                let runs = run_count(words[0]) as u32;
                self.above_nodes.try_push(tile.first_node(-1)..tile.first_node(-1) + runs)?;
            }
        }
        if self.sought.euler || self.sought.border != Border::Open {
            return simd.vectorize(Rest { sweep: self, strips });
        }
        Ok(())
    }

    /// Joins across the border of a periodic image. The row above the first is a copy of the last row.
    #[inline(always)]
    fn join_around<S: Simd>(&mut self, simd: S, strips: &Strips) -> Result<(), Error> {
        let Self { forest, winding, counts, .. } = self;
        forest.start_around(winding)?;
        for (copies, &(_, first)) in self.above_nodes.drain(..).zip(&self.first_nodes) {
            counts.runs += copies.len() as u64;
            for (copy, node) in copies.zip(first..) {
                forest.join_around(winding, copy, node, [-1, 0]);
            }
        }
        let (first, last) = sides(&self.first, &self.tile, strips);
        let corners = self.sought.connectivity == Connectivity::Eight;
        let join = |a, b| forest.join_around(winding, a, b, [0, 1]);
        counts.euler -= join_border(simd, last, first, strips.rows(), corners, join);
        Ok(())
    }

    /// Joins all that touches the border with a node without pixels.
    #[inline(always)]
    fn join_outside<S: Simd>(&mut self, simd: S, strips: &Strips) -> Result<(), Error> {
        let Self { forest, counts, .. } = self;
        let outside = forest.add(1)?;
        forest.areas_mut(outside).fill(0);
        self.outside = outside as u32;
        counts.runs += 1;
        for (strip, &(first, last)) in strips.iter().zip(&self.first_nodes) {
            for (word, node) in [(strip[1], first), (strip[strips.rows()], last)] {
                (node..node + run_count(word) as u32).for_each(|node| forest.join(node, self.outside));
            }
        }
        let (first, last) = sides(&self.first, &self.tile, strips);
        for_each_change(simd, first, strips.rows(), |segment| {
            forest.join(first.tile.first_node(segment), self.outside);
        });
        for_each_change(simd, last, strips.rows(), |segment| {
            forest.join(last.tile.last_node(segment), self.outside);
        });
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
        let tally = self.counts.tally(&self.forest);
        if self.sought.border == Border::Periodic {
            return Tally { winding: self.winding.components, rank: self.winding.rank, ..tally };
        }
        tally
    }

    /// The components, of which those of fewer than `min_area` pixels are small.
    pub(crate) fn small(&self, min_area: u64) -> Small {
        Small::of(self.tally().count, self.forest.sets().map(|(_, area)| area), min_area)
    }

    /// As [`Sweep::small`], without the components that touch the border, or wind around the torus.
    pub(crate) fn small_enclosed(&self, min_area: u64) -> Small {
        let Tally { count, winding, .. } = self.tally();
        let is_periodic = self.sought.border == Border::Periodic;
        let outside = if is_periodic { u32::MAX } else { self.forest.root(self.outside) };
        let is_enclosed = |root| root != outside && !(is_periodic && self.winding.winds(root as usize));
        let areas = self.forest.sets().filter(|&(root, _)| is_enclosed(root)).map(|(_, area)| area);
        Small::of(count - if is_periodic { winding } else { 1 }, areas, min_area)
    }

    /// Ends the last band and returns the components.
    pub(crate) fn into_stripe(mut self, strips: &Strips) -> Result<Stripe, Error> {
        self.end_band(strips)?;
        let Self { sought, forest, top, above, counts, .. } = self;
        let corners = sought.connectivity == Connectivity::Eight;
        Ok(Stripe { corners, forest, top: top.unwrap_or_default(), bottom: above, counts })
    }
}

/// What few sweeps need of a band: apart, so that the others are small.
struct Rest<'a> {
    sweep: &'a mut Sweep,
    strips: &'a Strips,
}

impl Kernel for Rest<'_> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<(), Error> {
        let Self { sweep, strips } = self;
        let Sought { connectivity, border, euler } = sweep.sought;
        if euler {
            for words in strips.iter() {
                let corners = connectivity == Connectivity::Eight;
                sweep.counts.euler += euler_number(simd, words, strips.rows(), corners);
            }
        }
        match border {
            Border::Open => Ok(()),
            Border::Periodic => sweep.join_around(simd, strips),
            Border::Outside => sweep.join_outside(simd, strips),
        }
    }
}

/// The first and the last column of an image.
#[inline(always)]
fn sides<'a>(first: &'a Tile, last: &'a Tile, strips: &'a Strips) -> (Side<'a>, Side<'a>) {
    let count = strips.iter().len();
    let first = if count == 1 { last } else { first };
    let (words, last_words) = (strips.strip(0), strips.strip(count - 1));
    let column = strips.last_column();
    (Side { tile: first, words, column: 0 }, Side { tile: last, words: last_words, column })
}

/// The components of consecutive rows of an image.
pub(crate) struct Stripe {
    corners: bool,
    forest: Forest,
    top: Row,
    bottom: Row,
    counts: Counts,
}

impl Stripe {
    /// Combines this stripe with the one below it.
    pub(crate) fn above(mut self, mut lower: Self) -> Result<Self, Error> {
        let offset = self.forest.append(lower.forest)?;
        for node in lower.top.nodes.iter_mut().chain(&mut lower.bottom.nodes) {
            *node += offset;
        }
        let common = join_rows(&self.bottom, &lower.top, self.corners, &mut self.forest);
        self.forest.retain(&mut [&mut self.top.nodes, &mut lower.bottom.nodes])?;
        self.bottom = lower.bottom;
        self.counts.area += lower.counts.area;
        self.counts.runs += lower.counts.runs;
        self.counts.euler += lower.counts.euler - common;
        Ok(self)
    }

    pub(crate) fn tally(&self) -> Tally {
        self.counts.tally(&self.forest)
    }
}

/// Joins the nodes of two rows where they touch. Returns the number of pairs of runs that touch.
fn join_rows(upper: &Row, lower: &Row, corners: bool, forest: &mut Forest) -> i64 {
    let [mut first_upper, mut first_lower] = [0; 2];
    let mut left = (0, 0);
    let mut pairs = 0;
    for (&up, &low) in upper.words.iter().zip(&lower.words) {
        let touching = Touching::of(Scalar, up, low, corners);
        let mut contacts = touching.contacts;
        pairs += i64::from(contacts.count_ones());
        while contacts != 0 {
            let up_to = contacts ^ (contacts - 1);
            let run = |starts: u64| (starts & up_to).count_ones() as usize - 1;
            forest.join(
                upper.nodes[first_upper + run(touching.starts_above)],
                lower.nodes[first_lower + run(touching.starts)],
            );
            contacts &= contacts - 1;
        }
        // The pixels on both sides of the border of two strips.
        match [left.0 >> 63, left.1 >> 63, up & 1, low & 1] {
            [1, 1, 1, 1] => pairs -= 1,
            [1, 0, 0, 1] if corners => {
                forest.join(upper.nodes[first_upper - 1], lower.nodes[first_lower]);
                pairs += 1;
            }
            [0, 1, 1, 0] if corners => {
                forest.join(upper.nodes[first_upper], lower.nodes[first_lower - 1]);
                pairs += 1;
            }
            _ => (),
        }
        first_upper += run_count(up);
        first_lower += run_count(low);
        left = (up, low);
    }
    pairs
}
