//! Spheres: volumes with black balls of random radii and centers under a blur of random strength. They extend
//! the circles of RegGAN's paper to three dimensions, which the paper names as future work.
//!
//! The draws and their order are part of the stream version. Lengths are in pixels of a volume whose shortest
//! side is 64, and are scaled by min(depth, height, width) / 64. The volume's stream (object 0) gives
//! `n = integer(count)` and `sigma = uniform(blur) * scale`. The stream of ball i (object 1 + i) gives
//! `r = uniform(radius) * scale` and the center `x = uniform01 * width`, `y = uniform01 * height`,
//! `z = uniform01 * depth`.

use super::blur::{Gray, Ink, InkBlur};
use super::border::Border;
use super::discs::{Disc, copies};
use super::{BLACK, Image, Paint, Scene, Shape, Size, check_counts, check_range, resize};
use crate::components::BitRows;
use crate::memory::TryGrow;
use crate::parallel::Watch;
use crate::simd::Simd;
use crate::{Error, Stream};

/// The options of spheres. Ranges include both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spheres {
    count: (u32, u32),
    radius: (f64, f64),
    blur: (f64, f64),
    border: Border,
}

impl Spheres {
    /// `count` is from 1 to 65536 balls. `radius` is above 0 and at most 10,000. `blur`, a standard
    /// deviation, is from 0 to 64.
    pub fn new(
        count: (u32, u32),
        radius: (f64, f64),
        blur: (f64, f64),
        border: Border,
    ) -> Result<Self, Error> {
        check_counts("count", count, 65_536)?;
        check_range("radius", radius, (f64::MIN_POSITIVE, 1e4))?;
        check_range("blur", blur, (0.0, 64.0))?;
        Ok(Self { count, radius, blur, border })
    }

    /// Writes the balls of a volume to `balls`, and returns the standard deviation of its blur.
    fn place(&self, Image { seed, index, size }: Image, balls: &mut Vec<Shape>) -> Result<f64, Error> {
        let (depth, height, width) = (size.depth as f64, size.height as f64, size.width as f64);
        let scale = depth.min(size.shorter_side()) / 64.0;
        let mut stream = Stream::new(seed, index, 0);
        let (count, sigma) = (stream.integer(self.count), stream.uniform(self.blur) * scale);
        balls.clear();
        balls.try_extend((1..count + 1).map(|object| {
            let mut stream = Stream::new(seed, index, object);
            let radius = stream.uniform(self.radius) * scale;
            let (x, y) = (stream.uniform01() * width, stream.uniform01() * height);
            Shape { center: [stream.uniform01() * depth, y, x], radius, color: BLACK }
        }))?;
        Ok(sigma)
    }
}

/// Working memory, reused from volume to volume.
#[derive(Default)]
pub(crate) struct Scratch {
    balls: Vec<Shape>,
    ink: BitRows,
    blur: InkBlur,
    slices: Vec<Ink>,
}

impl Paint for Spheres {
    type Scratch = Scratch;

    fn check(&self, _: Size) -> Result<(), Error> {
        Ok(())
    }

    fn most_shapes(&self, _: Size) -> usize {
        self.count.1 as usize
    }

    fn scratch(&self, size: Size) -> usize {
        size.pixels().saturating_mul(size_of::<Ink>())
    }

    fn scene(&self, image: Image, scene: &mut Scene, watch: &mut Watch<'_>) -> Result<(), Error> {
        scene.sigma = self.place(image, &mut scene.shapes)?;
        watch.worked(scene.shapes.len())
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
        let Scratch { balls, ink, blur, slices } = scratch;
        let Size { depth, height, width } = image.size;
        let sigma = self.place(image, balls)?;
        ink.resize(1, height, width)?;
        resize(slices, image.size.pixels(), Ink::default(), watch)?;
        for (z, slice) in slices.chunks_exact_mut(height * width).enumerate() {
            ink.clear();
            for ball in &*balls {
                self.cut(ball, z, depth, ink, watch)?;
            }
            blur.write(simd, ink, sigma, self.border, slice, watch)?;
        }
        blur.write_through(simd, slices, depth, self.border, pixels, watch)
    }
}

impl Spheres {
    /// Draws the cross section of a ball in slice z.
    #[inline(always)]
    fn cut(
        &self,
        ball: &Shape,
        z: usize,
        depth: usize,
        ink: &mut BitRows,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let &Shape { center: [center, y, x], radius, .. } = ball;
        let (here, depth) = (z as f64 + 0.5, depth as f64);
        let disc = |center: f64| {
            let square = (radius - (here - center)) * (radius + (here - center));
            (square >= 0.0).then(|| Disc { x, y, radius: square.sqrt() })
        };
        if self.border != Border::Periodic {
            return disc(center).map_or(Ok(()), |disc| disc.fill(ink, self.border, watch));
        }
        // The largest disc contains the discs of all other copies.
        let largest = copies(center, radius, depth).filter_map(disc).map(|disc| disc.radius).reduce(f64::max);
        largest.map_or(Ok(()), |radius| Disc { x, y, radius }.fill(ink, self.border, watch))
    }
}
