//! Discs drawn into rows of bits or of ink values, and their copies in a periodic image.

use super::blur::whole;
use super::border::Border;
use crate::Error;
use crate::components::BitRows;
use crate::parallel::Watch;

/// Rows of a disc that are filled at once.
const ROWS: usize = 16;

/// Center and radius in pixels. The pixel in row 0 and column 0 has its center at (0.5, 0.5).
#[derive(Clone, Copy)]
pub(super) struct Disc {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) radius: f64,
}

impl Disc {
    /// Sets the pixels of the disc and, in a periodic image, of its copies.
    #[inline(always)]
    pub(super) fn fill(self, ink: &mut BitRows, border: Border, watch: &mut Watch<'_>) -> Result<(), Error> {
        if border != Border::Periodic {
            return fill_disc(ink, self, watch);
        }
        let (height, width) = (ink.height() as f64, ink.width() as f64);
        self.for_each_copy(height, width, |copy| fill_disc(ink, copy, watch))
    }

    /// Draws the disc into ink values with a soft edge: a pixel whose center is d from the disc's center gets
    /// radius + 0.5 - d, clamped to [0, 1]. Where discs overlap, the maximum counts.
    pub(super) fn soften(
        self,
        ink: &mut [f32],
        width: usize,
        border: Border,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        if border != Border::Periodic {
            return soften_disc(ink, width, self, watch);
        }
        let height = ink.len() / width;
        self.for_each_copy(height as f64, width as f64, |copy| soften_disc(ink, width, copy, watch))
    }

    fn for_each_copy(
        self,
        height: f64,
        width: f64,
        mut draw: impl FnMut(Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        // A disc of this radius covers the image from any center.
        let radius = self.radius.min(height.hypot(width) + 1.0);
        for y in copies(self.y, radius + 1.0, height) {
            for x in copies(self.x, radius + 1.0, width) {
                draw(Self { x, y, ..self })?;
            }
        }
        Ok(())
    }
}

/// The copies of `place`, `length` apart, from which something of this reach is visible in the image.
pub(super) fn copies(place: f64, reach: f64, length: f64) -> impl Iterator<Item = f64> {
    let first = ((-reach - place) / length).ceil() as i64;
    let last = ((length + reach - place) / length).floor() as i64;
    (first..=last).map(move |copy| place + copy as f64 * length)
}

/// The shortest difference between two places of a periodic line.
pub(super) fn around(difference: f64, length: f64) -> f64 {
    difference - length * (difference / length).round()
}

/// Sets the pixels of the disc. In a row whose centers are `dy` below the disc's, these are the columns from
/// `ceil(x - half - 0.5)` to `floor(x + half - 0.5)`, where `half = sqrt((radius - dy) * (radius + dy))`.
/// `dy`, x and the radius are rounded to `f32`, and everything else is computed in `f32`.
#[inline(always)]
fn fill_disc(ink: &mut BitRows, Disc { x, y, radius }: Disc, watch: &mut Watch<'_>) -> Result<(), Error> {
    let (height, width) = (ink.height(), ink.width());
    // Casts to usize map negative numbers to 0, which clips the disc.
    let top = (y - radius) as usize;
    let bottom = height.min((y + radius) as usize + 1);
    for first in (top..bottom).step_by(ROWS) {
        // Rows outside the disc get no pixels, so the first row may lie above the disc.
        let first = first.min(height.saturating_sub(ROWS));
        let spans = Spans::of(first as f64, y, x as f32, radius as f32, width as f32);
        match ink.narrow_rows::<ROWS>(first) {
            Some(words) => {
                let masks = spans.masks();
                for row in 0..ROWS {
                    words[row] |= masks[row];
                }
            }
            None => {
                for row in first..bottom.min(first + ROWS) {
                    let span = row - first;
                    ink.set(row, spans.start[span] as usize..spans.end[span] as usize);
                }
            }
        }
        watch.worked(ROWS * (1 + radius as usize / 32))?;
    }
    Ok(())
}

/// The columns of some rows that are in a disc, from start to end.
struct Spans {
    start: [u32; ROWS],
    end: [u32; ROWS],
}

impl Spans {
    #[inline(always)]
    fn of(first: f64, y: f64, x: f32, radius: f32, width: f32) -> Self {
        let mut spans = Self { start: [0; ROWS], end: [0; ROWS] };
        for row in 0..ROWS {
            let dy = (first + (row as f64 + 0.5) - y) as f32;
            let square = (radius - dy) * (radius + dy);
            let half = square.max(0.0).sqrt();
            let start = (x - half - 0.5).ceil().max(0.0);
            let end = ((x + half - 0.5).floor() + 1.0).min(width);
            let end = if square < 0.0 { 0.0 } else { end.max(0.0) };
            (spans.start[row], spans.end[row]) = (whole(start), whole(end));
        }
        spans
    }

    /// The bits of each row, for images at most 64 pixels wide.
    #[inline(always)]
    fn masks(&self) -> [u64; ROWS] {
        let mut masks = [0; ROWS];
        for (mask, (&start, &end)) in masks.iter_mut().zip(self.start.iter().zip(&self.end)) {
            *mask = u64::MAX.unbounded_shl(start) & !u64::MAX.unbounded_shl(end);
        }
        masks
    }
}

fn soften_disc(ink: &mut [f32], width: usize, disc: Disc, watch: &mut Watch<'_>) -> Result<(), Error> {
    let Disc { x, y, radius } = disc;
    let height = ink.len() / width;
    let reach = radius + 0.5;
    // Casts to usize map negative numbers to 0.
    let rows = (y - reach) as usize..height.min((y + reach) as usize + 1);
    let columns = (x - reach) as usize..width.min((x + reach) as usize + 1);
    if columns.is_empty() {
        return Ok(());
    }
    for row in rows {
        let dy = (row as f64 + 0.5 - y) as f32;
        // Subtracting before rounding keeps the difference exact far from the first column.
        let first = (columns.start as f64 + 0.5 - x) as f32;
        for (column, ink) in ink[row * width..][columns.clone()].iter_mut().enumerate() {
            let dx = first + column as f32;
            let inside = (reach as f32 - (dx * dx + dy * dy).sqrt()).clamp(0.0, 1.0);
            *ink = if inside > *ink { inside } else { *ink };
        }
        watch.worked(columns.len())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    /// Includes discs whose edge passes through the center of a pixel, up to rounding.
    #[test]
    fn pixels_with_their_centers_inside_are_filled() {
        let mut stream = Stream::new(0, 0, 0);
        for number in 0..20_000 {
            let (height, width) = [(12, 64), (40, 50), (33, 130), (1, 9)][number % 4];
            let mut ink = BitRows::default();
            ink.resize(1, height, width).unwrap();
            ink.clear();
            let (x, y) =
                (stream.uniform((-10.0, width as f64 + 10.0)), stream.uniform((-10.0, height as f64 + 10.0)));
            let radius = match number % 3 {
                0 => {
                    (stream.integer((0, 69)) as f64 + 0.5 - x).hypot(stream.integer((0, 11)) as f64 + 0.5 - y)
                }
                _ => stream.uniform((0.01, 20.0)),
            };
            fill_disc(&mut ink, Disc { x, y, radius }, &mut Watch::new(&mut || false)).unwrap();
            for (row, pixel_y) in ink.rows().zip(0_u32..) {
                for pixel_x in 0..width {
                    let (dx, dy) = (pixel_x as f64 + 0.5 - x, f64::from(pixel_y) + 0.5 - y);
                    let depth = radius - dx.hypot(dy);
                    if depth.abs() > 1e-4 * radius.max(1.0) {
                        assert_eq!(row[pixel_x / 64] >> (pixel_x % 64) & 1 == 1, depth > 0.0);
                    }
                }
            }
        }
    }
}
