//! Pieces of ink as lists of runs, and the order in which they join the body (Prim, "Shortest connection
//! networks and some generalizations", 1957). Distances are exact: they are those of runs, in closed form.

use crate::Error;
use crate::components::{BitRows, Connectivity, Numbered};
use crate::memory::TryGrow;
use crate::parallel::Watch;

/// What a distance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    /// The length of the move that makes two pieces touch.
    Euclidean,
    /// The number of paper pixels between two pieces; among equal ones the shorter move.
    Steps,
}

/// The move of a stray that makes it touch the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    cost: u64,
    /// Row and column of a pixel of the stray.
    pub(super) from: (i32, i32),
    /// Rows and columns to move by. It brings that pixel to a paper pixel beside the body, or nowhere if the
    /// two touch.
    pub(super) by: (i32, i32),
}

const FAR: Link = Link { cost: u64::MAX, from: (0, 0), by: (0, 0) };

/// The columns `start..end` of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: i32,
    pub(super) end: i32,
}

/// A piece: runs in consecutive rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece {
    /// Of the bounding box.
    pub(super) top: i32,
    pub(super) bottom: i32,
    pub(super) left: i32,
    pub(super) right: i32,
    /// The place of its first row in `Pieces::rows`.
    first_row: usize,
    /// Rows and columns that it was moved by. The bounding box is after the move.
    pub(super) moved: (i32, i32),
}

/// The pieces of an image. The memory is reused from image to image.
#[derive(Default)]
pub(super) struct Pieces {
    all: Vec<Piece>,
    /// The runs, piece by piece and row by row.
    spans: Vec<Span>,
    /// The first run of each row of each piece. The end of a row is the start of the next, as the last row of a
    /// piece is followed by an end.
    rows: Vec<u32>,
    /// The pieces that are not in the body, and their links to it.
    strays: Vec<(u32, Link)>,
    /// Working memory: for each run the piece, and for each piece the next free run.
    next: Vec<u32>,
}

impl Pieces {
    /// Takes the pieces of an image, numbered from 0. All but `body` are strays.
    pub(super) fn take(&mut self, components: &Numbered<'_>, body: u32) -> Result<(), Error> {
        let count = components.areas().len();
        let Self { all, spans, rows, strays, next } = self;
        for list in [&mut *rows, &mut *next] {
            list.clear();
        }
        all.clear();
        strays.clear();
        let none = Piece { top: -1, bottom: -1, left: i32::MAX, right: 0, first_row: 0, moved: (0, 0) };
        all.try_resize(count, none)?;
        next.try_resize(count, 0)?;
        let mut total = 0;
        for (y, runs) in (0..).zip(components.rows()) {
            for (run, number) in runs {
                let piece = &mut all[number as usize - 1];
                if piece.top < 0 {
                    piece.top = y;
                }
                piece.bottom = y + 1;
                piece.left = piece.left.min(run.start.into());
                piece.right = piece.right.max(run.end.into());
                next[number as usize - 1] += 1;
                total += 1;
            }
        }
        // From numbers of runs and rows to the places of the first ones.
        let (mut first_run, mut first_row) = (0, 0);
        for (number, piece) in (0..).zip(all.iter_mut()) {
            piece.first_row = first_row;
            first_row += (piece.bottom - piece.top + 1) as usize;
            first_run += std::mem::replace(&mut next[number as usize], first_run);
            if number != body {
                strays.try_push((number, FAR))?;
            }
        }
        rows.try_resize(first_row, 0)?;
        spans.try_resize(total, Span { start: 0, end: 0 })?;
        for (y, runs) in (0..).zip(components.rows()) {
            for (run, number) in runs {
                let (piece, next) = (&all[number as usize - 1], &mut next[number as usize - 1]);
                spans[*next as usize] = Span { start: run.start.into(), end: run.end.into() };
                *next += 1;
                // The end of this row, and the start of the next.
                rows[piece.first_row + (y - piece.top) as usize + 1] = *next;
            }
        }
        for (number, piece) in all.iter().enumerate() {
            rows[piece.first_row] = if number == 0 { 0 } else { next[number - 1] };
        }
        Ok(())
    }

    pub(super) fn all(&self) -> impl Iterator<Item = Piece> {
        self.all.iter().copied()
    }

    pub(super) fn piece(&self, number: u32) -> Piece {
        self.all[number as usize]
    }

    /// The runs of row `y` of a piece, which must have that row; without its move.
    pub(super) fn row(&self, piece: Piece, y: i32) -> &[Span] {
        let row = piece.first_row + (y - piece.top) as usize;
        &self.spans[self.rows[row] as usize..self.rows[row + 1] as usize]
    }

    pub(super) fn shift(&mut self, number: u32, (down, right): (i32, i32)) {
        let piece = &mut self.all[number as usize];
        piece.moved = (piece.moved.0 + down, piece.moved.1 + right);
        piece.top += down;
        piece.bottom += down;
        piece.left += right;
        piece.right += right;
    }

    /// Adds a piece of one run a row, from row `top` on. It is not a stray.
    pub(super) fn push(&mut self, top: i32, runs: &[Span]) -> Result<u32, Error> {
        let first_row = self.rows.len();
        let bottom = top + runs.len() as i32;
        let left = runs.iter().map(|run| run.start).min().unwrap_or(0);
        let right = runs.iter().map(|run| run.end).max().unwrap_or(0);
        let first = self.spans.len();
        self.rows.try_extend(first as u32..(first + runs.len() + 1) as u32)?;
        self.spans.try_extend(runs.iter().copied())?;
        self.all.try_push(Piece { top, bottom, left, right, first_row, moved: (0, 0) })?;
        Ok(self.all.len() as u32 - 1)
    }

    /// Sets the pixels of a piece where it is after its move.
    pub(super) fn paint(&self, piece: Piece, bits: &mut BitRows) {
        for y in piece.top..piece.bottom {
            for run in self.row(piece, y) {
                let columns = run.start + piece.moved.1..run.end + piece.moved.1;
                bits.set(y as usize, columns.start as usize..columns.end as usize);
            }
        }
    }

    /// Adds a piece to the body: links the strays to it that are nearer to it than to the rest of the body.
    pub(super) fn join(
        &mut self,
        number: u32,
        connectivity: Connectivity,
        metric: Metric,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let mut strays = std::mem::take(&mut self.strays);
        for (stray, link) in &mut strays {
            *link = self.link(*stray, number, connectivity, metric, *link);
        }
        watch.worked(4 * strays.len())?;
        self.strays = strays;
        Ok(())
    }

    /// Takes the stray that is nearest to the body out of the strays, the first of equally near ones.
    pub(super) fn next(&mut self) -> Option<(u32, Link)> {
        let nearest =
            self.strays.iter().enumerate().min_by_key(|(_, (number, link))| (link.cost, *number))?.0;
        Some(self.strays.swap_remove(nearest))
    }

    /// The link of a stray to a piece, or `best` if that costs no more.
    fn link(&self, stray: u32, to: u32, connectivity: Connectivity, metric: Metric, mut best: Link) -> Link {
        let (piece, other) = (self.piece(stray), self.piece(to));
        let across = gap((piece.left, piece.right), (other.left, other.right));
        let down = gap((piece.top, piece.bottom), (other.top, other.bottom));
        if cost(metric, connectivity, touching(connectivity, (down, across))) >= best.cost {
            return best;
        }
        // From the end that is nearer to the other piece, so that most rows need no look.
        let upward = piece.top + piece.bottom < other.top + other.bottom;
        let rows = piece.bottom - piece.top;
        for y in (0..rows).map(|row| if upward { piece.bottom - 1 - row } else { piece.top + row }) {
            let nearest = y.clamp(other.top, other.bottom - 1);
            // From the nearest row of the other piece upward, then downward.
            for (rows, step) in [(nearest - other.top + 1, -1), (other.bottom - 1 - nearest, 1)] {
                let first = if step < 0 { nearest } else { nearest + 1 };
                for z in (0..rows).map(|row| first + step * row) {
                    if cost(metric, connectivity, touching(connectivity, (z - y, across))) >= best.cost {
                        break;
                    }
                    for &a in self.row(piece, y) {
                        let a = Span { start: a.start + piece.moved.1, end: a.end + piece.moved.1 };
                        for &b in self.row(other, z) {
                            let b = Span { start: b.start + other.moved.1, end: b.end + other.moved.1 };
                            let across = gap((a.start, a.end), (b.start, b.end));
                            let by = touching(connectivity, (z - y, across));
                            let cost = cost(metric, connectivity, by);
                            if cost < best.cost {
                                let from = b.start.clamp(a.start, a.end - 1);
                                best = Link { cost, from: (y, from), by };
                            }
                        }
                    }
                }
            }
        }
        best
    }
}

/// The signed distance from one range to another: 0 if they overlap, 1 if they touch.
fn gap((start, end): (i32, i32), (other_start, other_end): (i32, i32)) -> i32 {
    if end <= other_start {
        other_start - end + 1
    } else if other_end <= start {
        other_end - 1 - start
    } else {
        0
    }
}

/// The shortest move that makes two pixels neighbors that are this far apart.
fn touching(connectivity: Connectivity, (down, right): (i32, i32)) -> (i32, i32) {
    match connectivity {
        Connectivity::Eight => (down - down.signum(), right - right.signum()),
        _ if down.abs() > right.abs() => (down - down.signum(), right),
        _ => (down, right - right.signum()),
    }
}

fn cost(metric: Metric, connectivity: Connectivity, (down, right): (i32, i32)) -> u64 {
    let (down, right) = (u64::from(down.unsigned_abs()), u64::from(right.unsigned_abs()));
    let squared = down * down + right * right;
    match (metric, connectivity) {
        (Metric::Euclidean, _) => squared,
        (Metric::Steps, Connectivity::Eight) => down.max(right) << 32 | squared,
        (Metric::Steps, _) => (down + right) << 32 | squared,
    }
}
