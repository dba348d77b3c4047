//! Rendering: each renderer is a family of random images, each a pure function of a seed, its index and its size.

mod blur;
mod border;
mod circles;
mod gaussian;

pub use border::Border;
pub use circles::Circles;

use crate::Error;
use crate::batch::{check_length, check_sides};
use crate::components::TallyScratch;
use crate::foreground::Foreground;
use crate::packing::Threshold;
use crate::parallel::{Runner, Watch, images_per_task};
use crate::score::ratio;
use crate::simd::{Kernel, Level, Simd};
use blur::Gray;

/// Height and width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Renderer {
    /// Discs under a blur.
    Circles(Circles),
}

/// Where images are written, one after the other without gaps.
pub enum Pixels<'a> {
    /// Gray values, 1.0 is white.
    Float32(&'a mut [f32]),
    /// Gray values, 255 is white.
    Uint8(&'a mut [u8]),
    /// Gray values as in [`Pixels::Float32`], of which nothing but the scores is kept.
    NoFloat32,
    /// Gray values as in [`Pixels::Uint8`], of which nothing but the scores is kept.
    NoUint8,
}

/// Writes the images `indices` of a seed and, if asked, their scores as [`score`](crate::score) gives them by
/// default.
pub fn render(
    renderer: &Renderer,
    seed: u64,
    indices: &[u64],
    size: Size,
    pixels: Pixels<'_>,
    scores: Option<&mut [f32]>,
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let order = Order { seed, indices, size, runner };
    match renderer {
        Renderer::Circles(circles) => order.fill(circles, pixels, scores),
    }
}

/// One image of a seed.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    seed: u64,
    index: u64,
    size: Size,
}

/// What a renderer can do.
pub(crate) trait Paint: Sync {
    /// Memory that a thread keeps from one image to the next.
    type Scratch: Default;

    /// Writes the gray values of an image.
    fn paint<S: Simd, T: Gray>(
        &self,
        simd: S,
        image: Image,
        scratch: &mut Self::Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error>;
}

/// The cost of rendering a pixel, compared with scoring it.
const UNITS_PER_PIXEL: usize = 8;
/// The cost of an image beyond its pixels.
const UNITS_PER_IMAGE: usize = 4096;

/// Which images are wanted.
struct Order<'a> {
    seed: u64,
    indices: &'a [u64],
    size: Size,
    runner: &'a Runner<'a>,
}

impl Order<'_> {
    fn fill(
        &self,
        painter: &impl Paint,
        pixels: Pixels<'_>,
        scores: Option<&mut [f32]>,
    ) -> Result<(), Error> {
        let (floats, bytes) = (Foreground::default().float32(), Foreground::default().uint8());
        match pixels {
            Pixels::Float32(pixels) => self.fill_as(painter, Some(pixels), scores, Threshold(floats)),
            Pixels::Uint8(pixels) => self.fill_as(painter, Some(pixels), scores, Threshold(bytes)),
            Pixels::NoFloat32 => self.fill_as(painter, None, scores, Threshold(floats)),
            Pixels::NoUint8 => self.fill_as(painter, None, scores, Threshold(bytes)),
        }
    }

    fn fill_as<P: Paint, T: Gray>(
        &self,
        painter: &P,
        pixels: Option<&mut [T]>,
        scores: Option<&mut [f32]>,
        packing: Threshold<T>,
    ) -> Result<(), Error> {
        let &Self { seed, indices, size, runner } = self;
        let Size { height, width } = size;
        check_sides(1, height, width)?;
        let level = Level::chosen()?;
        let per_image = height * width;
        if let Some(pixels) = &pixels {
            check_length("pixels", pixels.len(), indices.len().saturating_mul(per_image))?;
        }
        if let Some(scores) = &scores {
            check_length("scores", scores.len(), indices.len())?;
        }
        let per_task = images_per_task(per_image * UNITS_PER_PIXEL + UNITS_PER_IMAGE);
        let mut pixel_chunks = pixels.map(|pixels| pixels.chunks_mut(per_task * per_image));
        let mut score_chunks = scores.map(|scores| scores.chunks_mut(per_task));
        let tasks: Vec<_> = indices
            .chunks(per_task)
            .map(|indices| {
                let pixels = pixel_chunks.as_mut().and_then(Iterator::next);
                (indices, pixels, score_chunks.as_mut().and_then(Iterator::next))
            })
            .collect();
        runner.run(tasks.into_iter(), Canvas::default, |canvas, (indices, pixels, scores), watch| {
            level.run(Task { painter, seed, indices, size, level, packing, pixels, scores, canvas, watch })
        })
    }
}

/// What a thread keeps from one image to the next.
struct Canvas<P: Paint, T> {
    painter: P::Scratch,
    scoring: TallyScratch,
    /// The image, if it is not kept.
    image: Vec<T>,
}

impl<P: Paint, T> Default for Canvas<P, T> {
    fn default() -> Self {
        Self { painter: P::Scratch::default(), scoring: TallyScratch::default(), image: Vec::new() }
    }
}

/// Some images after each other.
struct Task<'s, 'w, P: Paint, T> {
    painter: &'s P,
    seed: u64,
    indices: &'s [u64],
    size: Size,
    level: Level,
    packing: Threshold<T>,
    pixels: Option<&'s mut [T]>,
    scores: Option<&'s mut [f32]>,
    canvas: &'s mut Canvas<P, T>,
    watch: &'s mut Watch<'w>,
}

impl<P: Paint, T: Gray> Kernel for Task<'_, '_, P, T> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<(), Error> {
        let Self { painter, seed, indices, size, level, packing, mut pixels, mut scores, canvas, watch } =
            self;
        let per_image = size.height * size.width;
        for (position, &index) in indices.iter().enumerate() {
            let image = match &mut pixels {
                Some(pixels) => &mut pixels[position * per_image..][..per_image],
                None => {
                    canvas.image.resize(per_image, T::default());
                    &mut canvas.image[..]
                }
            };
            painter.paint(simd, Image { seed, index, size }, &mut canvas.painter, image, watch)?;
            if let Some(scores) = &mut scores {
                let tally = canvas.scoring.tally(level, image, size.width, packing, watch)?;
                scores[position] = ratio(tally.largest_area, tally.area);
            }
            watch.worked(UNITS_PER_IMAGE)?;
        }
        Ok(())
    }
}
