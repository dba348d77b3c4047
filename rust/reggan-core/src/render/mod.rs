//! Rendering: families of random images. Each image is a pure function of its renderer, seed, index and size.

mod binary_blobs;
mod blur;
mod border;
mod circles;
mod discs;
mod filter;
mod gaussian;
mod lines;
mod polygons;
mod spheres;

pub use binary_blobs::BinaryBlobs;
pub use border::Border;
pub use circles::Circles;
pub use filter::{Blur, gaussian_blur};
pub use polygons::Polygons;
pub use spheres::Spheres;

use crate::Error;
use crate::batch::{check_length, check_sides};
use crate::components::{Connectivity, Options, Scratch as VolumeScratch, TallyScratch};
use crate::foreground::Foreground;
use crate::memory::{TryGrow, try_filled};
use crate::packing::{Packing, Threshold};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::score::ratio;
use crate::simd::{Kernel, Level, Simd};
use blur::Gray;

/// Sides in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Slices of a volume; 1 for an image.
    pub depth: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Size {
    fn pixels(self) -> usize {
        self.depth * self.height * self.width
    }

    fn shorter_side(self) -> f64 {
        self.height.min(self.width) as f64
    }
}

/// A family of images.
#[derive(Clone, Debug, PartialEq)]
pub enum Renderer {
    /// Thresholded noise.
    BinaryBlobs(BinaryBlobs),
    /// Discs under a blur.
    Circles(Circles),
    /// Irregular blobs that keep a distance.
    Polygons(Polygons),
    /// Volumes with balls under a blur.
    Spheres(Spheres),
}

/// Evaluates an expression with any kind of renderer.
macro_rules! with_painter {
    ($renderer:expr, $painter:ident => $body:expr) => {
        match $renderer {
            Renderer::BinaryBlobs($painter) => $body,
            Renderer::Circles($painter) => $body,
            Renderer::Polygons($painter) => $body,
            Renderer::Spheres($painter) => $body,
        }
    };
}

impl Renderer {
    /// Planes of an image: 1, or 3 if it is RGB.
    pub fn planes(&self) -> usize {
        with_painter!(self, painter => painter.planes())
    }

    /// The most shapes in an image of this size.
    pub fn most_shapes(&self, size: Size) -> usize {
        with_painter!(self, painter => painter.most_shapes(size))
    }

    /// A lower bound on the working memory in bytes that a thread needs to draw an image of this size.
    pub fn scratch(&self, size: Size) -> usize {
        with_painter!(self, painter => painter.scratch(size))
    }
}

/// Where images are written: contiguous, one after another, each plane by plane.
pub enum Pixels<'a> {
    /// Gray values, 1.0 is white.
    Float32(&'a mut [f32]),
    /// Gray values, 255 is white.
    Uint8(&'a mut [u8]),
    /// Gray values as in [`Pixels::Float32`] that are scored and discarded.
    NoFloat32,
    /// Gray values as in [`Pixels::Uint8`] that are scored and discarded.
    NoUint8,
}

/// Writes the images `indices` of a seed and, if requested, their scores, as [`score`](crate::score) computes
/// them with default options. An RGB image is scored by the darkest plane of each pixel, a volume with
/// connectivity 6.
pub fn render(
    renderer: &Renderer,
    seed: u64,
    indices: &[u64],
    size: Size,
    pixels: Pixels<'_>,
    scores: Option<&mut [f32]>,
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let request = Request { seed, indices, size, runner };
    with_painter!(renderer, painter => request.fill(painter, pixels, scores))
}

/// The description that an image is drawn from.
#[derive(Clone, Debug, Default)]
pub struct Scene {
    /// Standard deviation of the blur in pixels; NaN without a blur.
    pub sigma: f64,
    /// The shapes in drawing order.
    pub shapes: Vec<Shape>,
}

/// A shape of a [`Scene`].
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Slice, row and column. The center of the first pixel is at 0.5 in each.
    pub center: [f64; 3],
    /// Radius in pixels; NaN without a radius.
    pub radius: f64,
    /// Red, green and blue, from 0 to 1.
    pub color: [f32; 3],
}

const BLACK: [f32; 3] = [0.0; 3];

/// Passes the scenes of the images `indices` of a seed to `write`, block by block, with the position of the
/// first scene in the block.
pub fn scenes(
    renderer: &Renderer,
    seed: u64,
    indices: &[u64],
    size: Size,
    runner: &Runner<'_>,
    write: impl FnMut(usize, &[Scene]),
) -> Result<(), Error> {
    let request = Request { seed, indices, size, runner };
    with_painter!(renderer, painter => request.scenes(painter, write))
}

/// One image of a seed.
#[derive(Clone, Copy)]
pub(crate) struct Image {
    seed: u64,
    index: u64,
    size: Size,
}

/// The interface of a renderer.
pub(crate) trait Paint: Sync {
    /// Working memory of a thread, reused from image to image.
    type Scratch: Default;

    /// Planes of an image: 1, or 3 if it is RGB.
    fn planes(&self) -> usize {
        1
    }

    /// Fails if images of this size cannot be drawn. The sides are already checked to be in the supported
    /// range.
    fn check(&self, size: Size) -> Result<(), Error> {
        flat(size)
    }

    /// The most shapes in a scene of this size.
    fn most_shapes(&self, size: Size) -> usize;

    /// A lower bound on the bytes of [`Paint::Scratch`] that grow with the size.
    fn scratch(&self, size: Size) -> usize;

    /// The description that an image is drawn from.
    fn scene(&self, image: Image, scene: &mut Scene, watch: &mut Watch<'_>) -> Result<(), Error>;

    /// Draws an image, plane by plane.
    fn paint<S: Simd, T: Gray>(
        &self,
        simd: S,
        image: Image,
        scratch: &mut Self::Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error>;
}

/// Fails if this is the size of a volume.
fn flat(size: Size) -> Result<(), Error> {
    if size.depth == 1 {
        return Ok(());
    }
    Err(Error::invalid(format!("the depth is {}, but images have depth 1", size.depth)))
}

/// Like [`TryGrow::try_resize`], but piece by piece with interrupt checks, as touching new memory is slow.
#[inline(always)]
fn resize<T: Copy>(values: &mut Vec<T>, len: usize, value: T, watch: &mut Watch<'_>) -> Result<(), Error> {
    values.try_reserve_room(len.saturating_sub(values.len()))?;
    while values.len() < len {
        let piece = PIECE.min(len - values.len());
        values.try_resize(values.len() + piece, value)?;
        watch.worked(piece)?;
    }
    values.truncate(len);
    Ok(())
}

/// Checks the range of an option.
fn check_range(name: &str, (low, high): (f64, f64), allowed: (f64, f64)) -> Result<(), Error> {
    if low >= allowed.0 && low <= high && high <= allowed.1 {
        return Ok(());
    }
    let (least, most) = allowed;
    Err(Error::invalid(format!(
        "{name} is ({low}, {high}), but must be (low, high) with {least} <= low <= high <= {most}"
    )))
}

/// Checks the range of a count, which starts at 1.
fn check_counts(name: &str, (low, high): (u32, u32), most: u32) -> Result<(), Error> {
    check_range(name, (low.into(), high.into()), (1.0, most.into()))
}

/// The cost of rendering a pixel, relative to scoring it.
const UNITS_PER_PIXEL: usize = 8;
/// The fixed cost of an image.
const UNITS_PER_IMAGE: usize = 4096;
const SCENES_PER_TASK: usize = 64;
/// Scenes in memory at once.
const SCENES_PER_BLOCK: usize = 1 << 12;
/// Elements of a long vector that are processed between two interrupt checks.
const PIECE: usize = 1 << 16;

/// The cost of an image. It saturates, as it may overflow a `usize` of 32 bits.
fn units_of(pixels: usize) -> usize {
    pixels.saturating_mul(UNITS_PER_PIXEL).saturating_add(UNITS_PER_IMAGE)
}

/// A request for images.
struct Request<'a> {
    seed: u64,
    indices: &'a [u64],
    size: Size,
    runner: &'a Runner<'a>,
}

impl Request<'_> {
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
        check_sides(size.depth, size.height, size.width)?;
        painter.check(size)?;
        let level = Level::chosen()?;
        let per_image = painter.planes() * size.pixels();
        if let Some(pixels) = &pixels {
            check_length("pixels", pixels.len(), indices.len().saturating_mul(per_image))?;
        }
        if let Some(scores) = &scores {
            check_length("scores", scores.len(), indices.len())?;
        }
        let per_task = images_per_task(units_of(per_image));
        let mut pixel_chunks = pixels.map(|pixels| pixels.chunks_mut(per_task * per_image));
        let mut score_chunks = scores.map(|scores| scores.chunks_mut(per_task));
        let tasks = indices.chunks(per_task).map(move |indices| {
            let pixels = pixel_chunks.as_mut().and_then(Iterator::next);
            (indices, pixels, score_chunks.as_mut().and_then(Iterator::next))
        });
        runner.run(tasks, Canvas::default, |canvas, (indices, pixels, scores), watch| {
            level.run(Task { painter, seed, indices, size, level, packing, pixels, scores, canvas, watch })
        })
    }

    fn scenes(&self, painter: &impl Paint, mut write: impl FnMut(usize, &[Scene])) -> Result<(), Error> {
        let &Self { seed, indices, size, runner } = self;
        check_sides(size.depth, size.height, size.width)?;
        painter.check(size)?;
        let mut scenes = try_filled(SCENES_PER_BLOCK.min(indices.len()), Scene::default())?;
        for (block, indices) in indices.chunks(SCENES_PER_BLOCK).enumerate() {
            if block > 0 {
                runner.check()?;
            }
            let scenes = &mut scenes[..indices.len()];
            let tasks = indices.chunks(SCENES_PER_TASK).zip(scenes.chunks_mut(SCENES_PER_TASK));
            let make = |(): &mut (), (indices, scenes): (&[u64], &mut [Scene]), watch: &mut Watch<'_>| {
                for (&index, scene) in indices.iter().zip(scenes) {
                    painter.scene(Image { seed, index, size }, scene, watch)?;
                    watch.worked(UNITS_PER_IMAGE)?;
                }
                Ok(())
            };
            runner.run(tasks, || (), make)?;
            write(block * SCENES_PER_BLOCK, scenes);
        }
        Ok(())
    }
}

/// Working memory of a thread, reused from image to image.
struct Canvas<P: Paint, T> {
    painter: P::Scratch,
    scorer: Scorer<T>,
    /// The image, if it is discarded after scoring.
    image: Vec<T>,
}

impl<P: Paint, T: Gray> Default for Canvas<P, T> {
    fn default() -> Self {
        Self { painter: P::Scratch::default(), scorer: Scorer::default(), image: Vec::new() }
    }
}

/// Draws and scores consecutive images.
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
        let per_image = painter.planes() * size.pixels();
        for (position, &index) in indices.iter().enumerate() {
            let image = match &mut pixels {
                Some(pixels) => &mut pixels[position * per_image..][..per_image],
                None => {
                    resize(&mut canvas.image, per_image, T::default(), watch)?;
                    &mut canvas.image[..]
                }
            };
            painter.paint(simd, Image { seed, index, size }, &mut canvas.painter, image, watch)?;
            if let Some(scores) = &mut scores {
                scores[position] = canvas.scorer.score(simd, level, image, size, packing, watch)?;
            }
            watch.worked(UNITS_PER_IMAGE)?;
        }
        Ok(())
    }
}

/// Scores images that are still in the cache.
struct Scorer<T> {
    images: TallyScratch,
    volumes: VolumeScratch,
    /// The darkest plane of each pixel.
    gray: Vec<T>,
}

impl<T> Default for Scorer<T> {
    fn default() -> Self {
        Self { images: TallyScratch::default(), volumes: VolumeScratch::default(), gray: Vec::new() }
    }
}

impl<T: Gray> Scorer<T> {
    #[inline(always)]
    fn score<S: Simd>(
        &mut self,
        simd: S,
        level: Level,
        image: &[T],
        size: Size,
        packing: Threshold<T>,
        watch: &mut Watch<'_>,
    ) -> Result<f32, Error> {
        let Self { images, volumes, gray } = self;
        let Size { depth, height, width } = size;
        let tally = if depth > 1 {
            volumes.bits.resize(depth, height, width)?;
            for (row, words) in image.chunks_exact(width).zip(volumes.bits.rows_mut()) {
                packing.pack(simd, row, width, |position, bits| words[position] = bits);
                watch.worked(width)?;
            }
            volumes.tally(Options { connectivity: Connectivity::Six, ..Options::default() }, watch)?
        } else if image.len() > size.pixels() {
            let (first, others) = image.split_at(size.pixels());
            resize(gray, first.len(), T::default(), watch)?;
            gray.copy_from_slice(first);
            for plane in others.chunks_exact(first.len()) {
                for (gray, plane) in gray.chunks_mut(PIECE).zip(plane.chunks(PIECE)) {
                    for (darkest, &value) in gray.iter_mut().zip(plane) {
                        *darkest = if value < *darkest { value } else { *darkest };
                    }
                    watch.worked(plane.len())?;
                }
            }
            images.tally(level, gray, width, packing, watch)?
        } else {
            images.tally(level, image, width, packing, watch)?
        };
        Ok(ratio(tally.largest_area, tally.area))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::ops::RangeInclusive;

    use super::*;
    use crate::foreground::{Pixel, Predicate};
    use crate::packing::Gray as Thresholded;
    use blur::FromInk;

    thread_local! {
        /// Pixels read and written since the last interrupt check.
        static PIXELS: Cell<usize> = const { Cell::new(0) };
    }

    /// A gray value that counts how often it is read and written.
    #[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
    pub(super) struct Counted(pub(super) f32);

    impl Counted {
        pub(super) fn new(value: f32) -> Self {
            PIXELS.set(PIXELS.get() + 1);
            Self(value)
        }
    }

    impl Pixel for Counted {
        const KEYS: RangeInclusive<i64> = f32::KEYS;
        fn from_key(key: i64) -> Self {
            Self(f32::from_key(key))
        }
    }

    impl Thresholded for Counted {
        fn at_most<S: Simd>(simd: S, pixels: &[Self; 64], limit: Self) -> (u64, u64) {
            f32::at_most(simd, &pixels.map(|pixel| pixel.0), limit.0)
        }
    }

    impl FromInk for Counted {
        fn from_ink(ink: f32) -> Self {
            Self::new(f32::from_ink(ink))
        }
    }

    impl Gray for Counted {}

    /// The most pixels that are used between two interrupt checks.
    pub(super) fn most_between_checks(work: impl FnOnce(&mut Watch<'_>) -> Result<(), Error>) -> usize {
        let mut most = 0;
        let mut check = || {
            most = most.max(PIXELS.replace(0));
            false
        };
        PIXELS.set(0);
        work(&mut Watch::new(&mut check)).unwrap();
        check();
        most
    }

    #[test]
    fn renderers_check_for_interrupts_often() {
        let circles = |blur, antialias| {
            let circles = Circles::new((4, 4), (2.0, 7.0), blur, (0.0, 0.0), antialias, Border::Paper);
            Renderer::Circles(circles.unwrap())
        };
        let polygons = |color| Polygons::new((3, 3), 0.5, 200, 3.0, 7.0, 1.0, 1.0, color).unwrap();
        let renderers = [
            circles((0.0, 0.0), false),
            circles((0.1, 0.1), true),
            circles((3.0, 3.0), false),
            Renderer::BinaryBlobs(BinaryBlobs::new((200, 200), 0.6, true, 1, Border::Reflect).unwrap()),
            Renderer::Polygons(polygons(false)),
            Renderer::Polygons(polygons(true)),
            Renderer::Spheres(Spheres::new((3, 3), (6.0, 14.0), (0.5, 0.5), Border::Paper).unwrap()),
        ];
        for renderer in renderers {
            let depth = if matches!(renderer, Renderer::Spheres(_)) { 64 } else { 1 };
            let size = Size { depth, height: 2048 / depth, width: 1024 };
            let mut pixels = vec![Counted::default(); renderer.planes() * size.pixels()];
            let most = with_painter!(&renderer, painter => most_between_checks(|watch| {
                let indices = &[1];
                Level::chosen()?.run(Task {
                    painter,
                    seed: 0,
                    indices,
                    size,
                    level: Level::chosen()?,
                    packing: Threshold(Predicate { at_most: Counted(0.5), negate: false }),
                    pixels: Some(&mut pixels),
                    scores: None,
                    canvas: &mut Canvas::default(),
                    watch,
                })
            }));
            assert!(most <= 1 << 19, "{most} pixels of {renderer:?}");
        }
    }
}
