//! Components without labels and without a list of runs: all that a score needs.
//!
//! A strip of 64 columns is a word a row, and nearly everything is done for as many rows at once as the
//! instruction set has words. From one row to the next mostly nothing happens: each run of ones touches exactly
//! one run of the other row. A row where anything else happens is a *change*. It starts a *segment*, which lasts
//! until the next change, so all rows of a segment have the same number of runs, and the k-th runs of its rows
//! are one piece: a node of a union-find. Nodes of one segment and the next are joined where their runs touch,
//! which is at the changes only; nodes of neighbouring strips are joined along the border between them.

use super::Connectivity;
use super::forest::Forest;
use super::strips::Strips;
use crate::simd::{Scalar, Simd};

/// A band has at most so many rows, so that 16 bits count the pixels of a strip.
pub(crate) const MAX_ROWS: usize = 512;
/// Runs whose pixels are counted in one word, 16 bits each.
const RUNS_PER_WORD: usize = 4;
/// Words that an instruction set may read or write beyond those that count.
const SLACK: usize = 8;

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
    pub(crate) fn band<S: Simd>(&mut self, simd: S, strips: &Strips, mut meanwhile: impl FnMut()) {
        let rows = strips.rows();
        let mut above = self.above.nodes.iter();
        self.first_nodes.clear();
        for (position, words) in strips.iter().enumerate() {
            if position > 0 {
                std::mem::swap(&mut self.left, &mut self.tile);
            }
            let (left, tile) = (&self.left, &mut self.tile);
            tile.scan(simd, words, rows, self.corners, &mut meanwhile);
            tile.place(&mut self.forest, &mut above);
            tile.join_segments(simd, &mut self.forest);
            if let Some(left_words) = position.checked_sub(1).map(|position| strips.strip(position)) {
                join_border(simd, (left, left_words), (tile, words), rows, self.corners, &mut self.forest);
            }
            self.area += tile.area();
            self.runs += tile.runs();
            self.first_nodes.push((tile.first_node(0), tile.first_node(tile.segments as i64 - 1)));
        }
    }

    /// Ends a band after which there is another, or another sweep: forgets all nodes that nothing below can
    /// touch.
    pub(crate) fn end_band(&mut self, strips: &Strips) {
        let row = |y: usize, first_node: fn(&(u32, u32)) -> u32| {
            let words: Vec<u64> = strips.row(y).collect();
            let runs = words.iter().zip(&self.first_nodes);
            let nodes = runs.flat_map(|(&word, first)| (first_node(first)..).take(run_count(word))).collect();
            Row { words, nodes }
        };
        self.above = row(strips.rows() - 1, |first| first.1);
        let mut top = self.top.take().unwrap_or_else(|| row(0, |first| first.0));
        self.forest.retain(&mut [&mut top.nodes, &mut self.above.nodes]);
        self.top = Some(top);
    }

    /// What was found so far.
    #[inline(always)]
    pub(crate) fn tally(&self) -> Tally {
        Tally::of(&self.forest, self.area, self.runs)
    }

    /// What was found down to the end of this band, the last.
    pub(crate) fn into_stripe(mut self, strips: &Strips) -> Stripe {
        self.end_band(strips);
        let Self { corners, forest, top, above, area, runs, .. } = self;
        Stripe { corners, forest, top: top.unwrap_or_default(), bottom: above, area, runs }
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
    pub(crate) fn above(mut self, mut lower: Self) -> Self {
        let offset = self.forest.append(lower.forest);
        for node in lower.top.nodes.iter_mut().chain(&mut lower.bottom.nodes) {
            *node += offset;
        }
        join_rows(&self.bottom, &lower.top, self.corners, &mut self.forest);
        self.forest.retain(&mut [&mut self.top.nodes, &mut lower.bottom.nodes]);
        self.bottom = lower.bottom;
        self.area += lower.area;
        self.runs += lower.runs;
        self
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

/// How a row touches the row above, as words of bits.
struct Touching<W> {
    /// The first pixels of the runs of the row above, and of the row.
    starts_above: W,
    starts: W,
    /// One bit for each pair of runs that touch, at a column up to which as many runs have started as the number
    /// of the run says, in both rows.
    contacts: W,
    /// Not 0 if the row is a change.
    change: W,
}

impl<W: Copy> Touching<W> {
    #[inline(always)]
    fn of<S: Simd<Words = W>>(simd: S, above: W, row: W, corners: bool) -> Self {
        let shifted_above = simd.shift_left::<1>(above);
        let shifted = simd.shift_left::<1>(row);
        let starts_above = simd.and_not(above, shifted_above);
        let starts = simd.and_not(row, shifted);
        // Each run of the pixels that are set in both rows is one pair of runs that touch.
        let both = simd.and(above, row);
        let overlaps = simd.and_not(both, simd.shift_left::<1>(both));
        // From the first overlap of each run to the run's end: adding carries through the ones.
        let reached = |row| simd.or(simd.and_not(row, simd.add(row, overlaps)), overlaps);
        let (reached_above, reached) = (reached(above), reached(row));
        // Runs without an overlap, by their last pixels, and overlaps beyond the first of a run.
        let alone_above = simd.and_not(simd.and_not(above, simd.shift_right::<1>(above)), reached_above);
        let alone = simd.and_not(simd.and_not(row, simd.shift_right::<1>(row)), reached);
        let further = simd.and(overlaps, simd.shift_left::<1>(simd.or(reached_above, reached)));
        let mut contacts = overlaps;
        let mut change = simd.or(simd.or(alone_above, alone), further);
        if corners {
            // A run that starts where one of the other row has just ended.
            let right_below = simd.and(simd.and_not(starts, above), shifted_above);
            let right_above = simd.and(simd.and_not(starts_above, row), shifted);
            let diagonal = simd.or(right_below, right_above);
            contacts = simd.or(contacts, diagonal);
            change = simd.or(change, diagonal);
        }
        Self { starts_above, starts, contacts, change }
    }
}

/// One strip of a band.
#[derive(Default)]
struct Tile {
    /// A bit for each row that starts a segment, and how many segments start before each word of them.
    changes: Vec<u64>,
    segments_before: Vec<u32>,
    segments: usize,
    /// For the first row of each segment.
    contacts: Vec<u64>,
    starts_above: Vec<u64>,
    starts: Vec<u64>,
    /// For each segment, and at last for the end of the band: the pixels of the rows before it that are in the
    /// k-th or a later run of their row, 16 bits for each k, four in each list.
    sums: Vec<Vec<u64>>,
    /// How many lists of `sums` are in use.
    sum_words: usize,
    /// The runs of each row that are not counted yet.
    uncounted: Vec<u64>,
    /// Nodes from one segment's first to the next one's.
    step: usize,
    /// The first node of the first segment; the nodes of the row above, if it has runs, come right before.
    base: usize,
    /// How many runs the row above has.
    runs_above: usize,
    /// Pairs of nodes to join, the one above in the lower half.
    pairs: Vec<u64>,
}

impl Tile {
    /// Finds the segments of a strip: the row above, then the rows, then zeros.
    #[inline(always)]
    fn scan<S: Simd>(
        &mut self,
        simd: S,
        words: &[u64],
        rows: usize,
        corners: bool,
        meanwhile: &mut impl FnMut(),
    ) {
        self.reserve(rows);
        let mut carry = simd.splat(0);
        let mut more = simd.splat(0);
        let mut segments = 0;
        for at in (0..rows).step_by(S::LANES) {
            let above = simd.load(words, at);
            let row = simd.load(words, at + 1);
            let touching = Touching::of(simd, above, row, corners);
            let mut changes = simd.nonzero(touching.change);
            // The first row of a band always starts a segment, and what is below the band never does.
            changes |= u32::from(at == 0);
            changes &= u32::MAX >> (32 - (rows - at).min(S::LANES));
            simd.compress(touching.contacts, changes, &mut self.contacts, segments);
            simd.compress(touching.starts_above, changes, &mut self.starts_above, segments);
            simd.compress(touching.starts, changes, &mut self.starts, segments);
            let (counts, rest) = count_runs(simd, row);
            let sums = simd.add(simd.prefix_sum(counts), carry);
            carry = simd.broadcast_last(sums);
            simd.compress(simd.sub(sums, counts), changes, &mut self.sums[0], segments);
            simd.store(rest, &mut self.uncounted, at);
            more = simd.or(more, rest);
            if at % 64 == 0 {
                self.changes[at / 64] = 0;
                self.segments_before[at / 64] = segments as u32;
            }
            self.changes[at / 64] |= u64::from(changes) << (at % 64);
            segments += changes.count_ones() as usize;
            meanwhile();
        }
        simd.store(carry, &mut self.sums[0], segments);
        simd.store(simd.splat(0), &mut self.contacts, segments);
        self.segments = segments;
        self.sum_words = 1;
        while simd.nonzero(more) != 0 {
            more = self.count_more(simd, rows);
        }
        // The row above is numbered like a segment, and may have more runs than any row of the band.
        self.runs_above = run_count(words[0]);
        self.step = RUNS_PER_WORD * self.sum_words.max(self.runs_above.div_ceil(RUNS_PER_WORD));
    }

    /// Counts the pixels of the next four runs of each row. Returns what is still not counted.
    #[inline(always)]
    fn count_more<S: Simd>(&mut self, simd: S, rows: usize) -> S::Words {
        if self.sums.len() == self.sum_words {
            self.sums.push(vec![0; MAX_ROWS + 2 * SLACK]);
        }
        let list = &mut self.sums[self.sum_words];
        let mut carry = simd.splat(0);
        let mut more = simd.splat(0);
        let mut segments = 0;
        for at in (0..rows).step_by(S::LANES) {
            let (counts, rest) = count_runs(simd, simd.load(&self.uncounted, at));
            let sums = simd.add(simd.prefix_sum(counts), carry);
            carry = simd.broadcast_last(sums);
            let changes = (self.changes[at / 64] >> (at % 64)) as u32 & (u32::MAX >> (32 - S::LANES));
            simd.compress(simd.sub(sums, counts), changes, list, segments);
            simd.store(rest, &mut self.uncounted, at);
            more = simd.or(more, rest);
            segments += changes.count_ones() as usize;
        }
        simd.store(carry, list, segments);
        self.sum_words += 1;
        more
    }

    /// Makes the nodes: those of the row above stand for `nodes_above`, those of the segments have their areas.
    #[inline(always)]
    fn place<'a>(&mut self, forest: &mut Forest, nodes_above: &mut impl Iterator<Item = &'a u32>) {
        if self.runs_above > 0 {
            let first = forest.add(self.step);
            forest.areas_mut(first).fill(0);
            for (node, &stands_for) in (first..).zip(nodes_above.take(self.runs_above)) {
                forest.refer(node, stands_for);
            }
        }
        self.base = forest.add(self.step * self.segments);
        let areas = forest.areas_mut(self.base);
        // A run's pixels are those of this and all later runs, less those of all later runs.
        let count = |list: &[u64], segment: usize| list[segment + 1] - list[segment];
        if self.step == RUNS_PER_WORD {
            let list = &self.sums[0][..=self.segments];
            for (areas, sums) in areas.as_chunks_mut::<4>().0.iter_mut().zip(list.windows(2)) {
                let count = sums[1] - sums[0];
                *areas = quarters(count - (count >> 16));
            }
            return;
        }
        for segment in 0..self.segments {
            let areas = &mut areas[segment * self.step..][..self.step];
            let mut next = count(&self.sums[0], segment);
            for (word, areas) in areas.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let this = next;
                next = if word + 1 < self.sum_words { count(&self.sums[word + 1], segment) } else { 0 };
                *areas = quarters(this - (this >> 16 | next << 48));
            }
        }
    }

    /// Joins the nodes of each segment with those of the one before.
    #[inline(always)]
    fn join_segments<S: Simd>(&mut self, simd: S, forest: &mut Forest) {
        let step = self.step as u64;
        let pair = |above: u64, below: u64| (below << 32).wrapping_add(above);
        // The first run's rank is 1, so nodes are counted from one before the first.
        let before = |segment: u64| (self.base as u64 + segment * step).wrapping_sub(1);
        let mut first = [0; SLACK];
        for (segment, first) in (0..).zip(&mut first) {
            *first = pair(before(segment).wrapping_sub(step), before(segment));
        }
        let mut first = simd.load(&first, 0);
        let advance = simd.splat(pair(step * S::LANES as u64, step * S::LANES as u64));
        let one = simd.splat(1);
        let mut count = 0;
        for at in (0..self.segments).step_by(S::LANES) {
            if self.pairs.len() < count + 64 * S::LANES + SLACK {
                self.pairs.resize(count + 256 * SLACK, 0);
            }
            let starts_above = simd.load(&self.starts_above, at);
            let starts = simd.load(&self.starts, at);
            let mut contacts = simd.load(&self.contacts, at);
            loop {
                let left = simd.nonzero(contacts);
                if left == 0 {
                    break;
                }
                let less_one = simd.sub(contacts, one);
                let up_to = simd.xor(contacts, less_one);
                contacts = simd.and(contacts, less_one);
                let rank_above = simd.count_ones(simd.and(starts_above, up_to));
                let rank = simd.count_ones(simd.and(starts, up_to));
                let ranks = simd.add(rank_above, simd.shift_left::<32>(rank));
                simd.compress(simd.add(first, ranks), left, &mut self.pairs, count);
                count += left.count_ones() as usize;
            }
            first = simd.add(first, advance);
        }
        forest.join_all(&self.pairs[..count]);
    }

    /// The segment of a row; that of the row above, y = -1, is -1.
    fn segment(&self, y: i64) -> i64 {
        let Ok(y) = usize::try_from(y) else { return -1 };
        let up_to = self.changes[y / 64] & (u64::MAX >> (63 - y % 64));
        i64::from(self.segments_before[y / 64] + up_to.count_ones()) - 1
    }

    fn first_node(&self, segment: i64) -> u32 {
        (self.base as i64 + segment * self.step as i64) as u32
    }

    fn last_node(&self, segment: i64) -> u32 {
        let runs = match usize::try_from(segment) {
            Ok(segment) => self.starts[segment].count_ones(),
            Err(_) => self.runs_above as u32,
        };
        self.first_node(segment) + runs - 1
    }

    #[inline(always)]
    fn area(&self) -> u64 {
        self.sums[0][self.segments] & 0xffff
    }

    /// The runs of all segments.
    #[inline(always)]
    fn runs(&self) -> u64 {
        self.starts[..self.segments].iter().map(|starts| u64::from(starts.count_ones())).sum()
    }

    #[inline(always)]
    fn reserve(&mut self, rows: usize) {
        if self.contacts.len() < rows + 2 * SLACK {
            let length = rows + 2 * SLACK;
            for list in [&mut self.contacts, &mut self.starts_above, &mut self.starts, &mut self.uncounted] {
                list.resize(length, 0);
            }
            self.changes.resize(length.div_ceil(64), 0);
            self.segments_before.resize(length.div_ceil(64), 0);
            self.sums.clear();
            self.sums.push(vec![0; MAX_ROWS + 2 * SLACK]);
        }
    }
}

/// Joins the nodes of two neighbouring strips, each with its words, whose pixels touch.
#[inline(always)]
fn join_border<S: Simd>(
    simd: S,
    (left, left_words): (&Tile, &[u64]),
    (right, right_words): (&Tile, &[u64]),
    rows: usize,
    corners: bool,
    forest: &mut Forest,
) {
    let mut join = |left_row: i64, right_row: i64| {
        let (left_segment, right_segment) = (left.segment(left_row), right.segment(right_row));
        forest.join(left.last_node(left_segment), right.first_node(right_segment));
    };
    let mut touched = 0;
    for (word, start) in (0..rows).step_by(64).enumerate() {
        let [mut touching, mut falling, mut rising] = [0_u64; 3];
        for at in (start..rows.min(start + 64)).step_by(S::LANES) {
            let (left_row, right_row) = (simd.load(left_words, at + 1), simd.load(right_words, at + 1));
            // The last pixel of the one and the first of the other, at the place of the first.
            let bits = |left, right| {
                let bits = simd.and(simd.shift_right::<63>(left), right);
                u64::from(simd.nonzero(bits)) << (at % 64)
            };
            touching |= bits(left_row, right_row);
            if corners {
                let (left_above, right_above) = (simd.load(left_words, at), simd.load(right_words, at));
                falling |= bits(simd.and_not(left_above, left_row), simd.and_not(right_row, right_above));
                rising |= bits(simd.and_not(left_row, left_above), simd.and_not(right_above, right_row));
            }
        }
        // Nothing is new where both strips go on as in the row before.
        let known = (touching << 1 | touched) & !left.changes[word] & !right.changes[word];
        touched = touching >> 63;
        let row = |bit: u32| (start as u32 + bit).into();
        for_each_one(touching & !known, |bit| join(row(bit), row(bit)));
        for_each_one(falling, |bit| join(row(bit) - 1, row(bit)));
        for_each_one(rising, |bit| join(row(bit), row(bit) - 1));
    }
}

#[inline(always)]
fn for_each_one(mut bits: u64, mut visit: impl FnMut(u32)) {
    while bits != 0 {
        visit(bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// For the first four runs of each word: the pixels in this run and all later ones, 16 bits each; and the word
/// without these runs.
#[inline(always)]
fn count_runs<S: Simd>(simd: S, first: S::Words) -> (S::Words, S::Words) {
    let zero = simd.splat(0);
    // Adding the lowest one carries through the lowest run.
    let without_first_run = |word| {
        let lowest = simd.and(word, simd.sub(zero, word));
        simd.and(word, simd.add(word, lowest))
    };
    let second = without_first_run(first);
    let third = without_first_run(second);
    let fourth = without_first_run(third);
    let low = simd.or(simd.count_ones(first), simd.shift_left::<16>(simd.count_ones(second)));
    let high = simd.or(simd.count_ones(third), simd.shift_left::<16>(simd.count_ones(fourth)));
    (simd.or(low, simd.shift_left::<32>(high)), without_first_run(fourth))
}

fn run_count(word: u64) -> usize {
    (word & !(word << 1)).count_ones() as usize
}

#[inline(always)]
fn quarters(word: u64) -> [u32; 4] {
    [word, word >> 16, word >> 32, word >> 48].map(|quarter| quarter as u16 as u32)
}
