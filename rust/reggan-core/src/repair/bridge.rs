//! Joins the pieces by bridges of a given width. Up to [`MOST_PIECES`] pieces are joined by the fewest pixels, more by
//! the shortest bridge from the nearest piece to the body, again and again.

use super::halo::{Halo, darker};
use super::pieces::{Link, Metric, Pieces, Span};
use super::steiner::{MOST_PIECES, MOST_PIXELS, Steiner};
use super::{Canvas, Image};
use crate::Error;
use crate::components::{BitRows, Connectivity};
use crate::memory::TryGrow;
use crate::packing::Gray;
use crate::parallel::Watch;

/// Returns the number of paper pixels that became ink. `after` is working memory.
#[expect(clippy::too_many_arguments, reason = "the image, its parts and the working memory")]
pub(super) fn bridge<T: Gray + PartialOrd>(
    mut canvas: Canvas<'_, T>,
    image: &Image<'_>,
    width: usize,
    halo: &mut Halo<T>,
    pieces: &mut Pieces,
    steiner: &mut Steiner,
    after: &mut BitRows,
    watch: &mut Watch<'_>,
) -> Result<i32, Error> {
    let &Image { components, ink, largest, connectivity } = image;
    let size = (canvas.height(), canvas.width);
    pieces.take(components, largest)?;
    pieces.join(largest, connectivity, Metric::Steps, watch)?;
    let mut path = Vec::new();
    while let Some((stray, link)) = pieces.next() {
        pieces.join(stray, connectivity, Metric::Steps, watch)?;
        let start = path.len();
        trace(connectivity, link, &mut path)?;
        if let Some(bridge) = pieces.push_path(&path[start..])? {
            pieces.join(bridge, connectivity, Metric::Steps, watch)?;
        }
    }
    // Two pieces are joined by a shortest path. With more, bridges may share a part.
    if (3..=MOST_PIECES).contains(&components.areas().len()) && size.0 * size.1 <= MOST_PIXELS {
        steiner.search(image, size, path.len(), &mut path, watch)?;
    }
    after.resize(1, size.0, size.1)?;
    after.words_mut().copy_from_slice(ink.words());
    draw(&mut canvas, &path, halo.edge, width, after);
    halo.surround(&mut canvas, after, ink, watch)?;
    Ok((after.area() - ink.area()) as i32)
}

/// Adds the pixels that `from` passes on its way, which are connected with it and each other.
pub(super) fn trace(connectivity: Connectivity, link: Link, path: &mut Vec<(i32, i32)>) -> Result<(), Error> {
    let (rows, columns) = (i64::from(link.by.0.abs()), i64::from(link.by.1.abs()));
    let (down, right) = (link.by.0.signum(), link.by.1.signum());
    let (mut y, mut x) = (0, 0);
    while (y, x) != (rows, columns) {
        // The next pixel is the one nearest to the straight line.
        let slope = ((2 * x + 1) * rows).cmp(&((2 * y + 1) * columns));
        if connectivity == Connectivity::Eight {
            let steps = rows.max(columns);
            let step = y.max(x) + 1;
            (y, x) = ((2 * step * rows + steps) / (2 * steps), (2 * step * columns + steps) / (2 * steps));
        } else if slope.is_lt() {
            x += 1;
        } else {
            y += 1;
        }
        path.try_push((link.from.0 + down * y as i32, link.from.1 + right * x as i32))?;
    }
    Ok(())
}

/// Draws squares of `width` pixels around pixels.
pub(super) fn draw<T: Gray + PartialOrd>(
    canvas: &mut Canvas<'_, T>,
    path: &[(i32, i32)],
    gray: T,
    width: usize,
    ink: &mut BitRows,
) {
    let sides = |at: i32, side: usize| {
        let first = (at as usize).saturating_sub((width - 1) / 2);
        first..(at as usize).saturating_add(width / 2 + 1).min(side)
    };
    for &(y, x) in path {
        let columns = sides(x, canvas.width);
        for y in sides(y, canvas.height()) {
            for pixel in &mut canvas.pixels[y * canvas.width..][columns.clone()] {
                *pixel = darker(*pixel, gray);
            }
            ink.set(y, columns.clone());
        }
    }
}

impl Pieces {
    /// Adds a path as a piece, unless it is empty. Its rows rise or fall, and its columns too.
    pub(super) fn push_path(&mut self, path: &[(i32, i32)]) -> Result<Option<u32>, Error> {
        let (Some(&first), Some(&last)) = (path.first(), path.last()) else { return Ok(None) };
        let (top, bottom) = (first.0.min(last.0), first.0.max(last.0));
        let mut left = path;
        let mut spans = Vec::new();
        while let Some(&(y, _)) = left.first() {
            let row;
            (row, left) = left.split_at(left.iter().take_while(|pixel| pixel.0 == y).count());
            let columns = row.iter().map(|pixel| pixel.1);
            let (start, end) = columns.fold((i32::MAX, 0), |(start, end), x| (start.min(x), end.max(x + 1)));
            spans.try_push(Span { start, end })?;
        }
        debug_assert_eq!(spans.len(), (bottom - top + 1) as usize);
        if first.0 > last.0 {
            spans.reverse();
        }
        self.push(top, &spans).map(Some)
    }
}
