//! Repair: the smallest edit that makes the ink of an image one piece.
//!
//! The largest piece (among equal ones, the first in raster order) stays where it is. The others are erased,
//! slid until they touch, or joined by bridges. Gray images have a soft halo around the ink; each pixel of it
//! belongs to the piece that is nearest to it, and goes where that piece goes.

mod bridge;
mod erase;
mod halo;
mod pieces;
mod slide;
mod steiner;

use half::f16;

use halo::Halo;
use pieces::Pieces;
use steiner::Steiner;

use crate::Error;
use crate::batch::{Batch, Images, check_length};
use crate::components::{
    BitRows, Components, Connectivity, Numbered, Options, Pack, for_each_tally, largest_number,
};
use crate::foreground::{Foreground, Predicate, Side};
use crate::memory::TryGrow;
use crate::packing::{Gray, Threshold};
use crate::parallel::{Runner, images_per_task};
use crate::simd::Level;

/// What happens to the pieces beside the largest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// They become paper, with their halos.
    Erase,
    /// They move, with their halos, along the shortest way until they touch the body, the nearest piece first.
    /// The body is the largest piece and all that touch it by then. A piece that would have to leave the image
    /// is joined by a bridge of one pixel.
    Slide,
    /// Bridges of this width in pixels join them. Bridges of one pixel have the fewest pixels that join up to
    /// five pieces, in images of at most 2^20 pixels. Otherwise, the nearest piece is joined to the body by a
    /// shortest bridge, which is then part of it, until there is one piece.
    Bridge {
        /// Pixels, at least 1.
        width: usize,
    },
}

/// Images and their repaired copies, which are contiguous. White is 1.0, 255 or true.
#[expect(missing_docs, reason = "the fields are the same in each variant")]
pub enum Repair<'a, 'r> {
    /// Gray values, 1.0 is white.
    Float64 { images: Batch<'a, f64>, repaired: &'r mut [f64] },
    /// Gray values, 1.0 is white.
    Float32 { images: Batch<'a, f32>, repaired: &'r mut [f32] },
    /// Gray values, 1.0 is white.
    Float16 { images: Batch<'a, f16>, repaired: &'r mut [f16] },
    /// Gray values, 255 is white.
    Uint8 { images: Batch<'a, u8>, repaired: &'r mut [u8] },
    /// One byte a pixel: 0 is ink, any other value is white.
    Bool { images: Batch<'a, u8>, repaired: &'r mut [u8] },
}

/// Writes for every image the smallest edit whose ink is one piece, and the number of pixels that changed
/// between ink and paper. Images that have at most one piece are copied.
pub fn repair_connected(
    repair: Repair<'_, '_>,
    options: Options,
    method: Method,
    changed: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let images = match repair {
        Repair::Float64 { images, .. } => Images::Float64(images),
        Repair::Float32 { images, .. } => Images::Float32(images),
        Repair::Float16 { images, .. } => Images::Float16(images),
        Repair::Uint8 { images, .. } => Images::Uint8(images),
        Repair::Bool { images, .. } => Images::Bool(images),
    };
    let (_, depth, height, width) = images.dim();
    if depth != 1 || options.connectivity.is_spatial() {
        return Err(Error::invalid("only images are repaired, with connectivity 4 or 8, not volumes"));
    }
    if options.periodic {
        return Err(Error::invalid("only images with open borders are repaired"));
    }
    if options.foreground.side() != Side::Dark {
        return Err(Error::invalid("only dark ink on light paper is repaired"));
    }
    if method == (Method::Bridge { width: 0 }) {
        return Err(Error::invalid("bridges are 0 pixels wide, but must have at least 1"));
    }
    // Most images may obey already, and a count costs a fraction of a repair.
    for_each_tally(images, options, false, changed, runner, |tally| i32::from(tally.count > 1))?;
    let (ink, palest) = (options.foreground, Foreground::new(Side::Dark, LEAST_INK)?);
    let work = Work {
        level: Level::chosen()?,
        connectivity: options.connectivity,
        method,
        height,
        width,
        changed,
        runner,
    };
    match repair {
        Repair::Float64 { images, repaired } => {
            work.run(images, repaired, 1.0, ink.float64(), palest.float64().at_most)
        }
        Repair::Float32 { images, repaired } => {
            work.run(images, repaired, 1.0, ink.float32(), palest.float32().at_most)
        }
        Repair::Float16 { images, repaired } => {
            work.run(images, repaired, f16::ONE, ink.float16(), palest.float16().at_most)
        }
        Repair::Uint8 { images, repaired } => {
            work.run(images, repaired, 255, ink.uint8(), palest.uint8().at_most)
        }
        Repair::Bool { images, repaired } => work.run(images, repaired, 1, ink.bool(), palest.bool().at_most),
    }
}

/// Ink of a pixel that is still a halo: half a gray level.
const LEAST_INK: f64 = 0.5 / 255.0;
/// The cost of an image that is copied, and of the repair of a pixel, in pixels of other kernels.
const UNITS_PER_IMAGE: usize = 256;
const UNITS_PER_PIXEL: usize = 16;

struct Work<'a> {
    level: Level,
    connectivity: Connectivity,
    method: Method,
    height: usize,
    width: usize,
    /// 1 for images to repair, else 0; overwritten by the number of changed pixels.
    changed: &'a mut [i32],
    runner: &'a Runner<'a>,
}

/// Working memory of a thread, reused from image to image.
#[derive(Default)]
struct Scratch<T> {
    before: Vec<T>,
    ink: BitRows,
    after: BitRows,
    components: Components,
    halo: Halo<T>,
    pieces: Pieces,
    steiner: Steiner,
}

/// What is known of an image.
struct Image<'a> {
    components: &'a Numbered<'a>,
    ink: &'a BitRows,
    /// The number of the largest piece, from 0.
    largest: u32,
    connectivity: Connectivity,
}

/// An image under repair.
struct Canvas<'a, T> {
    /// The image before its repair.
    before: &'a [T],
    width: usize,
    /// The repaired image, a copy at first.
    pixels: &'a mut [T],
    white: T,
    /// The lightest gray of a halo.
    palest: T,
}

impl<'a, T> Canvas<'a, T> {
    fn height(&self) -> usize {
        self.pixels.len() / self.width
    }

    /// A row of the image before its repair.
    fn row(&self, y: usize) -> &'a [T] {
        &self.before[y * self.width..][..self.width]
    }
}

impl Work<'_> {
    fn run<T: Gray + PartialOrd>(
        self,
        images: Batch<'_, T>,
        repaired: &mut [T],
        white: T,
        ink: Predicate<T>,
        palest: T,
    ) -> Result<(), Error> {
        let Self { level, connectivity, method, height, width, changed, runner } = self;
        check_length("repaired", repaired.len(), changed.len().saturating_mul(height * width))?;
        if (white <= ink.at_most) != ink.negate && changed.iter().any(|&repair| repair != 0) {
            return Err(Error::invalid("the threshold makes white paper ink, so that nothing can be erased"));
        }
        let per_task = images_per_task(height * width * UNITS_PER_PIXEL + UNITS_PER_IMAGE);
        let tasks =
            changed.chunks_mut(per_task).zip(repaired.chunks_mut(per_task * height * width)).enumerate();
        runner.run(tasks, Scratch::<T>::default, |scratch, (task, (changed, repaired)), watch| {
            for (position, (changed, pixels)) in
                changed.iter_mut().zip(repaired.chunks_exact_mut(height * width)).enumerate()
            {
                let rows = images.rows(task * per_task + position);
                for (pixels, row) in pixels.chunks_exact_mut(width).zip(rows.clone()) {
                    pixels.copy_from_slice(&row[..width]);
                }
                watch.worked(UNITS_PER_IMAGE)?;
                if *changed == 0 {
                    continue;
                }
                let Scratch { before, ink: bits, after, components, halo, pieces, steiner } = scratch;
                bits.resize(1, height, width)?;
                level.run(Pack { rows: rows.clone(), packing: Threshold(ink), bits, watch })?;
                components.find(bits, connectivity, watch)?;
                let components = &components.number(watch)?;
                let Some(largest) = largest_number(components.areas()) else { continue };
                let image = &Image { components, ink: bits, largest: largest - 1, connectivity };
                before.clear();
                before.try_extend(pixels.iter().copied())?;
                let canvas = Canvas { before, width, pixels, white, palest };
                halo.measure(&canvas, bits, watch)?;
                *changed = match method {
                    Method::Erase => erase::erase(canvas, image, halo, watch)?,
                    Method::Slide => slide::slide(canvas, image, halo, pieces, after, watch)?,
                    Method::Bridge { width } => {
                        bridge::bridge(canvas, image, width, halo, pieces, steiner, after, watch)?
                    }
                };
                watch.worked(height * width)?;
            }
            Ok(())
        })
    }
}
