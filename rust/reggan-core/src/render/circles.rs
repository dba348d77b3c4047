//! Circles: black discs with random radii and centers under a blur of random strength (Di Cerbo, Hirsa and
//! Shayaan 2021, section 4).
//!
//! The draws and their order are part of the stream version. Lengths are in pixels of an image whose shorter
//! side is 64, and are scaled by min(height, width) / 64. The image's stream (object 0) gives
//! `n = integer(count)`, `sigma = uniform(blur) * scale` and `c = uniform(clustering)`. The first four words
//! of the stream of disc i (object 1 + i) give `r = uniform(radius) * scale`, `a = uniform01`, and the center
//! `x = uniform01 * width`, `y = uniform01 * height`. Then every disc but the first
//! - touches an earlier disc if a < c: `j = integer(0, i - 1)`, `angle = 2 pi * uniform01`,
//!   `d = (r_j + r) * (0.8 + 0.2 * uniform01)`, and the center is disc j's plus d (cos angle, sin angle),
//!   clamped to the image;
//! - keeps apart if a < -c: x and y are redrawn, at most 16 times, while the center is at most
//!   `r_j + r + sigma` from the center of an earlier disc j.
//!
//! In a periodic image, distances are the shortest ones around it, and centers wrap instead of being clamped.

use std::f64::consts::TAU;

use super::blur::{Gray, InkBlur};
use super::border::Border;
use super::discs::{Disc, around};
use super::{BLACK, Image, Paint, Scene, Shape, Size, check_counts, check_range, resize};
use crate::components::BitRows;
use crate::memory::TryGrow;
use crate::parallel::Watch;
use crate::rng::fraction;
use crate::simd::Simd;
use crate::{Error, Stream};

const MAX_TRIES: usize = 16;
/// Discs whose draws are computed at once.
const LANES: usize = 8;

/// The options of circles. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circles {
    count: (u32, u32),
    radius: (f64, f64),
    blur: (f64, f64),
    clustering: (f64, f64),
    antialias: bool,
    border: Border,
}

impl Default for Circles {
    /// 11 to 18 discs of radius 2 to 7 and blur 0.5 to 2.5, placed uniformly.
    fn default() -> Self {
        Self {
            count: (11, 18),
            radius: (2.0, 7.0),
            blur: (0.5, 2.5),
            clustering: (0.0, 0.0),
            antialias: false,
            border: Border::Paper,
        }
    }
}

impl Circles {
    /// `count` is from 1 to 65536 discs. `radius` is above 0 and at most 10,000. `blur`, a standard
    /// deviation, is from 0 to 64. `clustering` is from -1 to 1 and is drawn anew for each image: the
    /// probability that a disc touches an earlier one or, if negative, that it keeps apart from all earlier
    /// ones. `antialias` softens the edges of the discs before the blur.
    pub fn new(
        count: (u32, u32),
        radius: (f64, f64),
        blur: (f64, f64),
        clustering: (f64, f64),
        antialias: bool,
        border: Border,
    ) -> Result<Self, Error> {
        check_counts("count", count, 65_536)?;
        check_range("radius", radius, (f64::MIN_POSITIVE, 1e4))?;
        check_range("blur", blur, (0.0, 64.0))?;
        check_range("clustering", clustering, (-1.0, 1.0))?;
        Ok(Self { count, radius, blur, clustering, antialias, border })
    }
}

/// Working memory, reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    discs: Vec<Disc>,
    ink: BitRows,
    soft_ink: Vec<f32>,
    blur: InkBlur,
}

impl Paint for Circles {
    type Scratch = Scratch;

    fn most_shapes(&self, _: Size) -> usize {
        self.count.1 as usize
    }

    fn scratch(&self, size: Size) -> usize {
        if self.antialias { size.pixels().saturating_mul(size_of::<f32>()) } else { size.pixels() / 8 }
    }

    fn scene(&self, image: Image, scene: &mut Scene, watch: &mut Watch<'_>) -> Result<(), Error> {
        let mut discs = Vec::new();
        scene.sigma = self.place(image, &mut discs, watch)?;
        let shape = |&Disc { x, y, radius }: &Disc| Shape { center: [0.5, y, x], radius, color: BLACK };
        scene.shapes.clear();
        scene.shapes.try_extend(discs.iter().map(shape))
    }

    #[inline(always)]
    fn paint<S: Simd, T: Gray>(
        &self,
        simd: S,
        image: Image,
        scratch: &mut Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Scratch { discs, ink, soft_ink, blur } = scratch;
        let Size { height, width, .. } = image.size;
        let sigma = self.place(image, discs, watch)?;
        if self.antialias {
            soft_ink.clear();
            resize(soft_ink, height * width, 0.0, watch)?;
            for disc in discs {
                disc.soften(soft_ink, width, self.border, watch)?;
            }
            return blur.write_soft(simd, soft_ink, width, sigma, self.border, pixels, watch);
        }
        ink.resize(1, height, width)?;
        ink.clear();
        for disc in discs {
            disc.fill(ink, self.border, watch)?;
        }
        blur.write(simd, ink, sigma, self.border, pixels, watch)
    }
}

impl Circles {
    /// Writes the discs of an image to `discs`, and returns the standard deviation of its blur.
    #[inline(always)]
    fn place(
        &self,
        Image { seed, index, size }: Image,
        discs: &mut Vec<Disc>,
        watch: &mut Watch<'_>,
    ) -> Result<f64, Error> {
        let (height, width) = (size.height as f64, size.width as f64);
        let scale = size.shorter_side() / 64.0;
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
                    if clustering > 0.0 {
                        self.attach(disc, discs, stream, (height, width));
                    } else {
                        self.keep_apart(disc, discs, stream, sigma, (height, width), watch)?;
                    }
                }
                discs.try_push(*disc)?;
            }
        }
        Ok(sigma)
    }

    /// Moves a disc so that it touches a random one of the others.
    fn attach(&self, disc: &mut Disc, others: &[Disc], mut stream: Stream, (height, width): (f64, f64)) {
        let Some(last) = others.len().checked_sub(1) else { return };
        let other = others[stream.integer((0, last as u32)) as usize];
        let angle = TAU * stream.uniform01();
        let distance = (other.radius + disc.radius) * (0.8 + 0.2 * stream.uniform01());
        let inside = |place: f64, length: f64| match self.border {
            Border::Periodic => place.rem_euclid(length),
            Border::Paper | Border::Reflect => place.clamp(0.0, length),
        };
        disc.x = inside(other.x + distance * libm::cos(angle), width);
        disc.y = inside(other.y + distance * libm::sin(angle), height);
    }

    /// Moves a disc so that it keeps apart from all others, if the tries suffice.
    fn keep_apart(
        &self,
        disc: &mut Disc,
        others: &[Disc],
        mut stream: Stream,
        sigma: f64,
        (height, width): (f64, f64),
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        for _ in 0..MAX_TRIES {
            watch.worked(others.len())?;
            let near = |other: &Disc| {
                let (mut dx, mut dy) = (disc.x - other.x, disc.y - other.y);
                if self.border == Border::Periodic {
                    (dx, dy) = (around(dx, width), around(dy, height));
                }
                let reach = other.radius + disc.radius + sigma;
                dx * dx + dy * dy <= reach * reach
            };
            if !others.iter().any(near) {
                break;
            }
            (disc.x, disc.y) = (stream.uniform01() * width, stream.uniform01() * height);
        }
        Ok(())
    }
}
