//! Rendering: a renderer draws an image's ink into bits, which are blurred and written as gray values.

mod blur;
mod circles;

pub use circles::Circles;

use crate::Error;
use crate::batch::{check_length, check_sides};
use crate::components::{BitRows, TallyScratch};
use crate::foreground::Foreground;
use crate::packing::{Gray as Thresholded, Threshold};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::score::ratio;
use crate::simd::Level;
use blur::{Blur, Gray};

/// Height and width in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

/// Where images are written, one after the other without gaps.
pub enum Pixels<'a> {
    /// Gray values, 1.0 is white.
    Float32(&'a mut [f32]),
    /// Gray values, 255 is white.
    Uint8(&'a mut [u8]),
}

/// A family of random images, each a pure function of the seed, its index and the size.
pub trait Renderer: Sync {
    /// Memory that a thread keeps from one image to the next.
    type Scratch: Default;

    /// Sets the ink pixels of a cleared image; returns the standard deviation, in pixels, of the blur to lay
    /// over it.
    #[doc(hidden)]
    fn draw(
        &self,
        seed: u64,
        index: u64,
        ink: &mut BitRows,
        scratch: &mut Self::Scratch,
        watch: &mut Watch<'_>,
    ) -> Result<f64, Error>;
}

/// Writes the images `indices` of a seed and, if asked, their scores as [`score`](crate::score) gives them by
/// default.
pub fn render(
    renderer: &impl Renderer,
    seed: u64,
    indices: &[u64],
    size: Size,
    pixels: Pixels<'_>,
    scores: Option<&mut [f32]>,
    runner: &Runner<'_>,
) -> Result<(), Error> {
    match pixels {
        Pixels::Float32(pixels) => {
            let packing = Threshold(Foreground::default().float32());
            render_as(renderer, seed, indices, size, pixels, scores, packing, runner)
        }
        Pixels::Uint8(pixels) => {
            let packing = Threshold(Foreground::default().uint8());
            render_as(renderer, seed, indices, size, pixels, scores, packing, runner)
        }
    }
}

/// The cost of rendering a pixel, compared with scoring it.
const UNITS_PER_PIXEL: usize = 8;
/// The cost of an image beyond its pixels.
const UNITS_PER_IMAGE: usize = 4096;

#[expect(clippy::too_many_arguments, reason = "the arguments of `render`, and the pixel type's way to bits")]
fn render_as<R: Renderer, T: Gray + Thresholded>(
    renderer: &R,
    seed: u64,
    indices: &[u64],
    Size { height, width }: Size,
    pixels: &mut [T],
    scores: Option<&mut [f32]>,
    packing: Threshold<T>,
    runner: &Runner<'_>,
) -> Result<(), Error> {
    check_sides(1, height, width)?;
    let level = Level::chosen()?;
    check_length("pixels", pixels.len(), indices.len().saturating_mul(height * width))?;
    if let Some(scores) = &scores {
        check_length("scores", scores.len(), indices.len())?;
    }
    let per_image = height * width;
    let per_task = images_per_task(per_image * UNITS_PER_PIXEL + UNITS_PER_IMAGE);
    let mut score_chunks = scores.map(|scores| scores.chunks_mut(per_task));
    let tasks: Vec<_> = indices
        .chunks(per_task)
        .zip(pixels.chunks_mut(per_task * per_image))
        .map(|(indices, pixels)| (indices, pixels, score_chunks.as_mut().and_then(Iterator::next)))
        .collect();
    let scratch = || {
        let mut ink = BitRows::default();
        ink.resize(1, height, width);
        Canvas::<R> {
            ink,
            renderer: R::Scratch::default(),
            blur: Blur::default(),
            scoring: TallyScratch::default(),
        }
    };
    runner.run(tasks.into_iter(), scratch, |canvas, (indices, pixels, mut scores), watch| {
        for (position, (&index, image)) in indices.iter().zip(pixels.chunks_exact_mut(per_image)).enumerate()
        {
            canvas.ink.clear();
            let sigma = renderer.draw(seed, index, &mut canvas.ink, &mut canvas.renderer, watch)?;
            canvas.blur.write(&canvas.ink, sigma, image, watch)?;
            if let Some(scores) = &mut scores {
                let tally = canvas.scoring.tally(level, image, width, packing, watch)?;
                scores[position] = ratio(tally.largest_area, tally.area);
            }
            watch.worked(UNITS_PER_IMAGE)?;
        }
        Ok(())
    })
}

/// What a thread keeps from one image to the next.
struct Canvas<R: Renderer> {
    ink: BitRows,
    renderer: R::Scratch,
    blur: Blur,
    scoring: TallyScratch,
}
