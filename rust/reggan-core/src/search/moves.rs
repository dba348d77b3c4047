//! The proposals of a search: edits of a mask where something stands in the way of a rule.

use super::terms::{Counted, State, Term, Tools, Wide, find_holes, mirrored_word};
use crate::Error;
use crate::components::{BitRows, Connectivity, Run};
use crate::memory::{TryGrow, try_filled};
use crate::morphology::{Disc, Layer, Opening};
use crate::parallel::Watch;
use crate::rng::Stream;

/// A run of the piece `number` in row `y`.
#[derive(Clone, Copy)]
struct PieceRun {
    y: usize,
    run: Run,
    number: u32,
}

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

type Place = (usize, usize);

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

    fn below(&mut self, end: usize) -> usize {
        ((u64::from(self.stream.word()) * end as u64) >> 32) as usize
    }

    fn chance(&mut self, in_: usize) -> bool {
        self.below(in_) == 0
    }

    fn size(&self) -> Place {
        (self.bits.height(), self.bits.width())
    }

    /// Sets the disc whose square has this top left corner.
    fn paint(&mut self, disc: &Disc, (top, left): (isize, isize), ink: bool) {
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
    fn corner(&mut self, disc: &Disc, (y, x): Place) -> (isize, isize) {
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
    fn stamp(&mut self) -> Result<(), Error> {
        let discs = self.discs;
        let disc = &discs[self.below(discs.len())];
        let place = self.border();
        let corner = self.corner(disc, place);
        let ink = self.chance(2);
        self.paint(disc, corner, ink);
        Ok(())
    }

    /// A random pixel that differs from a neighbor, if one is soon found.
    fn border(&mut self) -> Place {
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

    /// Lists the runs of the components in the tools, and returns the number of the largest.
    fn list_pieces(&mut self) -> Result<(Vec<PieceRun>, u32, usize), Error> {
        let components = self.tools.components.number(self.watch)?;
        let mut pieces = Vec::new();
        for (y, runs) in components.rows().enumerate() {
            for (run, number) in runs {
                pieces.try_push(PieceRun { y, run, number })?;
            }
        }
        let largest =
            (1..).zip(components.areas).max_by_key(|(_, area)| **area).map_or(0, |(number, _)| number);
        Ok((pieces, largest, components.areas.len()))
    }

    /// Erases a small piece, joins it to another or slides it there. Opposite sides of the image may meet.
    fn connect(&mut self, connectivity: Connectivity, around: bool) -> Result<(), Error> {
        self.tools.components.find(&self.current.bits, connectivity, self.watch)?;
        if around {
            self.tools.components.join_around(&self.current.bits, connectivity, self.watch)?;
        }
        let (pieces, largest, count) = self.list_pieces()?;
        if count < 2 {
            return self.stamp();
        }
        // Any piece but the largest.
        let chosen = 1 + self.below(count - 1) as u32;
        let chosen = if chosen >= largest { chosen + 1 } else { chosen };
        let way = self.below(16);
        if way < 4 {
            self.fill(&pieces, chosen, false);
            return Ok(());
        }
        let Some((from, to)) = self.nearest(&pieces, |number| number == chosen, |number| number != chosen)
        else {
            return Ok(());
        };
        if way < 15 {
            self.stroke(from, to, true);
            return Ok(());
        }
        self.fill(&pieces, chosen, false);
        let (height, width) = self.size();
        let toward = |from: usize, to: usize| to as isize - from as isize;
        let (dy, dx) = (toward(from.0, to.0), toward(from.1, to.1));
        for piece in pieces.iter().filter(|piece| piece.number == chosen) {
            let Some(y) = piece.y.checked_add_signed(dy).filter(|&y| y < height) else { continue };
            let moved = |column: u16| (isize::from(column as i16) + dx).clamp(0, width as isize) as usize;
            self.bits.set(y, moved(piece.run.start)..moved(piece.run.end));
        }
        Ok(())
    }

    /// Joins, erases, enlarges or makes pieces.
    fn count_pieces(&mut self, counted: Counted) -> Result<(), Error> {
        self.tools.components.find(&self.current.bits, counted.connectivity, self.watch)?;
        let (pieces, _, count) = self.list_pieces()?;
        if count as u64 > counted.most && !self.chance(8) {
            return self.connect(counted.connectivity, false);
        }
        if (count as u64) < counted.fewest {
            return if self.chance(2) { self.cut() } else { self.dot(counted.least_area, true) };
        }
        let mut areas = try_filled(count, 0)?;
        for piece in &pieces {
            areas[piece.number as usize - 1] += u32::from(piece.run.end - piece.run.start);
        }
        self.enlarge(&pieces, &areas, counted.least_area, true)
    }

    /// Fills, opens, enlarges or makes holes.
    fn count_holes(&mut self, counted: Counted) -> Result<(), Error> {
        let areas = find_holes(&self.current.bits, counted.connectivity, self.tools, self.watch)?;
        let count = areas.iter().filter(|&&area| area > 0).count() as u64;
        if count > counted.most && !self.chance(8) {
            return self.close_hole(counted.connectivity);
        }
        if count < counted.fewest {
            return self.dot(counted.least_area, false);
        }
        if self.chance(4) {
            return self.close_hole(counted.connectivity);
        }
        self.tools.components.find(&self.tools.inverse, counted.connectivity.dual(), self.watch)?;
        let (pieces, ..) = self.list_pieces()?;
        self.enlarge(&pieces, &areas, counted.least_area, false)
    }

    /// A disc of ink in paper; or one of paper in ink, with ink around it where there is none.
    fn dot(&mut self, least_area: u64, ink: bool) -> Result<(), Error> {
        let rims = self.rims;
        let disc = |diameter: usize| &rims[diameter.clamp(1, rims.len()) - 1];
        // The square of the diameter is 4 / pi times the area.
        let inner = (least_area as f64 * 1.28).sqrt().ceil() as usize + self.below(2);
        let (height, width) = self.size();
        let place =
            if ink || self.chance(2) { (self.below(height), self.below(width)) } else { self.border() };
        if !ink && !self.chance(3) {
            let rim = disc(inner + 2 * self.brush_width() + self.below(3));
            let corner = self.corner(rim, place);
            self.paint(rim, corner, true);
        }
        let corner = self.corner(disc(inner), place);
        self.paint(disc(inner), corner, ink);
        Ok(())
    }

    /// The width that ink must have.
    fn brush_width(&self) -> usize {
        let is_wide = self.terms.iter().any(|term| matches!(term, Term::Wide(_)));
        if is_wide { self.brush.diameter() } else { 1 }
    }

    /// A line of paper from one place at a border of the ink to another one.
    fn cut(&mut self) -> Result<(), Error> {
        let (from, to) = (self.border(), self.border());
        self.stroke(from, to, false);
        Ok(())
    }

    /// Paints a disc at a pixel of a piece of fewer pixels than needed, or erases the piece. Areas of 0 do not count.
    fn enlarge(
        &mut self,
        pieces: &[PieceRun],
        areas: &[u32],
        least_area: u64,
        ink: bool,
    ) -> Result<(), Error> {
        let is_small = |area: u32| area > 0 && u64::from(area) < least_area;
        let small = areas.iter().filter(|&&area| is_small(area)).count();
        if small == 0 {
            return self.stamp();
        }
        let chosen = self.below(small);
        let Some((chosen, _)) = (1..).zip(areas).filter(|(_, area)| is_small(**area)).nth(chosen) else {
            return Ok(());
        };
        if self.chance(4) {
            self.fill(pieces, chosen, !ink);
            return Ok(());
        }
        let mut runs = pieces.iter().filter(|piece| piece.number == chosen);
        let count = runs.clone().count();
        if let Some(piece) = runs.nth(self.below(count)) {
            let discs = self.discs;
            let disc = &discs[self.below(discs.len())];
            let place = (piece.y, piece.run.columns().start + self.below(piece.run.columns().len()));
            let corner = self.corner(disc, place);
            self.paint(disc, corner, ink);
        }
        Ok(())
    }

    /// Changes where a path may go: joins pieces, cuts, or flips what is at a border.
    fn lengthen(&mut self, connectivity: Connectivity) -> Result<(), Error> {
        match self.below(8) {
            0..2 => self.connect(connectivity, false),
            2 => self.cut(),
            _ => self.stamp(),
        }
    }

    /// Joins the ends of a piece across opposite sides of the image, so that it winds around the torus.
    fn wind(&mut self, connectivity: Connectivity) -> Result<(), Error> {
        self.tools.components.find(&self.current.bits, connectivity, self.watch)?;
        let (pieces, largest, count) = self.list_pieces()?;
        if count == 0 {
            return self.stamp();
        }
        let chosen = if self.chance(3) { 1 + self.below(count) as u32 } else { largest };
        let mut runs = pieces.iter().filter(|piece| piece.number == chosen);
        let place = |y: usize, x: usize| (y as isize, x as isize);
        let (height, width) = place(self.bits.height(), self.bits.width());
        let ends = if self.chance(2) {
            let left = runs.clone().min_by_key(|piece| piece.run.start);
            let right = runs.max_by_key(|piece| piece.run.end);
            left.zip(right).map(|(left, right)| {
                let (start, end) =
                    (place(left.y, left.run.start.into()), place(right.y, right.run.columns().end - 1));
                (start, end, (0, width))
            })
        } else {
            let middle = |piece: &PieceRun| (piece.run.columns().start + piece.run.columns().end) / 2;
            let (top, bottom) = (runs.clone().next(), runs.next_back());
            top.zip(bottom).map(|(top, bottom)| {
                (place(top.y, middle(top)), place(bottom.y, middle(bottom)), (height, 0))
            })
        };
        let Some((start, end, (down, right))) = ends else { return Ok(()) };
        // The halves of the line on both sides of the border.
        let (disc, shift) = self.brush_and_jitter();
        self.line(disc, shift, end, (start.0 + down, start.1 + right), true);
        self.line(disc, shift, (end.0 - down, end.1 - right), start, true);
        Ok(())
    }

    /// Fills a hole or opens it.
    fn close_hole(&mut self, connectivity: Connectivity) -> Result<(), Error> {
        let areas = find_holes(&self.current.bits, connectivity, self.tools, self.watch)?;
        let holes = areas.iter().filter(|&&area| area > 0).count();
        if holes == 0 {
            return self.stamp();
        }
        let is_hole = |number: u32| areas[number as usize - 1] > 0;
        let chosen = self.below(holes);
        let Some(chosen) = (1..=areas.len() as u32).filter(|&number| is_hole(number)).nth(chosen) else {
            return Ok(());
        };
        self.tools.components.find(&self.tools.inverse, connectivity.dual(), self.watch)?;
        let (pieces, ..) = self.list_pieces()?;
        if self.chance(2) {
            self.fill(&pieces, chosen, true);
        } else if let Some((from, to)) =
            self.nearest(&pieces, |number| number == chosen, |number| !is_hole(number))
        {
            self.stroke(from, to, false);
        } else {
            // The ink touches all sides.
            self.fill(&pieces, chosen, true);
        }
        Ok(())
    }

    /// Sets a piece to ink or paper.
    fn fill(&mut self, pieces: &[PieceRun], chosen: u32, ink: bool) {
        for piece in pieces.iter().filter(|piece| piece.number == chosen) {
            let columns = piece.run.columns();
            self.bits.update(piece.y, columns, |word, mask| if ink { word | mask } else { word & !mask });
        }
    }

    /// A pixel of one set of pieces and a near pixel of another set; which one is a matter of chance.
    fn nearest(
        &mut self,
        pieces: &[PieceRun],
        from: impl Fn(u32) -> bool,
        to: impl Fn(u32) -> bool,
    ) -> Option<(Place, Place)> {
        let mut best = None;
        let mut least = usize::MAX;
        for target in pieces.iter().filter(|target| to(target.number)) {
            // A third of the runs are left out, so that proposals differ.
            if self.chance(3) {
                continue;
            }
            for source in pieces.iter().filter(|source| from(source.number)) {
                let (a, b) = (source.run.columns(), target.run.columns());
                let gap = (b.start + 1).saturating_sub(a.end).max((a.start + 1).saturating_sub(b.end));
                let distance = gap.pow(2) + source.y.abs_diff(target.y).pow(2);
                if distance < least {
                    least = distance;
                    let (start, end) = (a.start.max(b.start), a.end.min(b.end));
                    let (source_x, target_x) = if start < end {
                        ((start + end) / 2, (start + end) / 2)
                    } else if a.end <= b.start {
                        (a.end - 1, b.start)
                    } else {
                        (a.start, b.end - 1)
                    };
                    best = Some(((source.y, source_x), (target.y, target_x)));
                }
            }
        }
        best
    }

    /// Paints a line with a brush of the needed width, or about that.
    fn stroke(&mut self, from: Place, to: Place, ink: bool) {
        let (disc, shift) = self.brush_and_jitter();
        let place = |(y, x): Place| (y as isize, x as isize);
        self.line(disc, shift, place(from), place(to), ink);
    }

    fn brush_and_jitter(&mut self) -> (&'a Disc, (isize, isize)) {
        let discs = self.discs;
        let disc = if self.chance(3) { &discs[self.below(discs.len())] } else { self.brush };
        let jitter = |stream: &mut Stream| stream.integer((0, 2)) as isize - 1;
        (disc, if self.chance(2) { (0, 0) } else { (jitter(self.stream), jitter(self.stream)) })
    }

    fn line(
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
