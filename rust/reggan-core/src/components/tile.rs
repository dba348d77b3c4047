//! One strip of a band: its segments, their nodes and areas, and the nodes that touch.

use super::forest::Forest;
use crate::Error;
use crate::memory::{TryGrow, try_filled};
use crate::simd::Simd;

/// Most rows in a band, so that 16 bits can count the pixels of a strip.
pub(crate) const MAX_ROWS: usize = 512;
/// Runs counted in one word, 16 bits each.
const RUNS_PER_WORD: usize = 4;
/// Words that a vector operation may access beyond the valid ones.
const SLACK: usize = 8;

/// How a row touches the row above it, as words of bits.
pub(super) struct Touching<W> {
    /// The first pixels of the runs: of the row above, and of this row.
    pub(super) starts_above: W,
    pub(super) starts: W,
    /// One bit for each pair of runs that touch. It marks a column such that the number of runs that start up
    /// to it, in each of the two rows, is the rank of that row's run.
    pub(super) contacts: W,
    /// Nonzero if the row is a change.
    pub(super) change: W,
}

impl<W: Copy> Touching<W> {
    #[inline(always)]
    pub(super) fn of<S: Simd<Words = W>>(simd: S, above: W, row: W, corners: bool) -> Self {
        let shifted_above = simd.shift_left::<1>(above);
        let shifted = simd.shift_left::<1>(row);
        let starts_above = simd.and_not(above, shifted_above);
        let starts = simd.and_not(row, shifted);
        // Each run of pixels set in both rows is a pair of runs that touch.
        let both = simd.and(above, row);
        let overlaps = simd.and_not(both, simd.shift_left::<1>(both));
        // The pixels from the first overlap of each run to the end of the run: the carry of the addition runs
        // through the ones.
        let reached = |row| simd.or(simd.and_not(row, simd.add(row, overlaps)), overlaps);
        let (reached_above, reached) = (reached(above), reached(row));
        // The last pixels of runs without an overlap, and the overlaps after the first of a run.
        let alone_above = simd.and_not(simd.and_not(above, simd.shift_right::<1>(above)), reached_above);
        let alone = simd.and_not(simd.and_not(row, simd.shift_right::<1>(row)), reached);
        let further = simd.and(overlaps, simd.shift_left::<1>(simd.or(reached_above, reached)));
        let mut contacts = overlaps;
        let mut change = simd.or(simd.or(alone_above, alone), further);
        if corners {
            // Runs that start right after the end of a run of the other row.
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
pub(super) struct Tile {
    /// One bit for each row that starts a segment, and for each word of these bits the number of segments
    /// before it.
    changes: Vec<u64>,
    segments_before: Vec<u32>,
    pub(super) segments: usize,
    /// For the first row of each segment.
    contacts: Vec<u64>,
    starts_above: Vec<u64>,
    starts: Vec<u64>,
    /// For each segment and for the end of the band: over all earlier rows, the pixels of the k-th and later
    /// runs. There are 16 bits for each k, four to a word, and one list for each four k.
    sums: Vec<Vec<u64>>,
    /// Number of lists of `sums` in use.
    sum_words: usize,
    /// The runs of each row that are not counted yet.
    uncounted: Vec<u64>,
    /// Distance between the first nodes of consecutive segments.
    step: usize,
    /// The first node of the first segment. If the row above has runs, their nodes come right before it.
    base: usize,
    /// Number of runs in the row above.
    runs_above: usize,
    /// Pairs of nodes to join, the upper one in the lower half of the word.
    pairs: Vec<u64>,
}

impl Tile {
    /// Finds the segments of a strip, given as the row above, the rows of the band, and zeros.
    #[inline(always)]
    pub(super) fn scan<S: Simd>(
        &mut self,
        simd: S,
        words: &[u64],
        rows: usize,
        corners: bool,
        meanwhile: &mut impl FnMut(),
    ) -> Result<(), Error> {
        self.reserve(rows)?;
        let mut carry = simd.splat(0);
        let mut more = simd.splat(0);
        let mut segments = 0;
        for at in (0..rows).step_by(S::LANES) {
            let above = simd.load(words, at);
            let row = simd.load(words, at + 1);
            let touching = Touching::of(simd, above, row, corners);
            let mut changes = simd.nonzero(touching.change);
            // The first row of a band always starts a segment; rows below the band never do.
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
            more = self.count_more(simd, rows)?;
        }
        // The row above has nodes like a segment, and may have more runs than any row of the band.
        self.runs_above = run_count(words[0]);
        self.step = RUNS_PER_WORD * self.sum_words.max(self.runs_above.div_ceil(RUNS_PER_WORD));
        Ok(())
    }

    /// Counts the pixels of the next four runs of each row. Returns the runs that remain.
    #[inline(always)]
    fn count_more<S: Simd>(&mut self, simd: S, rows: usize) -> Result<S::Words, Error> {
        if self.sums.len() == self.sum_words {
            self.sums.try_push(try_filled(MAX_ROWS + 2 * SLACK, 0)?)?;
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
        Ok(more)
    }

    /// Creates the nodes. Those of the row above are aliases of `nodes_above`; those of the segments have
    /// areas.
    #[inline(always)]
    pub(super) fn place<'a>(
        &mut self,
        forest: &mut Forest,
        nodes_above: &mut impl Iterator<Item = &'a u32>,
    ) -> Result<(), Error> {
        if self.runs_above > 0 {
            let first = forest.add(self.step)?;
            forest.areas_mut(first).fill(0);
            for (node, &stands_for) in (first..).zip(nodes_above.take(self.runs_above)) {
                forest.refer(node, stands_for);
            }
        }
        self.base = forest.add(self.step * self.segments)?;
        let areas = forest.areas_mut(self.base);
        // The area of a run: the pixels of this and all later runs, minus the pixels of all later runs.
        let count = |list: &[u64], segment: usize| list[segment + 1] - list[segment];
        if self.step == RUNS_PER_WORD {
            let list = &self.sums[0][..=self.segments];
            for (areas, sums) in areas.as_chunks_mut::<4>().0.iter_mut().zip(list.windows(2)) {
                let count = sums[1] - sums[0];
                *areas = quarters(count - (count >> 16));
            }
            return Ok(());
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
        Ok(())
    }

    /// Joins the nodes of consecutive segments.
    #[inline(always)]
    pub(super) fn join_segments<S: Simd>(&mut self, simd: S, forest: &mut Forest) -> Result<(), Error> {
        let step = self.step as u64;
        let pair = |above: u64, below: u64| (below << 32).wrapping_add(above);
        // Ranks start at 1, so nodes are counted from one before the first.
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
                self.pairs.try_resize(count + 256 * SLACK, 0)?;
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
        Ok(())
    }

    /// The segment of row `y`; -1 for the row above, y = -1.
    fn segment(&self, y: i64) -> i64 {
        let Ok(y) = usize::try_from(y) else { return -1 };
        let up_to = self.changes[y / 64] & (u64::MAX >> (63 - y % 64));
        i64::from(self.segments_before[y / 64] + up_to.count_ones()) - 1
    }

    pub(super) fn first_node(&self, segment: i64) -> u32 {
        (self.base as i64 + segment * self.step as i64) as u32
    }

    pub(super) fn last_node(&self, segment: i64) -> u32 {
        let runs = match usize::try_from(segment) {
            Ok(segment) => self.starts[segment].count_ones(),
            Err(_) => self.runs_above as u32,
        };
        self.first_node(segment) + runs - 1
    }

    #[inline(always)]
    pub(super) fn area(&self) -> u64 {
        self.sums[0][self.segments] & 0xffff
    }

    /// The number of runs in all segments.
    #[inline(always)]
    pub(super) fn runs(&self) -> u64 {
        self.starts[..self.segments].iter().map(|starts| u64::from(starts.count_ones())).sum()
    }

    #[inline(always)]
    fn reserve(&mut self, rows: usize) -> Result<(), Error> {
        let length = rows + 2 * SLACK;
        if self.contacts.len() < length { self.grow(length) } else { Ok(()) }
    }

    #[cold]
    fn grow(&mut self, length: usize) -> Result<(), Error> {
        for list in [&mut self.contacts, &mut self.starts_above, &mut self.starts, &mut self.uncounted] {
            list.try_resize(length, 0)?;
        }
        self.changes.try_resize(length.div_ceil(64), 0)?;
        self.segments_before.try_resize(length.div_ceil(64), 0)?;
        self.sums.clear();
        self.sums.try_push(try_filled(MAX_ROWS + 2 * SLACK, 0)?)
    }
}

/// The outermost column of a strip, on one side of a border.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) tile: &'a Tile,
    pub(super) words: &'a [u64],
    pub(super) column: u32,
}

impl Side<'_> {
    /// Which of up to 64 rows from `start` on have their pixel set.
    #[inline(always)]
    fn pixels<S: Simd>(&self, simd: S, start: usize, rows: usize) -> u64 {
        let column = simd.splat(1 << self.column);
        let mut pixels = 0;
        for at in (start..rows.min(start + 64)).step_by(S::LANES) {
            let row = simd.and(simd.load(self.words, at + 1), column);
            pixels |= u64::from(simd.nonzero(row)) << (at % 64);
        }
        pixels
    }
}

/// Calls `visit` for each segment that has a run at this border, or more often.
#[inline(always)]
pub(super) fn for_each_change<S: Simd>(simd: S, side: Side<'_>, rows: usize, mut visit: impl FnMut(i64)) {
    let mut above = 0;
    for (word, start) in (0..rows).step_by(64).enumerate() {
        let pixels = side.pixels(simd, start, rows);
        let known = (pixels << 1 | above) & !side.tile.changes[word];
        for_each_one(pixels & !known, |bit| visit(side.tile.segment((start as u32 + bit).into())));
        above = pixels >> 63;
    }
}

/// Calls `join(left, right)` for nodes on two sides of a border where their pixels touch. Returns the Euler number of
/// what the two sides have in common, which the whole lacks: pairs of pixels that touch, less squares of 2 x 2.
#[inline(always)]
pub(super) fn join_border<S: Simd>(
    simd: S,
    left: Side<'_>,
    right: Side<'_>,
    rows: usize,
    corners: bool,
    mut join: impl FnMut(u32, u32),
) -> i64 {
    let mut join = |left_row: i64, right_row: i64| {
        let (left_segment, right_segment) = (left.tile.segment(left_row), right.tile.segment(right_row));
        join(left.tile.last_node(left_segment), right.tile.first_node(right_segment));
    };
    let pixel = |side: Side<'_>, row: usize| side.words[row] >> side.column & 1;
    // The pixels of the row above.
    let (mut last_left, mut last_right) = (pixel(left, 0), pixel(right, 0));
    let mut common = 0;
    for (word, start) in (0..rows).step_by(64).enumerate() {
        let (here_left, here_right) = (left.pixels(simd, start, rows), right.pixels(simd, start, rows));
        let (above_left, above_right) = (here_left << 1 | last_left, here_right << 1 | last_right);
        let touching = here_left & here_right;
        // A join is known where both strips continue from the row before without a change.
        let touching_above = above_left & above_right;
        let known = touching_above & !left.tile.changes[word] & !right.tile.changes[word];
        common += ones(touching) - ones(touching & touching_above);
        let row = |bit: u32| (start as u32 + bit).into();
        for_each_one(touching & !known, |bit| join(row(bit), row(bit)));
        if corners {
            let falling = above_left & !here_left & here_right & !above_right;
            let rising = here_left & !above_left & above_right & !here_right;
            common += ones(falling | rising);
            for_each_one(falling, |bit| join(row(bit) - 1, row(bit)));
            for_each_one(rising, |bit| join(row(bit), row(bit) - 1));
        }
        (last_left, last_right) = (here_left >> 63, here_right >> 63);
    }
    common
}

/// The Euler number of the rows of a strip, less that of what the first row has in common with the row above: runs, less
/// pairs of runs that touch.
#[inline(always)]
pub(super) fn euler_number<S: Simd>(simd: S, words: &[u64], rows: usize, corners: bool) -> i64 {
    let mut total = simd.splat(0);
    for at in (0..rows).step_by(S::LANES) {
        let Touching { starts, contacts, .. } =
            Touching::of(simd, simd.load(words, at), simd.load(words, at + 1), corners);
        total = simd.add(total, simd.sub(simd.count_ones(starts), simd.count_ones(contacts)));
    }
    let mut sums = [0; SLACK];
    simd.store(simd.broadcast_last(simd.prefix_sum(total)), &mut sums, 0);
    sums[0] as i64
}

#[inline(always)]
fn for_each_one(mut bits: u64, mut visit: impl FnMut(u32)) {
    while bits != 0 {
        visit(bits.trailing_zeros());
        bits &= bits - 1;
    }
}

/// For the first four runs of each word, the pixels of the run and all later runs, 16 bits each; and the word
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

fn ones(word: u64) -> i64 {
    word.count_ones().into()
}

pub(super) fn run_count(word: u64) -> usize {
    (word & !(word << 1)).count_ones() as usize
}

#[inline(always)]
fn quarters(word: u64) -> [u32; 4] {
    [word, word >> 16, word >> 32, word >> 48].map(|quarter| quarter as u16 as u32)
}
