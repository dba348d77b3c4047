//! The search for one image: it proposes masks and takes their scores.

use std::ops::Range;

use super::moves::Edit;
use super::terms::{State, Term, Tools, measure};
use crate::Error;
use crate::components::{BitRows, Connectivity};
use crate::memory::{TryGrow, try_collect};
use crate::morphology::{Disc, Layer, Opening};
use crate::parallel::Watch;
use crate::rng::Stream;

/// A pixel that violates a rule weighs this many changed pixels, and twice that after each round without success. After
/// a round at the maximum, the search starts again.
const WEIGHT: f64 = 1.2;
const MAX_WEIGHT: f64 = 8.0 * WEIGHT;

/// A pair of neighbors of which one is ink costs as much as this many changed pixels, so that changes have no ragged
/// borders.
const EDGE: f64 = 0.125;

/// The mean rise of the energy that a proposal may cost at the start of a round; it falls to 0 with the square of what
/// is left of the round.
const HEAT: f64 = 8.0;

/// By which part of its distance from 1 the score of unknown rules may fall, for a rise of the energy of 1.
const SLIP: f64 = 0.02;

/// The largest disc that proposals stamp.
const MAX_STAMP: usize = 32;

/// Proposals of a round: some for any image, and some for each violating pixel.
const ROUND: (u32, u32) = (150, 6);

/// What all searches of a call share.
pub(super) struct Plan {
    pub(super) terms: Vec<Term>,
    /// Discs by diameter, from 1.
    discs: Vec<Disc>,
    /// The first of them, which proposals stamp.
    stamps: usize,
    /// The disc of the largest width that a rule needs.
    widest: Option<Disc>,
    /// Of the ink that must be one piece.
    connectivity: Option<Connectivity>,
    /// Whether opposite sides of the image meet, so that proposals are made in frames with their corner anywhere.
    periodic: bool,
    /// Most proposals for an image.
    budget: u32,
}

impl Plan {
    pub(super) fn new(terms: &[Term], budget: u32) -> Result<Self, Error> {
        let terms = try_collect(terms.iter().cloned())?;
        let widths = terms.iter().filter_map(|term| match term {
            Term::Wide(wide) => Some(wide.disc.diameter()),
            _ => None,
        });
        let widest = widths.max();
        let mut discs = Vec::new();
        let least_area = terms.iter().filter_map(|term| match term {
            Term::Pieces(counted) | Term::Holes(counted) => Some(counted.least_area),
            _ => None,
        });
        let least_side = least_area.max().map_or(0, |area| (area as f64).sqrt() as usize + 3);
        let stamps = (widest.unwrap_or(3).max(3).max(least_side) + 2).min(MAX_STAMP);
        // Holes of that area have rims of ink.
        let rims = if least_side == 0 { 0 } else { least_side + 2 * widest.unwrap_or(1) + 2 };
        for diameter in 1..=stamps.max(rims.min(MAX_STAMP)) {
            discs.try_push(Disc::new(diameter)?)?;
        }
        let connectivity = terms.iter().find_map(|term| match term {
            Term::Connected(connectivity) | Term::Torus { connectivity, .. } => Some(*connectivity),
            _ => None,
        });
        let widest = widest.map(Disc::new).transpose()?;
        let periodic = terms.iter().any(Term::is_periodic);
        Ok(Self { terms, discs, stamps, widest, connectivity, periodic, budget })
    }
}

enum Phase {
    /// Judges the sample.
    Sample,
    /// Judges what the chain makes of it.
    Chain,
    Climb,
    /// Takes back changes of the best mask.
    Undo,
    Done,
}

/// A part of the image: rows and columns.
#[derive(Clone)]
struct Window {
    rows: Range<usize>,
    columns: Range<usize>,
}

/// The search for one image.
pub(super) struct Search {
    original: BitRows,
    current: State,
    candidate: State,
    /// The original and the current mask, moved around the torus.
    frame: (BitRows, State),
    /// The best mask that obeys, or the best one.
    best: BitRows,
    /// Whether the best mask obeys, its score, and complements of its violations and its cost.
    best_rank: Option<(bool, f32, u64, f64)>,
    /// The score of unknown rules.
    score: f32,
    stream: Stream,
    phase: Phase,
    /// Proposals so far.
    spent: u32,
    /// Where to undo changes: the windows that are left, and the one of the candidate.
    windows: Vec<Window>,
    window: Option<Window>,
    /// The energy and the score that the candidate may have.
    limit: f64,
    least_score: f32,
    /// Of a violating pixel.
    weight: f64,
    /// The length of a round, and the proposal with which it ends.
    round: u32,
    round_end: u32,
}

impl Search {
    pub(super) fn new(original: BitRows, plan: &Plan, seed: u64, digest: u64) -> Result<Self, Error> {
        let mut search = Self {
            original,
            current: State::default(),
            candidate: State::default(),
            frame: Default::default(),
            best: BitRows::default(),
            best_rank: None,
            score: 0.0,
            stream: Stream::new(seed, digest, 0),
            phase: Phase::Sample,
            spent: 0,
            windows: Vec::new(),
            window: None,
            limit: f64::INFINITY,
            least_score: 0.0,
            weight: WEIGHT,
            round_end: 0,
            round: 0,
        };
        for state in [&mut search.current, &mut search.candidate] {
            state.bits.copy_from(&search.original)?;
            state.prepare(plan.terms.len())?;
        }
        search.best.copy_from(&search.original)?;
        Ok(search)
    }

    /// The mask to judge, after `propose`.
    pub(super) fn candidate(&self) -> &BitRows {
        &self.candidate.bits
    }

    /// The result.
    pub(super) fn best(&self) -> &BitRows {
        &self.best
    }

    fn energy(&self, state: &State) -> f64 {
        self.weight * state.total() as f64 + state.cost
    }

    /// Prepares the next candidate that the terms allow. Returns whether there is one.
    pub(super) fn propose(
        &mut self,
        plan: &Plan,
        tools: &mut Tools,
        watch: &mut Watch<'_>,
    ) -> Result<bool, Error> {
        loop {
            match self.phase {
                Phase::Done => return Ok(false),
                Phase::Sample => self.candidate.bits.copy_from(&self.original)?,
                Phase::Chain => self.chain(plan, tools, watch)?,
                Phase::Climb => {
                    if self.spent >= self.round_end.min(plan.budget) {
                        self.end_round(plan)?;
                        continue;
                    }
                    self.edit(plan, tools, watch)?;
                }
                Phase::Undo => {
                    if !self.next_window()? {
                        self.phase = Phase::Done;
                        continue;
                    }
                }
            }
            self.spent += 1;
            watch.worked(self.original.width() * self.original.height())?;
            self.candidate.changed = self.candidate.bits.count_different(&self.original);
            self.candidate.cost = self.candidate.changed as f64 + EDGE * self.candidate.bits.edges() as f64;
            if let Some(most) = self.most_violations()
                && measure(&plan.terms, &mut self.candidate, most, tools, watch)?
            {
                return Ok(true);
            }
            if matches!(self.phase, Phase::Undo) {
                self.split_window()?;
            }
        }
    }

    /// Edits the current mask into the candidate, and draws what it may cost.
    fn edit(&mut self, plan: &Plan, tools: &mut Tools, watch: &mut Watch<'_>) -> Result<(), Error> {
        let left = f64::from(self.round_end - self.spent) / f64::from(self.round);
        let rise = -(1.0 - self.stream.uniform01()).ln() * HEAT * left * left;
        self.limit = self.energy(&self.current) + rise;
        self.least_score = self.score - (1.0 - self.score) * (SLIP * rise) as f32;
        let (height, width) = (self.original.height(), self.original.width());
        let (mut down, mut right) = (0, 0);
        let (mut original, mut current) = (&self.original, &self.current);
        if plan.periodic {
            down = self.stream.integer((0, height as u32 - 1)) as usize;
            right = self.stream.integer((0, width as u32 - 1)) as usize;
            let (moved, frame) = &mut self.frame;
            moved.roll_from(original, down, right)?;
            frame.bits.roll_from(&current.bits, down, right)?;
            frame.narrow.roll_from(&current.narrow, down, right)?;
            frame.violations.clear();
            current.violations.iter().try_for_each(|&violation| frame.violations.try_push(violation))?;
            frame.changed = current.changed;
            (original, current) = (moved, frame);
        }
        self.candidate.bits.copy_from(&current.bits)?;
        let mut edit = Edit {
            terms: &plan.terms,
            discs: &plan.discs[..plan.stamps],
            rims: &plan.discs,
            brush: plan.widest.as_ref().unwrap_or(&plan.discs[2]),
            original,
            current,
            bits: &mut self.candidate.bits,
            stream: &mut self.stream,
            tools,
            watch,
        };
        edit.propose(self.score < 1.0)?;
        if plan.periodic {
            let (_, frame) = &mut self.frame;
            frame.bits.copy_from(&self.candidate.bits)?;
            self.candidate.bits.roll_from(&frame.bits, height - down, width - right)?;
        }
        Ok(())
    }

    /// The most violating pixels with which the candidate can be accepted; none if it changes too many pixels. A
    /// better score of unknown rules may cost any number of changed pixels.
    fn most_violations(&self) -> Option<u64> {
        match self.phase {
            Phase::Undo => {
                return self.best_rank.is_some_and(|(.., cost)| self.candidate.cost < -cost).then_some(0);
            }
            Phase::Climb => {}
            _ => return Some(u64::MAX),
        }
        let cost = if self.score < 1.0 { self.current.cost } else { self.candidate.cost };
        let left = (self.limit - cost) / self.weight;
        (left >= 0.0).then_some(left as u64)
    }

    /// Takes the score, of rules that are not among the terms, of the candidate.
    pub(super) fn judge(&mut self, score: f32) -> Result<(), Error> {
        let obeys = score >= 1.0 && self.candidate.total() == 0;
        match self.phase {
            Phase::Done => {}
            Phase::Sample => {
                self.note_best(obeys, score)?;
                self.accept(score);
                self.phase = if obeys { Phase::Done } else { Phase::Chain };
            }
            Phase::Chain => {
                self.note_best(obeys, score)?;
                if (score, -self.energy(&self.candidate)) > (self.score, -self.energy(&self.current)) {
                    self.accept(score);
                }
                let violating = u32::try_from(self.current.total()).unwrap_or(u32::MAX);
                self.round = ROUND.0.saturating_add(ROUND.1.saturating_mul(violating));
                self.round_end = self.spent.saturating_add(self.round);
                self.phase = Phase::Climb;
            }
            Phase::Climb => {
                self.note_best(obeys, score)?;
                if score > self.score
                    || score >= self.least_score && self.energy(&self.candidate) <= self.limit
                {
                    self.accept(score);
                }
            }
            Phase::Undo => {
                if obeys {
                    self.note_best(obeys, score)?;
                } else {
                    self.split_window()?;
                }
            }
        }
        Ok(())
    }

    fn accept(&mut self, score: f32) {
        std::mem::swap(&mut self.current, &mut self.candidate);
        self.score = score;
    }

    /// Remembers the candidate if it is the best one: obeying with fewer changes, or nearer to obeying.
    fn note_best(&mut self, obeys: bool, score: f32) -> Result<(), Error> {
        let State { bits, cost, .. } = &self.candidate;
        let rank = (obeys, score, u64::MAX - self.candidate.total(), -cost);
        if self.best_rank.is_none_or(|best| rank > best) {
            self.best_rank = Some(rank);
            self.best.copy_from(bits)?;
        }
        Ok(())
    }

    fn end_round(&mut self, plan: &Plan) -> Result<(), Error> {
        if self.best_rank.is_some_and(|(obeys, ..)| obeys) {
            self.start_undo()
        } else if self.spent >= plan.budget {
            self.phase = Phase::Done;
            Ok(())
        } else if self.weight >= MAX_WEIGHT {
            // A fresh start is better than more of the same.
            self.weight = WEIGHT;
            self.phase = Phase::Sample;
            Ok(())
        } else {
            self.round_end = self.spent.saturating_add(self.round);
            self.weight *= 2.0;
            Ok(())
        }
    }

    fn chain(&mut self, plan: &Plan, tools: &mut Tools, watch: &mut Watch<'_>) -> Result<(), Error> {
        let bits = &mut self.candidate.bits;
        bits.copy_from(&self.original)?;
        if let Some(connectivity) = plan.connectivity {
            tools.components.find(bits, connectivity, watch)?;
            if plan.periodic {
                tools.components.join_around(bits, connectivity, watch)?;
            }
            let pieces = tools.components.number(watch)?;
            let largest =
                (1..).zip(pieces.areas).max_by_key(|(_, area)| **area).map_or(0, |(number, _)| number);
            bits.clear();
            for (y, runs) in pieces.rows().enumerate() {
                for (run, _) in runs.filter(|(_, number)| *number == largest) {
                    bits.set(y, run.columns());
                }
            }
        }
        if let Some(disc) = &plan.widest {
            for layer in [Layer::Foreground, Layer::Background] {
                tools.inverse.copy_from(bits)?;
                tools.inverse.clear();
                let opening = Opening { layer, disc, periodic: plan.periodic };
                tools.opener.add_narrow(bits, opening, &mut tools.inverse, watch)?;
                bits.combine(&tools.inverse, |word, narrow| word ^ narrow);
            }
        }
        Ok(())
    }

    /// Starts with the whole image.
    fn start_undo(&mut self) -> Result<(), Error> {
        self.phase = Phase::Undo;
        self.windows.try_push(Window { rows: 0..self.original.height(), columns: 0..self.original.width() })
    }

    /// Takes back the changes in the next window that has any.
    fn next_window(&mut self) -> Result<bool, Error> {
        while let Some(window) = self.windows.pop() {
            let mut tight: Option<Window> = None;
            for y in window.rows {
                for x in window.columns.clone() {
                    if self.best.get(y, x) != self.original.get(y, x) {
                        let tight = tight.get_or_insert(Window { rows: y..y + 1, columns: x..x + 1 });
                        tight.rows = tight.rows.start.min(y)..tight.rows.end.max(y + 1);
                        tight.columns = tight.columns.start.min(x)..tight.columns.end.max(x + 1);
                    }
                }
            }
            let Some(tight) = tight else { continue };
            self.candidate.bits.copy_from(&self.best)?;
            for y in tight.rows.clone() {
                for x in tight.columns.clone() {
                    self.candidate.bits.put(y, x, self.original.get(y, x));
                }
            }
            self.window = Some(tight);
            return Ok(true);
        }
        Ok(false)
    }

    /// Tries the halves of a window next.
    fn split_window(&mut self) -> Result<(), Error> {
        let Some(Window { rows, columns }) = self.window.take() else { return Ok(()) };
        if rows.len().max(columns.len()) < 2 {
            return Ok(());
        }
        let middle = |range: &Range<usize>| (range.start + range.end) / 2;
        if rows.len() >= columns.len() {
            let y = middle(&rows);
            self.windows.try_push(Window { rows: rows.start..y, columns: columns.clone() })?;
            self.windows.try_push(Window { rows: y..rows.end, columns })
        } else {
            let x = middle(&columns);
            self.windows.try_push(Window { rows: rows.clone(), columns: columns.start..x })?;
            self.windows.try_push(Window { rows, columns: x..columns.end })
        }
    }
}
