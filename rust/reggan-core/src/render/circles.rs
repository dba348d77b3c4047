//! Circles: black discs of random size and place under a blur of random strength (Di Cerbo, Hirsa, Shayaan
//! 2021, section 4).
//!
//! What is drawn, and in which order, is part of the stream version. Lengths are in pixels of an image whose
//! shorter side is 64, and are scaled by min(height, width) / 64. The image's stream (object 0) gives `n =
//! integer(count)`, `sigma = uniform(blur) * scale`, `c = uniform(clustering)`. The stream of disc i (object
//! 1 + i) gives `r = uniform(radius) * scale`, `a = uniform01`, and the centre `x = uniform01 * width`, `y =
//! uniform01 * height`, which are its first four words. The first disc stays there. The others
//! - if a < c, touch an earlier disc: `j = integer(0, i - 1)`, `angle = 2 pi * uniform01`, `d = (r_j + r) *
//!   (0.8 + 0.2 * uniform01)`, and the centre is disc j's plus d (cos angle, sin angle), clamped into the
//!   image;
//! - if a < -c, keep apart: while the centre is at most `r_j + r + sigma` away from that of an earlier disc j,
//!   x and y are drawn anew, at most 16 times.

use std::f64::consts::TAU;

use super::blur::{Gray, InkBlur};
use super::border::Border;
use super::{Image, Paint};
use crate::components::BitRows;
use crate::parallel::Watch;
use crate::rng::fraction;
use crate::simd::Simd;
use crate::{Error, Stream};

const TRIES_TO_KEEP_APART: usize = 16;
/// Discs that are drawn at once.
const LANES: usize = 8;
/// Rows of a disc that are filled at once.
const ROWS: usize = 16;

/// What circles are drawn from: ranges, both ends included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circles {
    count: (u32, u32),
    radius: (f64, f64),
    blur: (f64, f64),
    clustering: (f64, f64),
}

impl Default for Circles {
    /// 11 to 18 discs of radius 2 to 7 and blur 0.5 to 2.5, placed uniformly.
    fn default() -> Self {
        Self { count: (11, 18), radius: (2.0, 7.0), blur: (0.5, 2.5), clustering: (0.0, 0.0) }
    }
}

impl Circles {
    /// `count` discs, 1 to 65536; `radius` above 0 and at most 10,000; `blur` (a standard deviation) 0 to 64;
    /// `clustering`, the probability that a disc touches an earlier one, or, if negative, that it keeps apart
    /// from all, -1 to 1, drawn anew for each image.
    pub fn new(
        count: (u32, u32),
        radius: (f64, f64),
        blur: (f64, f64),
        clustering: (f64, f64),
    ) -> Result<Self, Error> {
        let check = |name: &str, given: (f64, f64), allowed: &str, ends_allowed: bool| {
            if ends_allowed && given.0 <= given.1 {
                return Ok(());
            }
            let (low, high) = given;
            Err(Error::invalid(format!("{name} is ({low}, {high}), but must be (low, high) with {allowed}")))
        };
        let counts = (count.0.into(), count.1.into());
        check("count", counts, "1 <= low <= high <= 65536", count.0 >= 1 && count.1 <= 65_536)?;
        check("radius", radius, "0 < low <= high <= 10000", radius.0 > 0.0 && radius.1 <= 1e4)?;
        check("blur", blur, "0 <= low <= high <= 64", blur.0 >= 0.0 && blur.1 <= 64.0)?;
        let from_apart_to_touching = clustering.0 >= -1.0 && clustering.1 <= 1.0;
        check("clustering", clustering, "-1 <= low <= high <= 1", from_apart_to_touching)?;
        Ok(Self { count, radius, blur, clustering })
    }
}

/// Centre and radius in pixels; the pixel in row 0, column 0 has its centre at (0.5, 0.5).
#[derive(Clone, Copy)]
struct Disc {
    x: f64,
    y: f64,
    radius: f64,
}

/// Memory that is kept from one image to the next.
#[derive(Default)]
pub(crate) struct Scratch {
    discs: Vec<Disc>,
    ink: BitRows,
    blur: InkBlur,
}

impl Paint for Circles {
    type Scratch = Scratch;

    #[inline(always)]
    fn paint<S: Simd, T: Gray>(
        &self,
        simd: S,
        Image { seed, index, size }: Image,
        scratch: &mut Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Scratch { discs, ink, blur } = scratch;
        ink.resize(1, size.height, size.width);
        ink.clear();
        let sigma = self.draw(seed, index, ink, discs, watch)?;
        blur.write(simd, ink, sigma, Border::Paper, pixels, watch)
    }
}

impl Circles {
    #[inline(always)]
    fn draw(
        &self,
        seed: u64,
        index: u64,
        ink: &mut BitRows,
        discs: &mut Vec<Disc>,
        watch: &mut Watch<'_>,
    ) -> Result<f64, Error> {
        let (height, width) = (ink.height() as f64, ink.width() as f64);
        let scale = height.min(width) / 64.0;
        let mut stream = Stream::new(seed, index, 0);
        let count = stream.integer(self.count);
        let sigma = stream.uniform(self.blur) * scale;
        let clustering = stream.uniform(self.clustering);

        discs.clear();
        let within = |(low, high): (f64, f64), word: u32| low + (high - low) * fraction(word);
        for first in (0..count).step_by(LANES) {
            let words = Stream::first_words::<LANES>(seed, index, 1 + first);
            let mut chances = [0.0; LANES];
            let mut batch = [Disc { x: 0.0, y: 0.0, radius: 0.0 }; LANES];
            for lane in 0..LANES {
                batch[lane].radius = within(self.radius, words[0][lane]) * scale;
                chances[lane] = fraction(words[1][lane]);
                batch[lane].x = fraction(words[2][lane]) * width;
                batch[lane].y = fraction(words[3][lane]) * height;
            }
            for (number, (&chance, disc)) in (first..count).zip(chances.iter().zip(&mut batch)) {
                if chance < clustering.abs() {
                    let stream = Stream::after_first_words(seed, index, 1 + number);
                    place(disc, discs, stream, clustering > 0.0, sigma, (height, width), watch)?;
                }
                fill_disc(ink, *disc, watch)?;
                discs.push(*disc);
            }
        }
        Ok(sigma)
    }
}

/// Moves a disc so that it touches one of the others or keeps apart from all.
fn place(
    disc: &mut Disc,
    others: &[Disc],
    mut stream: Stream,
    touching: bool,
    sigma: f64,
    (height, width): (f64, f64),
    watch: &mut Watch<'_>,
) -> Result<(), Error> {
    if touching {
        if let Some(last) = others.len().checked_sub(1) {
            let other = others[stream.integer((0, last as u32)) as usize];
            let angle = TAU * stream.uniform01();
            let distance = (other.radius + disc.radius) * (0.8 + 0.2 * stream.uniform01());
            disc.x = (other.x + distance * libm::cos(angle)).clamp(0.0, width);
            disc.y = (other.y + distance * libm::sin(angle)).clamp(0.0, height);
        }
        return Ok(());
    }
    for _ in 0..TRIES_TO_KEEP_APART {
        watch.worked(others.len())?;
        let near = |other: &Disc| {
            let (dx, dy, reach) = (disc.x - other.x, disc.y - other.y, other.radius + disc.radius + sigma);
            dx * dx + dy * dy <= reach * reach
        };
        if !others.iter().any(near) {
            break;
        }
        (disc.x, disc.y) = (stream.uniform01() * width, stream.uniform01() * height);
    }
    Ok(())
}

/// Sets the pixels of the disc: in the row whose centres are `dy` below its own those from `ceil(x - half - 0.5)` to
/// `floor(x + half - 0.5)`, where `half = sqrt((radius - dy) * (radius + dy))`. `dy` is rounded to `f32` and so are x
/// and the radius; from there on all is in `f32`.
#[inline(always)]
fn fill_disc(ink: &mut BitRows, Disc { x, y, radius }: Disc, watch: &mut Watch<'_>) -> Result<(), Error> {
    let (height, width) = (ink.height(), ink.width());
    // Casts to usize take negative numbers to 0, which is what clips the disc.
    let top = (y - radius) as usize;
    let bottom = height.min((y + radius) as usize + 1);
    for first in (top..bottom).step_by(ROWS) {
        // Rows that are not in the disc have no pixels, so the first may lie above it.
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

    /// The bits of each row, if there are no more than 64 columns.
    #[inline(always)]
    fn masks(&self) -> [u64; ROWS] {
        let mut masks = [0; ROWS];
        for (mask, (&start, &end)) in masks.iter_mut().zip(self.start.iter().zip(&self.end)) {
            *mask = u64::MAX.unbounded_shl(start) & !u64::MAX.unbounded_shl(end);
        }
        masks
    }
}

/// `value as u32` for whole values from 0 to 2^22, as compilers vectorise it.
#[inline(always)]
fn whole(value: f32) -> u32 {
    const WHOLE: f32 = (1 << 23) as f32;
    (value + WHOLE).to_bits() ^ WHOLE.to_bits()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also discs whose edge goes through the centre of a pixel, as nearly as numbers can tell.
    #[test]
    fn pixels_with_their_centres_inside_are_filled() {
        let mut stream = Stream::new(0, 0, 0);
        for number in 0..20_000 {
            let (height, width) = [(12, 64), (40, 50), (33, 130), (1, 9)][number % 4];
            let mut ink = BitRows::default();
            ink.resize(1, height, width);
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
