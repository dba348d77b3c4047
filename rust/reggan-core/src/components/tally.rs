//! Areas and counts of components. Small images are processed one after another, huge images in stripes on
//! several threads.

use std::ops::Range;

use super::euler::euler_number;
use super::strips::Strips;
use super::sweep::{Border, Sought, Stripe, Sweep, Tally};
use super::tile::MAX_ROWS;
use super::{Options, for_each_image};
use crate::Error;
use crate::batch::{Batch, Images, Rows, check_length};
use crate::memory::try_collect;
use crate::packing::{Gray, OnRows, Packing, Threshold, on_rows};
use crate::parallel::{Runner, UNITS_PER_TASK, Watch, images_per_task};
use crate::simd::{Kernel, Level, Simd};

/// Most words in a band, chosen to fit the L2 cache.
const BAND_WORDS: usize = 1 << 15;
/// Stripes for each thread; more than one, as their costs differ.
const STRIPES_PER_THREAD: usize = 4;
/// The fixed cost of an image, in pixels.
const UNITS_PER_IMAGE: usize = 1024;

/// The most rows of a band of this width.
pub(super) fn rows_of_band(width: usize) -> usize {
    (BAND_WORDS / width.div_ceil(64)).min(MAX_ROWS)
}

/// Writes `measure(tally)` of each image to its element of `out`. The Euler number is in the tally if `euler`.
pub(crate) fn for_each_tally<O: Send>(
    images: Images<'_>,
    options: Options,
    euler: bool,
    out: &mut [O],
    runner: &Runner<'_>,
    measure: impl Fn(Tally) -> O + Sync,
) -> Result<(), Error> {
    let (_, depth, height, width) = images.dim();
    let Options { foreground, connectivity, periodic } = options;
    options.check(depth)?;
    if connectivity.is_spatial() || periodic && height > rows_of_band(width) {
        return for_each_image(images, options, out, 1, runner, |scratch, out, watch| {
            let tally = scratch.tally(options, watch)?;
            let euler = if euler { euler_number(&scratch.bits, options, watch)? } else { 0 };
            out[0] = measure(Tally { euler, ..tally });
            Ok(())
        });
    }
    let level = Level::chosen()?;
    let border = if periodic { Border::Periodic } else { Border::Open };
    let sought = Sought { connectivity, border, euler };
    on_rows(images, foreground, Tallies { level, height, width, sought, out, measure, runner })
}

struct Tallies<'a, O, M> {
    level: Level,
    height: usize,
    width: usize,
    sought: Sought,
    out: &'a mut [O],
    measure: M,
    runner: &'a Runner<'a>,
}

impl<O: Send, M: Fn(Tally) -> O + Sync> OnRows for Tallies<'_, O, M> {
    type Output = Result<(), Error>;

    fn on<P: Packing>(self, batch: Batch<'_, P::Element>, packing: P) -> Result<(), Error> {
        check_length("out", self.out.len(), batch.dim().0)?;
        let tasks_per_image = self.height * self.width / UNITS_PER_TASK;
        if self.sought.border != Border::Open
            || tasks_per_image < 2
            || self.out.len() >= self.runner.threads()
        {
            return self.by_images(batch, packing);
        }
        let stripes = tasks_per_image.min(STRIPES_PER_THREAD * self.runner.threads());
        let stripe_rows = self.height.div_ceil(stripes);
        self.by_stripes(batch, packing, stripe_rows)
    }
}

impl<O: Send, M: Fn(Tally) -> O + Sync> Tallies<'_, O, M> {
    fn by_images<P: Packing>(self, batch: Batch<'_, P::Element>, packing: P) -> Result<(), Error> {
        let Self { level, height, width, sought, out, measure, runner } = self;
        let per_task = images_per_task(height * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task).enumerate();
        runner.run(tasks, Scratch::default, |scratch, (task, out), watch| {
            let first = task * per_task;
            let (images, image_rows) = (first..first + out.len(), |image| batch.rows(image));
            let emit = |image: usize, tally| out[image - first] = measure(tally);
            level.run(Scan { images, image_rows, height, width, packing, sought, scratch, emit, watch })
        })
    }

    /// Processes each image in stripes of at most `stripe_rows` rows.
    fn by_stripes<P: Packing>(
        self,
        batch: Batch<'_, P::Element>,
        packing: P,
        stripe_rows: usize,
    ) -> Result<(), Error> {
        let Self { level, height, width, sought, out, measure, runner } = self;
        for (image, out) in out.iter_mut().enumerate() {
            let mut stripes = try_collect((0..height.div_ceil(stripe_rows)).map(|_| None))?;
            let tasks = stripes.iter_mut().enumerate();
            runner.run(tasks, Scratch::default, |scratch, (task, stripe), watch| {
                let top = task * stripe_rows;
                let (images, image_rows) = (image..image + 1, |image| batch.rows(image).skip_rows(top));
                let (height, emit) = (stripe_rows.min(height - top), |_, _| ());
                let again = &mut *scratch;
                level.run(Scan {
                    images,
                    image_rows,
                    height,
                    width,
                    packing,
                    sought,
                    scratch: again,
                    emit,
                    watch,
                })?;
                *stripe = Some(std::mem::take(&mut scratch.sweep).into_stripe(&scratch.strips)?);
                Ok(())
            })?;
            let mut stripes = stripes.into_iter().flatten();
            let first = stripes.next();
            let whole = first.map(|first| stripes.try_fold(first, Stripe::above)).transpose()?;
            *out = measure(whole.map_or_else(Tally::default, |whole| whole.tally()));
        }
        Ok(())
    }
}

/// Working memory of a thread, reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    strips: Strips,
    ahead: Strips,
    sweep: Sweep,
}

impl Scratch {
    /// The tally of one image, which must not hold NaN.
    pub(crate) fn tally<T: Gray>(
        &mut self,
        level: Level,
        pixels: &[T],
        width: usize,
        packing: Threshold<T>,
        watch: &mut Watch<'_>,
    ) -> Result<Tally, Error> {
        let mut result = Tally::default();
        level.run(Scan {
            images: 0..1,
            image_rows: |_| Rows::of(pixels, width),
            height: pixels.len() / width,
            width,
            packing,
            sought: Sought::default(),
            scratch: self,
            emit: |_, tally| result = tally,
            watch,
        })?;
        Ok(result)
    }
}

/// Sweeps images band by band.
struct Scan<'s, 'w, I, P, E> {
    images: Range<usize>,
    /// Returns the rows of an image, of which the first `height` are swept.
    image_rows: I,
    height: usize,
    width: usize,
    packing: P,
    sought: Sought,
    scratch: &'s mut Scratch,
    /// Receives the tally of an image.
    emit: E,
    watch: &'s mut Watch<'w>,
}

/// Consecutive rows of an image.
#[derive(Clone, Copy)]
struct Band {
    image: usize,
    top: usize,
    rows: usize,
}

impl<'a, I, P, E> Kernel for Scan<'_, '_, I, P, E>
where
    I: Fn(usize) -> Rows<'a, P::Element>,
    P: Packing<Element: 'a>,
    E: FnMut(usize, Tally),
{
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<(), Error> {
        let Self { images, image_rows, height, width, packing, sought, scratch, mut emit, watch } = self;
        let Scratch { strips, ahead, sweep } = scratch;
        let most_rows = rows_of_band(width);
        let band = |image, top| Band { image, top, rows: most_rows.min(height - top) };

        let mut current = band(images.start, 0);
        let mut source = image_rows(current.image);
        strips.begin(current.rows, width, None)?;
        strips.pack(simd, packing, &mut source, current.rows);
        loop {
            let Band { image, top, rows } = current;
            if strips.has_nan() {
                return Err(Error::NotANumber { image });
            }
            let is_last = top + rows == height;
            let next = match is_last {
                false => Some(band(image, top + rows)),
                true if image + 1 < images.end => Some(band(image + 1, 0)),
                true => None,
            };
            // The next band is packed during the sweep, so that loads from memory overlap with computation.
            if let Some(next) = next {
                if is_last {
                    source = image_rows(next.image);
                }
                ahead.begin(next.rows, width, (!is_last).then_some(&*strips))?;
            }
            if top == 0 {
                sweep.start(sought);
            }
            if sought.border == Border::Periodic {
                strips.wrap();
            }
            sweep.band(simd, strips, || {
                if next.is_some() {
                    ahead.pack(simd, packing, &mut source, S::LANES);
                }
            })?;
            if is_last {
                emit(image, sweep.tally());
            } else {
                sweep.end_band(strips)?;
            }
            watch.worked(rows * width + UNITS_PER_IMAGE)?;
            let Some(next) = next else { return Ok(()) };
            ahead.pack(simd, packing, &mut source, next.rows);
            std::mem::swap(strips, ahead);
            current = next;
        }
    }
}

/// Writes `measure(area)` of each image to its element of `out`, where `area` is its number of foreground
/// pixels. This only thresholds and counts pixels.
pub(crate) fn for_each_area<O: Send>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    runner: &Runner<'_>,
    measure: impl Fn(u64) -> O + Sync,
) -> Result<(), Error> {
    let (_, depth, height, width) = images.dim();
    options.check(depth)?;
    let level = Level::chosen()?;
    on_rows(images, options.foreground, Areas { level, rows: depth * height, width, out, measure, runner })
}

struct Areas<'a, O, M> {
    level: Level,
    rows: usize,
    width: usize,
    out: &'a mut [O],
    measure: M,
    runner: &'a Runner<'a>,
}

impl<O: Send, M: Fn(u64) -> O + Sync> OnRows for Areas<'_, O, M> {
    type Output = Result<(), Error>;

    fn on<P: Packing>(self, batch: Batch<'_, P::Element>, packing: P) -> Result<(), Error> {
        let Self { level, rows, width, out, measure, runner } = self;
        check_length("out", out.len(), batch.dim().0)?;
        let per_task = images_per_task(rows * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task).enumerate();
        runner.run(
            tasks,
            || (),
            |(), (task, out), watch| {
                for (image, out) in (task * per_task..).zip(out) {
                    let area = level.run(Count { rows: batch.rows(image), width, packing, watch })?;
                    *out = measure(area.ok_or(Error::NotANumber { image })?);
                    watch.worked(UNITS_PER_IMAGE)?;
                }
                Ok(())
            },
        )
    }
}

/// Counts the foreground pixels of an image.
struct Count<'s, 'w, I, P> {
    rows: I,
    width: usize,
    packing: P,
    watch: &'s mut Watch<'w>,
}

impl<'a, I, P> Kernel for Count<'_, '_, I, P>
where
    I: Iterator<Item = &'a [P::Element]>,
    P: Packing<Element: 'a>,
{
    /// `None` if any pixel is NaN.
    type Output = Result<Option<u64>, Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<Option<u64>, Error> {
        let (mut area, mut nan) = (0, false);
        for row in self.rows {
            nan |= self.packing.pack(simd, row, self.width, |_, bits| area += u64::from(bits.count_ones()));
            self.watch.worked(self.width)?;
        }
        Ok((!nan).then_some(area))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::ArrayView3;

    use super::super::Connectivity::{Eight, Four};
    use super::super::{BitRows, Scratch as Memory};
    use super::*;
    use crate::Stream;
    use crate::foreground::Foreground;

    /// Gray values, 0 is ink.
    struct Picture {
        height: usize,
        width: usize,
        pixels: Vec<u8>,
    }

    impl Picture {
        fn new(height: usize, width: usize, is_ink: impl Fn(usize, usize) -> bool) -> Self {
            let places = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
            let pixels = places.map(|(y, x)| if is_ink(y, x) { 0 } else { 255 }).collect();
            Self { height, width, pixels }
        }

        fn random(height: usize, width: usize, density: f64, number: u64) -> Self {
            let mut stream = Stream::new(3, number, 0);
            let ink: Vec<bool> = (0..height * width).map(|_| stream.uniform01() < density).collect();
            Self::new(height, width, |y, x| ink[y * width + x])
        }

        /// A line that winds inward.
        fn spiral(side: usize) -> Self {
            let mut ink = vec![false; side * side];
            let (mut y, mut x, mut direction) = (0_isize, -1_isize, 0);
            let mut length = side;
            while length > 0 {
                for _ in 0..length {
                    let (down, right) = [(0, 1), (1, 0), (0, -1), (-1, 0)][direction % 4];
                    (y, x) = (y + down, x + right);
                    ink[y as usize * side + x as usize] = true;
                }
                direction += 1;
                length = match direction {
                    1 => side - 1,
                    2 => side - 1,
                    _ if direction % 2 == 1 => length.saturating_sub(2),
                    _ => length,
                };
            }
            Self::new(side, side, |y, x| ink[y * side + x])
        }

        /// The tally by runs and their union-find, which share no code with the sweep.
        fn expected(&self, options: Options) -> Tally {
            let mut bits = BitRows::default();
            bits.resize(1, self.height, self.width).expect("memory");
            bits.clear();
            for (position, _) in self.pixels.iter().enumerate().filter(|(_, pixel)| **pixel == 0) {
                let x = position % self.width;
                bits.set(position / self.width, x..x + 1);
            }
            let (mut scratch, mut check) = (Memory { bits, ..Memory::default() }, || false);
            let watch = &mut Watch::new(&mut check);
            let tally = scratch.tally(options, watch).expect("no interrupt");
            Tally { euler: euler_number(&scratch.bits, options, watch).expect("no interrupt"), ..tally }
        }

        fn work<'a>(
            &self,
            level: Level,
            options: Options,
            out: &'a mut [Tally],
            runner: &'a Runner<'a>,
        ) -> Tallies<'a, Tally, impl Fn(Tally) -> Tally + Sync> {
            let Self { height, width, .. } = *self;
            let border = if options.periodic { Border::Periodic } else { Border::Open };
            let sought = Sought { connectivity: options.connectivity, border, euler: true };
            Tallies { level, height, width, sought, out, measure: |tally| tally, runner }
        }

        /// Checks every available instruction set, on whole images and on stripes.
        fn check(&self) {
            let view = ArrayView3::from_shape((1, self.height, self.width), &self.pixels).expect("one image");
            let batch = Batch::new(view).expect("valid");
            let packing = Threshold(Foreground::default().uint8());
            let Self { height, width, .. } = *self;
            for (connectivity, periodic) in [(Four, false), (Eight, false), (Four, true), (Eight, true)] {
                if periodic && height > rows_of_band(width) {
                    continue;
                }
                let options = Options { connectivity, periodic, ..Options::default() };
                let expected = self.expected(options);
                for level in Level::available() {
                    let mut out = [Tally::default()];
                    let runner = Runner::new(None, &|| false);
                    let place = format!("{height} x {width}, {options:?}, {}", level.name());
                    let work = self.work(level, options, &mut out, &runner);
                    work.by_images(batch, packing).expect("a tally");
                    assert_eq!(out, [expected], "{place}");
                    for stripe_rows in [1, 3, height.div_ceil(2)] {
                        if !periodic && height.div_ceil(stripe_rows) <= 64 {
                            let work = self.work(level, options, &mut out, &runner);
                            work.by_stripes(batch, packing, stripe_rows).expect("a tally");
                            assert_eq!(out, [expected], "{place}, stripes of {stripe_rows}");
                        }
                    }
                }
            }
        }
    }

    const WIDTHS: [usize; 14] = [1, 2, 3, 31, 32, 33, 63, 64, 65, 127, 128, 129, 192, 200];

    #[test]
    fn random_pictures() {
        for (number, width) in (0..).zip(WIDTHS) {
            for (part, height) in (0..).zip([1, 2, 7, 8, 9, 16, 17, 63, 64, 65]) {
                for density in [0.1, 0.3, 0.5, 0.59, 0.7, 0.9] {
                    Picture::random(height, width, density, number * 100 + part).check();
                }
            }
        }
    }

    #[test]
    fn hard_pictures() {
        for width in WIDTHS {
            for height in [1, 2, 8, 33, 64, 65] {
                let picture = |is_ink: fn(usize, usize) -> bool| Picture::new(height, width, is_ink);
                picture(|_, _| true).check();
                picture(|_, _| false).check();
                picture(|y, x| (x + y) % 2 == 0).check();
                picture(|y, x| (x + y) % 2 == 1).check();
                picture(|y, x| (x / 2 + y) % 2 == 0).check();
                // Combs, upward and downward, and steps across word boundaries.
                picture(|y, x| x % 2 == 0 || y == 0).check();
                picture(|y, x| x % 2 == 1 || y % 32 == 31).check();
                picture(|y, x| y % 2 == 0 && x % 64 < 63).check();
                picture(|y, x| (x + y) % 64 == 0 || (x + 64 - y % 64) % 64 == 1).check();
                for place in [0, width / 2, width - 1] {
                    Picture::new(height, width, |y, x| y == height / 2 && x == place).check();
                    Picture::new(height, width, |_, x| x == place).check();
                    Picture::new(height, width, |y, x| (x < place) == (y % 2 == 0)).check();
                }
            }
        }
        for side in [5, 63, 64, 65, 128, 131] {
            Picture::spiral(side).check();
        }
    }

    #[test]
    fn more_than_one_band() {
        for (number, (height, width)) in
            (0..).zip([(511, 64), (512, 64), (513, 64), (1025, 70), (1600, 3), (520, 130)])
        {
            for density in [0.02, 0.5, 0.62, 0.97] {
                Picture::random(height, width, density, 10_000 + number).check();
            }
            Picture::new(height, width, |_, x| x % 2 == 0).check();
            Picture::new(height, width, |y, x| x % 4 == 0 || y == height - 1 && x % 8 < 5).check();
        }
        // Wide images have bands of fewer rows.
        Picture::random(70, 32_768, 0.6, 1).check();
    }

    #[test]
    fn images_after_one_another() {
        let pictures: Vec<_> =
            (0..30).map(|number| Picture::random(23, 64, number as f64 / 29.0, number)).collect();
        let pixels: Vec<u8> = pictures.iter().flat_map(|picture| picture.pixels.iter().copied()).collect();
        let expected: Vec<_> = pictures
            .iter()
            .map(|picture| Tally { euler: 0, ..picture.expected(Options::default()) })
            .collect();
        let whole = ArrayView3::from_shape((30, 23, 64), &pixels).expect("thirty images");
        let runner = Runner::new(None, &|| false);
        let mut out = vec![Tally::default(); 30];
        let images = Images::Uint8(Batch::new(whole).expect("valid"));
        for_each_tally(images, Options::default(), false, &mut out, &runner, |tally| tally).expect("tallies");
        assert_eq!(out, expected);
        let backward = Images::Uint8(Batch::new(whole.slice(ndarray::s![..;-1, .., ..])).expect("valid"));
        for_each_tally(backward, Options::default(), false, &mut out, &runner, |tally| tally)
            .expect("tallies");
        assert!(out.iter().rev().eq(&expected));
    }
}
