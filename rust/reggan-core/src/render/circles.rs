//! Circles: black discs of random size and place under a blur of random strength (Di Cerbo, Hirsa, Shayaan
//! 2021, section 4).
//!
//! What is drawn, and in which order, is part of the stream version. Lengths are in pixels of an image whose
//! shorter side is 64, and are scaled by min(height, width) / 64. The image's stream (object 0) gives `n =
//! integer(count)`, `sigma = uniform(blur) * scale`, `c = uniform(clustering)`. The stream of disc i (object
//! 1 + i) gives `r = uniform(radius) * scale`, `a = uniform01`, and the centre `x = uniform01 * width`, `y =
//! uniform01 * height`. The first disc stays there. The others
//! - if a < c, touch an earlier disc: `j = integer(0, i - 1)`, `angle = 2 pi * uniform01`, `d = (r_j + r) *
//!   (0.8 + 0.2 * uniform01)`, and the centre is disc j's plus d (cos angle, sin angle), clamped into the
//!   image;
//! - if a < -c, keep apart: while the centre is at most `r_j + r + sigma` away from that of an earlier disc j,
//!   x and y are drawn anew, at most 16 times.

use std::f64::consts::TAU;

use super::Renderer;
use crate::components::BitRows;
use crate::parallel::Watch;
use crate::{Error, Stream};

const TRIES_TO_KEEP_APART: usize = 16;

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
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Disc {
    x: f64,
    y: f64,
    radius: f64,
}

impl Renderer for Circles {
    type Scratch = Vec<Disc>;

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
        for number in 0..count {
            let mut stream = Stream::new(seed, index, 1 + number);
            let radius = stream.uniform(self.radius) * scale;
            let chance = stream.uniform01();
            let (mut x, mut y) = (stream.uniform01() * width, stream.uniform01() * height);
            if number > 0 && chance < clustering {
                let other = discs[stream.integer((0, number - 1)) as usize];
                let angle = TAU * stream.uniform01();
                let distance = (other.radius + radius) * (0.8 + 0.2 * stream.uniform01());
                x = (other.x + distance * libm::cos(angle)).clamp(0.0, width);
                y = (other.y + distance * libm::sin(angle)).clamp(0.0, height);
            } else if chance < -clustering {
                let near = |x: f64, y: f64| {
                    discs.iter().any(|other| {
                        let reach = other.radius + radius + sigma;
                        (x - other.x) * (x - other.x) + (y - other.y) * (y - other.y) <= reach * reach
                    })
                };
                for _ in 0..TRIES_TO_KEEP_APART {
                    watch.worked(discs.len())?;
                    if !near(x, y) {
                        break;
                    }
                    (x, y) = (stream.uniform01() * width, stream.uniform01() * height);
                }
            }
            let disc = Disc { x, y, radius };
            fill_disc(ink, disc, watch)?;
            discs.push(disc);
        }
        Ok(sigma)
    }
}

/// Sets the pixels whose centres are in the disc: `dx * dx + dy * dy <= radius * radius` in `f64`.
fn fill_disc(ink: &mut BitRows, disc: Disc, watch: &mut Watch<'_>) -> Result<(), Error> {
    let (width, square) = (ink.width(), disc.radius * disc.radius);
    // Casts to usize take negative numbers to 0, which is what clips the disc.
    let top = (disc.y - disc.radius - 1.0) as usize;
    let bottom = ink.height().min((disc.y + disc.radius + 1.0) as usize + 1);
    for y in top..bottom {
        let dy = y as f64 + 0.5 - disc.y;
        let rest = square - dy * dy;
        if rest < 0.0 {
            continue;
        }
        let inside = |x: usize| {
            let dx = x as f64 + 0.5 - disc.x;
            dx * dx + dy * dy <= square
        };
        // Rounding puts an end less than a pixel away from where the predicate turns. The left end is never too
        // low: where the predicate fails the root is at most |dx|, and to the left of the centre dx is exact.
        let half = rest.sqrt();
        let mut left = width.min((disc.x - half + 0.5) as usize);
        let mut right = width.min((disc.x + half + 0.5) as usize).max(left);
        if left > 0 && inside(left - 1) {
            left -= 1;
        }
        if right < width && inside(right) {
            right += 1;
        } else if right > left && !inside(right - 1) {
            right -= 1;
        }
        ink.set(y, left..right);
        watch.worked(1 + (right - left) / 64)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Discs whose edge goes through the centre of a pixel, as nearly as `f64` can tell.
    #[test]
    fn edges_are_where_the_predicate_says() {
        let (height, width) = (12, 70);
        let mut ink = BitRows::default();
        ink.resize(1, height, width);
        let mut stream = Stream::new(0, 0, 0);
        for _ in 0..20_000 {
            let reach = if stream.integer((0, 1)) == 0 { 100.0 } else { 1e6 };
            let (x, y) = (stream.uniform((-reach, reach)).round() / 10.0, stream.uniform((0.0, 12.0)));
            let through =
                [stream.integer((0, 69)), stream.integer((0, 11))].map(|place| f64::from(place) + 0.5);
            let disc = Disc { x, y, radius: (through[0] - x).hypot(through[1] - y) };
            ink.clear();
            fill_disc(&mut ink, disc, &mut Watch::new(&mut || false)).unwrap();
            for (row, y) in ink.rows().zip(0_u32..) {
                for x in 0..width {
                    let (dx, dy) = (x as f64 + 0.5 - disc.x, f64::from(y) + 0.5 - disc.y);
                    let inside = dx * dx + dy * dy <= disc.radius * disc.radius;
                    assert_eq!(row[x / 64] >> (x % 64) & 1 == 1, inside);
                }
            }
        }
    }
}
