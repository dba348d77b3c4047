//! The proposals about pieces and holes: they join, cut, erase, slide, enlarge and make them.

use super::moves::{Edit, Place};
use super::terms::{Counted, Term, find_holes};
use crate::Error;
use crate::components::{Connectivity, Run};
use crate::memory::{TryGrow, try_filled};

/// A run of the piece `number` in row `y`.
#[derive(Clone, Copy)]
struct PieceRun {
    y: usize,
    run: Run,
    number: u32,
}

impl Edit<'_, '_> {
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
    pub(super) fn connect(&mut self, connectivity: Connectivity, around: bool) -> Result<(), Error> {
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
    pub(super) fn count_pieces(&mut self, counted: Counted) -> Result<(), Error> {
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
    pub(super) fn count_holes(&mut self, counted: Counted) -> Result<(), Error> {
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
    pub(super) fn lengthen(&mut self, connectivity: Connectivity) -> Result<(), Error> {
        match self.below(8) {
            0..2 => self.connect(connectivity, false),
            2 => self.cut(),
            _ => self.stamp(),
        }
    }

    /// Joins the ends of a piece across opposite sides of the image, so that it winds around the torus.
    pub(super) fn wind(&mut self, connectivity: Connectivity) -> Result<(), Error> {
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
    pub(super) fn close_hole(&mut self, connectivity: Connectivity) -> Result<(), Error> {
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
}
