//! Betti numbers with areas: the components and holes of images, and how many of them are small.

use super::measures::cavities;
use super::strips::Strips;
use super::sweep::{Border, Small, Sought, Sweep};
use super::tally::rows_of_band;
use super::{Options, Scratch, for_each_image};
use crate::Error;
use crate::batch::{Batch, Images, Rows, check_length};
use crate::packing::{OnRows, Packing, on_rows};
use crate::parallel::{Runner, Watch, images_per_task};
use crate::simd::{Kernel, Level, Simd};

/// Numbers of an image: its components, the small ones of fewer than the given number of pixels, and their area; then
/// the same of its holes.
pub const BETTI_NUMBERS: usize = 6;
/// The fixed cost of an image, in pixels.
const UNITS_PER_IMAGE: usize = 2048;

/// Writes the [`BETTI_NUMBERS`] of every image.
pub fn betti(
    images: Images<'_>,
    options: Options,
    min_area: u64,
    out: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let (count, depth, height, width) = images.dim();
    options.check(depth)?;
    if options.connectivity.is_spatial() {
        return Err(Error::invalid("areas of holes are measured in images, not in volumes"));
    }
    check_length("out", out.len(), count.saturating_mul(BETTI_NUMBERS))?;
    if height > rows_of_band(width) {
        return for_each_image(images, options, out, BETTI_NUMBERS, runner, |scratch, out, watch| {
            write(out, label_both(scratch, options, min_area, watch)?);
            Ok(())
        });
    }
    let level = Level::chosen()?;
    on_rows(images, options.foreground, Work { level, height, width, options, min_area, out, runner })
}

fn write(out: &mut [i64], [pieces, holes]: [Small; 2]) {
    let numbers =
        [pieces, holes].map(|Small { count, small, area }| [count as i64, small as i64, area as i64]);
    out.copy_from_slice(numbers.as_flattened());
}

/// The components and holes of an image of any size.
fn label_both(
    scratch: &mut Scratch,
    options: Options,
    min_area: u64,
    watch: &mut Watch<'_>,
) -> Result<[Small; 2], Error> {
    let count = scratch.tally(options, watch)?.count;
    let pieces = Small::of(count, scratch.components.sets().map(|(_, area)| area), min_area);
    if !options.periodic {
        return Ok([pieces, cavities(scratch, options.connectivity, min_area, watch)?]);
    }
    scratch.bits.invert();
    let tally = scratch.tally(Options { connectivity: options.connectivity.dual(), ..options }, watch)?;
    let components = &scratch.components;
    let enclosed = components.sets().filter(|&(root, _)| !components.winds(root));
    let holes = Small::of(tally.count - tally.winding, enclosed.map(|(_, area)| area), min_area);
    Ok([pieces, holes])
}

struct Work<'a> {
    level: Level,
    height: usize,
    width: usize,
    options: Options,
    min_area: u64,
    out: &'a mut [i64],
    runner: &'a Runner<'a>,
}

impl OnRows for Work<'_> {
    type Output = Result<(), Error>;

    fn on<P: Packing>(self, batch: Batch<'_, P::Element>, packing: P) -> Result<(), Error> {
        let Self { level, height, width, options, min_area, out, runner } = self;
        let per_task = images_per_task(2 * height * width + UNITS_PER_IMAGE);
        let tasks = out.chunks_mut(per_task * BETTI_NUMBERS).enumerate();
        runner.run(tasks, Memory::default, |Memory { strips, sweep }, (task, out), watch| {
            for (image, out) in (task * per_task..).zip(out.chunks_exact_mut(BETTI_NUMBERS)) {
                strips.begin(height, width, None)?;
                level.run(Pack { strips, rows: batch.rows(image), packing });
                if strips.has_nan() {
                    return Err(Error::NotANumber { image });
                }
                write(out, level.run(Both { strips, sweep, options, min_area })?);
                watch.worked(2 * height * width + UNITS_PER_IMAGE)?;
            }
            Ok(())
        })
    }
}

/// Working memory of a thread, reused from image to image.
#[derive(Default)]
struct Memory {
    strips: Strips,
    sweep: Sweep,
}

/// Thresholds an image of one band.
struct Pack<'s, 'a, P: Packing> {
    strips: &'s mut Strips,
    rows: Rows<'a, P::Element>,
    packing: P,
}

impl<P: Packing> Kernel for Pack<'_, '_, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self, simd: S) {
        let rows = self.strips.rows();
        self.strips.pack(simd, self.packing, &mut self.rows, rows);
    }
}

/// Sweeps the foreground and then the background of an image of one band.
struct Both<'s> {
    strips: &'s mut Strips,
    sweep: &'s mut Sweep,
    options: Options,
    min_area: u64,
}

impl Kernel for Both<'_> {
    type Output = Result<[Small; 2], Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<[Small; 2], Error> {
        let Self { strips, sweep, options: Options { connectivity, periodic, .. }, min_area } = self;
        let [ink, paper] = if periodic { [Border::Periodic; 2] } else { [Border::Open, Border::Outside] };
        let layers = [(connectivity, ink), (connectivity.dual(), paper)];
        let mut found = [Small::default(); 2];
        for (layer, (connectivity, border)) in layers.into_iter().enumerate() {
            if layer == 1 {
                strips.invert();
            }
            if periodic {
                strips.wrap();
            }
            sweep.start(Sought { connectivity, border, euler: false });
            sweep.band(simd, strips, || ())?;
            found[layer] = if layer == 0 { sweep.small(min_area) } else { sweep.small_enclosed(min_area) };
        }
        Ok(found)
    }
}
