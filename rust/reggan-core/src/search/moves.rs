//! The proposals of a search: edits of a mask where something stands in the way of a rule.

use super::terms::{State, Term, Tools, Wide, mirrored_word};
use crate::Error;
use crate::components::{BitRows, Connectivity};
use crate::memory::TryGrow;
use crate::morphology::{Disc, Layer, Opening};
use crate::parallel::Watch;
use crate::rng::Stream;

/// What edits read, and the mask that they change, which starts as the current mask.
pub(super) struct Edit<'a, 'w> {
    pub(super) terms: &'a [Term],
    /// The discs to stamp, by diameter from 1.
    pub(super) discs: &'a [Disc],
    /// The same and larger ones.
    pub(super) rims: &'a [Disc],
    /// A brush of the width that the rules need.
    pub(super) brush: &'a Disc,
    pub(super) original: &'a BitRows,
    pub(super) current: &'a State,
    pub(super) bits: &'a mut BitRows,
    pub(super) stream: &'a mut Stream,
    pub(super) tools: &'a mut Tools,
    pub(super) watch: &'a mut Watch<'w>,
}

pub(super) type Place = (usize, usize);

impl<'a> Edit<'a, '_> {
    /// Makes one proposal. `unknown` is whether a rule that is not among the terms is broken.
    pub(super) fn propose(&mut self, unknown: bool) -> Result<(), Error> {
        let violated = self.current.violations.iter().filter(|&&violation| violation > 0).count();
        let broken = violated + usize::from(unknown);
        if self.current.changed > 0 && (broken == 0 || self.chance(5)) {
            if broken > 0 || !self.chance(4) {
                return self.revert();
            }
            return self.stamp();
        }
        if broken == 0 || self.chance(8) {
            return self.stamp();
        }
        let chosen = self.below(broken);
        let terms = self.terms.iter().zip(&self.current.violations).filter(|(_, violation)| **violation > 0);
        match terms.map(|(term, _)| term).nth(chosen) {
            Some(Term::Connected(connectivity)) => self.connect(*connectivity, false),
            Some(Term::Torus { connectivity, winds }) => {
                if *winds && self.chance(3) {
                    return self.wind(*connectivity);
                }
                self.connect(*connectivity, true)
            }
            Some(Term::Ink { least, .. }) => self.recolor(self.current.bits.area() < *least),
            Some(Term::Pieces(counted)) => self.count_pieces(*counted),
            Some(Term::Holes(counted)) => self.count_holes(*counted),
            Some(Term::Path(_, connectivity)) => self.lengthen(*connectivity),
            Some(Term::Solid(connectivity)) => self.close_hole(*connectivity),
            Some(Term::Symmetric(_)) => self.mirror(),
            Some(Term::Wide(wide)) => self.widen(wide),
            None => self.guess(),
        }
    }

    /// Any edit, for a rule of which nothing is known.
    fn guess(&mut self) -> Result<(), Error> {
        match self.below(16) {
            0..6 => self.stamp(),
            6 => {
                self.shift();
                Ok(())
            }
            7..10 => self.connect(Connectivity::Four, false),
            10..12 => self.close_hole(Connectivity::Four),
            12..14 => self.mirror(),
            14 => {
                let ink = self.chance(2);
                self.recolor(ink)
            }
            _ => {
                let disc = self.below(self.discs.len().min(5));
                let layer = if self.chance(2) { Layer::Foreground } else { Layer::Background };
                self.open(layer, disc)
            }
        }
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.stream.word()) * end as u64) >> 32) as usize
    }

    pub(super) fn chance(&mut self, in_: usize) -> bool {
        self.below(in_) == 0
    }

    pub(super) fn size(&self) -> Place {
        (self.bits.height(), self.bits.width())
    }

    /// Sets the disc whose square has this top left corner.
    pub(super) fn paint(&mut self, disc: &Disc, (top, left): (isize, isize), ink: bool) {
        for_each_run_of(disc, (top, left), self.size(), |y, start, end| {
            self.bits.update(y, start..end, |word, mask| if ink { word | mask } else { word & !mask });
        });
    }

    /// Takes the pixels of the disc from other rows.
    fn copy_disc(&mut self, disc: &Disc, (top, left): (isize, isize), source: &BitRows) {
        for_each_run_of(disc, (top, left), self.size(), |y, start, end| {
            for x in start..end {
                self.bits.put(y, x, source.get(y, x));
            }
        });
    }

    /// The corner of a disc centered at a place.
    pub(super) fn corner(&mut self, disc: &Disc, (y, x): Place) -> (isize, isize) {
        let half = (disc.diameter() / 2) as isize;
        (y as isize - half, x as isize - half)
    }

    /// Undoes the changes in a disc around a changed pixel.
    fn revert(&mut self) -> Result<(), Error> {
        let rank = self.below(self.current.changed as usize) as u64;
        self.tools.inverse.copy_from(self.original)?;
        self.tools.inverse.combine(&self.current.bits, |a, b| a ^ b);
        if let Some(place) = self.tools.inverse.nth(rank) {
            let discs = self.discs;
            let disc = &discs[self.below(discs.len())];
            let corner = self.corner(disc, place);
            self.copy_disc(disc, corner, self.original);
        }
        Ok(())
    }

    /// Sets a disc at a border of the ink to ink or paper.
    pub(super) fn stamp(&mut self) -> Result<(), Error> {
        let discs = self.discs;
        let disc = &discs[self.below(discs.len())];
        let place = self.border();
        let corner = self.corner(disc, place);
        let ink = self.chance(2);
        self.paint(disc, corner, ink);
        Ok(())
    }

    /// A random pixel that differs from a neighbor, if one is soon found.
    pub(super) fn border(&mut self) -> Place {
        let (height, width) = self.size();
        let mut place = (0, 0);
        for _ in 0..24 {
            place = (self.below(height), self.below(width));
            let (y, x) = place;
            let ink = self.bits.get(y, x);
            if (x > 0 && self.bits.get(y, x - 1) != ink) || (y > 0 && self.bits.get(y - 1, x) != ink) {
                break;
            }
        }
        place
    }

    /// More or less ink.
    fn recolor(&mut self, ink: bool) -> Result<(), Error> {
        if !self.chance(4) {
            let discs = self.discs;
            let disc = &discs[self.below(discs.len())];
            let place = self.border();
            let corner = self.corner(disc, place);
            self.paint(disc, corner, ink);
            return Ok(());
        }
        // A layer of one pixel all around.
        let (height, width) = self.size();
        for y in 0..height {
            for x in 0..width {
                let near = |y: usize, x: usize| y < height && x < width && self.current.bits.get(y, x) == ink;
                if near(y.wrapping_sub(1), x)
                    || near(y + 1, x)
                    || near(y, x.wrapping_sub(1))
                    || near(y, x + 1)
                {
                    self.bits.put(y, x, ink);
                }
            }
        }
        Ok(())
    }

    /// Moves the whole image by up to two pixels; what comes in is paper.
    fn shift(&mut self) {
        let (height, width) = self.size();
        let (dy, dx) = (self.below(5), self.below(5));
        for y in 0..height {
            for x in 0..width {
                let source = (y + dy).checked_sub(2).zip((x + dx).checked_sub(2));
                let ink = source.is_some_and(|(y, x)| y < height && x < width && self.current.bits.get(y, x));
                self.bits.put(y, x, ink);
            }
        }
    }

    /// Removes what is narrow in a layer, everywhere.
    fn open(&mut self, layer: Layer, disc: usize) -> Result<(), Error> {
        let disc = &self.discs[disc];
        let narrow = &mut self.tools.inverse;
        narrow.copy_from(&self.current.bits)?;
        narrow.clear();
        self.tools.opener.add_narrow(
            &self.current.bits,
            Opening { layer, disc, periodic: false },
            narrow,
            self.watch,
        )?;
        self.bits.combine(narrow, |word, narrow| word ^ narrow);
        Ok(())
    }

    /// Widens or removes a narrow part.
    fn widen(&mut self, wide: &Wide) -> Result<(), Error> {
        let ink = wide.layer == Layer::Foreground;
        let of_layer = &mut self.tools.inverse;
        of_layer.copy_from(&self.current.narrow)?;
        of_layer.combine(&self.current.bits, |narrow, bits| narrow & if ink { bits } else { !bits });
        let count = of_layer.area();
        if count == 0 {
            return self.stamp();
        }
        let rank = self.below(count as usize) as u64;
        let Some(place) = self.tools.inverse.nth(rank) else { return Ok(()) };
        match self.below(16) {
            0..6 => self.remove_cluster(place, ink),
            6..13 => {
                self.fit(&wide.disc, place, ink);
                Ok(())
            }
            13..15 => {
                let discs = self.discs;
                let disc = &discs[self.below(discs.len())];
                let corner = self.corner(disc, place);
                let ink = self.chance(2);
                self.paint(disc, corner, ink);
                Ok(())
            }
            _ => {
                self.bits.combine(&self.tools.inverse, |word, narrow| word ^ narrow);
                Ok(())
            }
        }
    }

    /// Flips the narrow pixels that are connected to a place; they are in `inverse`.
    fn remove_cluster(&mut self, place: Place, ink: bool) -> Result<(), Error> {
        let (height, width) = self.size();
        let Tools { inverse, stack, .. } = self.tools;
        stack.clear();
        stack.try_push(place)?;
        inverse.put(place.0, place.1, false);
        while let Some((y, x)) = stack.pop() {
            self.bits.put(y, x, !ink);
            for row in y.saturating_sub(1)..(y + 2).min(height) {
                for column in x.saturating_sub(1)..(x + 2).min(width) {
                    if inverse.get(row, column) {
                        inverse.put(row, column, false);
                        stack.try_push((row, column))?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Paints the disc over a place where few pixels change: the best of a few positions.
    fn fit(&mut self, disc: &Disc, (y, x): Place, ink: bool) {
        let mut best = (u32::MAX, (0, 0));
        for _ in 0..1 << self.below(7) {
            let row = self.below(disc.diameter());
            let (start, end) = disc.runs().nth(row).unwrap_or((0, 1));
            let column = start + self.below(end - start);
            let corner = (y as isize - row as isize, x as isize - column as isize);
            let mut flips = 0;
            for_each_run_of(disc, corner, self.size(), |y, start, end| {
                for x in start..end {
                    flips += u32::from(self.bits.get(y, x) != ink);
                }
            });
            if flips < best.0 {
                best = (flips, corner);
            }
        }
        self.paint(disc, best.1, ink);
    }

    /// Paints a line with a brush of the needed width, or about that.
    pub(super) fn stroke(&mut self, from: Place, to: Place, ink: bool) {
        let (disc, shift) = self.brush_and_jitter();
        let place = |(y, x): Place| (y as isize, x as isize);
        self.line(disc, shift, place(from), place(to), ink);
    }

    pub(super) fn brush_and_jitter(&mut self) -> (&'a Disc, (isize, isize)) {
        let discs = self.discs;
        let disc = if self.chance(3) { &discs[self.below(discs.len())] } else { self.brush };
        let jitter = |stream: &mut Stream| stream.integer((0, 2)) as isize - 1;
        (disc, if self.chance(2) { (0, 0) } else { (jitter(self.stream), jitter(self.stream)) })
    }

    pub(super) fn line(
        &mut self,
        disc: &Disc,
        (dy, dx): (isize, isize),
        from: (isize, isize),
        to: (isize, isize),
        ink: bool,
    ) {
        let steps = (from.0 - to.0).abs().max((from.1 - to.1).abs()).max(1);
        let at = |from: isize, to: isize, step: isize| {
            (from * steps + (to - from) * step + steps / 2).div_euclid(steps)
        };
        let half = (disc.diameter() / 2) as isize;
        for step in 0..=steps {
            self.paint(disc, (at(from.0, to.0, step) - half + dy, at(from.1, to.1, step) - half + dx), ink);
        }
    }

    /// Takes a part of the image from its mirror image, or joins or intersects both there.
    fn mirror(&mut self) -> Result<(), Error> {
        let (_, width) = self.size();
        let mirrored = &mut self.tools.inverse;
        mirrored.copy_from(&self.current.bits)?;
        for (y, row) in self.current.bits.rows().enumerate() {
            for (position, word) in mirrored.row_mut(y).iter_mut().enumerate() {
                *word = mirrored_word(row, position, width);
            }
        }
        let differing = self.current.bits.count_different(mirrored);
        if differing == 0 {
            return self.stamp();
        }
        let rank = self.below(differing as usize) as u64;
        let mirrored = &mut self.tools.inverse;
        mirrored.combine(&self.current.bits, |a, b| a ^ b);
        let Some((y, x)) = mirrored.nth(rank) else { return Ok(()) };
        let discs = self.discs;
        let disc = &discs[self.below(discs.len())];
        // The part that differs, on one side or both.
        let sides = self.below(4);
        for (side, column) in [x, width - 1 - x].into_iter().enumerate() {
            if side == sides {
                continue;
            }
            let corner = self.corner(disc, (y, column));
            for_each_run_of(disc, corner, (self.bits.height(), width), |y, start, end| {
                for x in start..end {
                    let (left, right) =
                        (self.current.bits.get(y, x), self.current.bits.get(y, width - 1 - x));
                    let value = match sides {
                        2 => left && right,
                        3 => left || right,
                        _ => right,
                    };
                    self.bits.put(y, x, value);
                }
            });
        }
        Ok(())
    }
}

/// Calls `visit(y, start, end)` for the rows of a disc that lie in the image.
fn for_each_run_of(
    disc: &Disc,
    (top, left): (isize, isize),
    (height, width): Place,
    mut visit: impl FnMut(usize, usize, usize),
) {
    for (y, (start, end)) in (top..).zip(disc.runs()) {
        let inside = |column: usize| (left + column as isize).clamp(0, width as isize) as usize;
        let (start, end) = (inside(start), inside(end));
        if (0..height as isize).contains(&y) && start < end {
            visit(y as usize, start, end);
        }
    }
}
