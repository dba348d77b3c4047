//! Measures of the components of images.

use std::ops::BitOr;

use super::euler::euler_number;
use super::{
    Connectivity, Options, Scratch, Small, Tally, for_each_area, for_each_image, for_each_tally,
    largest_number,
};
use crate::Error;
use crate::batch::Images;
use crate::memory::try_filled;
use crate::parallel::{Runner, Watch};
use crate::score::ratio;

/// A set of measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fields(u8);

#[expect(missing_docs, reason = "the fields of `Measures` of the same names")]
impl Fields {
    pub const SCORE: Self = Self(1);
    pub const COUNT: Self = Self(1 << 1);
    pub const AREA: Self = Self(1 << 2);
    pub const LARGEST_AREA: Self = Self(1 << 3);
    pub const BBOX: Self = Self(1 << 4);
    pub const CENTROID: Self = Self(1 << 5);
    pub const HOLES: Self = Self(1 << 6);
    pub const EULER: Self = Self(1 << 7);
    pub const ALL: Self = Self(u8::MAX);

    /// The measures that need no labels.
    const TALLY: Self = Self(Self::SCORE.0 | Self::COUNT.0 | Self::AREA.0 | Self::LARGEST_AREA.0);
    /// The measures of images that need Euler numbers.
    const EULER_NUMBER: Self = Self(Self::HOLES.0 | Self::EULER.0);
    /// The measures that have no meaning for periodic images.
    const PLACES: Self = Self(Self::BBOX.0 | Self::CENTROID.0);

    fn is_subset_of(self, others: Self) -> bool {
        self.0 & !others.0 == 0
    }

    fn any_of(self, others: Self) -> bool {
        self.0 & others.0 != 0
    }
}

impl BitOr for Fields {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// Measures of one image. Among the largest components of equal area, the first in raster order counts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Area of the largest component divided by all foreground pixels; 0 without foreground.
    pub score: f32,
    /// Number of components.
    pub count: u32,
    /// Number of foreground pixels.
    pub area: u64,
    /// Area of the largest component in pixels.
    pub largest_area: u64,
    /// Front, top, left, back, bottom and right of the largest component, half-open. Zeros without
    /// foreground.
    pub bbox: [u32; 6],
    /// Mean z, y and x of the largest component in pixels. NaN without foreground.
    pub centroid: [f64; 3],
    /// Components of the background, with the dual connectivity, that do not touch the border; of a periodic image,
    /// that do not wind around the torus.
    pub holes: u32,
    /// Components minus holes in an image; components minus tunnels plus cavities in a volume. Of a periodic image, the
    /// Euler number on the torus.
    pub euler: i64,
    /// Of a periodic image, the rank of the loops of all components around the torus, as a subgroup of Z x Z: 0, 1 or
    /// 2. Computed with the score.
    pub winding_rank: u8,
}

impl From<Tally> for Measures {
    /// Holes and Euler numbers are those of images.
    fn from(tally: Tally) -> Self {
        let Tally { area, largest_area, count, euler, rank, .. } = tally;
        let (score, holes) = (ratio(largest_area, area), tally.holes() as u32);
        Self {
            score,
            count: count as u32,
            area,
            largest_area,
            holes,
            euler,
            winding_rank: rank,
            ..Self::default()
        }
    }
}

/// Images measured between two calls of `write`.
const BLOCK: usize = 1 << 14;

/// Computes the requested fields for every image; the other fields are unspecified. Calls `write` for block
/// after block of images with the position of the first image in the block.
pub fn analyze(
    images: Images<'_>,
    options: Options,
    fields: Fields,
    runner: &Runner<'_>,
    mut write: impl FnMut(usize, &[Measures]),
) -> Result<(), Error> {
    let (count, ..) = images.dim();
    let mut measures = try_filled(BLOCK.min(count), Measures::default())?;
    for start in (0..count).step_by(BLOCK) {
        if start > 0 {
            runner.check()?;
        }
        let measures = &mut measures[..BLOCK.min(count - start)];
        let block = images.slice(start..start + measures.len());
        measure_block(block, options, fields, measures, runner).map_err(|error| error.after(start))?;
        write(start, measures);
    }
    Ok(())
}

/// Measures images by the cheapest method that gives the requested fields.
fn measure_block(
    images: Images<'_>,
    options: Options,
    fields: Fields,
    measures: &mut [Measures],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    if fields == Fields::AREA {
        let measure = |area| Measures { area, ..Measures::default() };
        return for_each_area(images, options, measures, runner, measure);
    }
    if options.periodic && fields.any_of(Fields::PLACES) {
        return Err(Error::invalid("bbox and centroid have no meaning for periodic images"));
    }
    let (flat, euler) = (!options.connectivity.is_spatial(), fields.any_of(Fields::EULER_NUMBER));
    if fields.is_subset_of(Fields::TALLY) || flat && !fields.any_of(Fields::PLACES) {
        return for_each_tally(images, options, euler, measures, runner, Measures::from);
    }
    for_each_image(images, options, measures, 1, runner, |scratch, out, watch| {
        out[0] = measure(scratch, options, fields, watch)?;
        Ok(())
    })
}

fn measure(
    scratch: &mut Scratch,
    options: Options,
    fields: Fields,
    watch: &mut Watch<'_>,
) -> Result<Measures, Error> {
    let located = fields.any_of(Fields::PLACES);
    let mut tally = Tally { area: scratch.bits.area(), ..Tally::default() };
    if located || fields.any_of(Fields::SCORE | Fields::COUNT | Fields::LARGEST_AREA) {
        tally = scratch.tally(options, watch)?;
    }
    if fields.any_of(Fields::EULER_NUMBER) {
        tally.euler = euler_number(&scratch.bits, options, watch)?;
    }
    let mut measures = Measures::from(tally);
    if located {
        (measures.bbox, measures.centroid) = locate_largest(scratch, watch)?;
    }
    if options.connectivity.is_spatial() && fields.any_of(Fields::HOLES) {
        measures.holes = cavities(scratch, options.connectivity, 0, watch)?.count as u32;
    }
    Ok(measures)
}

/// Bounding box and centroid of the largest component.
fn locate_largest(scratch: &mut Scratch, watch: &mut Watch<'_>) -> Result<([u32; 6], [f64; 3]), Error> {
    let Scratch { bits, components, .. } = scratch;
    let components = components.number(watch)?;
    let Some(largest) = largest_number(components.areas) else {
        return Ok(([0; 6], [f64::NAN; 3]));
    };
    let (mut low, mut high) = ([u32::MAX; 3], [0; 3]);
    // Twice the sum of the columns: start + end - 1 is twice the mean column of a run.
    let [mut area, mut zs, mut ys, mut xs_twice] = [0_u64; 4];
    let places = (0..bits.depth() as u32).flat_map(|z| (0..bits.height() as u32).map(move |y| (z, y)));
    for ((z, y), runs) in places.zip(components.rows()) {
        let mut count = 0;
        for (run, number) in runs {
            count += 1;
            if number == largest {
                let (start, end) = (run.start.into(), run.end.into());
                low = [low[0].min(z), low[1].min(y), low[2].min(start)];
                high = [z + 1, high[1].max(y + 1), high[2].max(end)];
                let length = u64::from(run.len());
                area += length;
                zs += length * u64::from(z);
                ys += length * u64::from(y);
                xs_twice += length * u64::from(start + end - 1);
            }
        }
        watch.worked(count)?;
    }
    let [front, top, left] = low;
    let [back, bottom, right] = high;
    let mean = |sum: u64| sum as f64 / area as f64;
    Ok(([front, top, left, back, bottom, right], [mean(zs), mean(ys), mean(xs_twice / 2)]))
}

/// Components of the background that do not touch the border of the image or volume. Inverts the bits and overwrites
/// the components.
pub(super) fn cavities(
    scratch: &mut Scratch,
    connectivity: Connectivity,
    min_area: u64,
    watch: &mut Watch<'_>,
) -> Result<Small, Error> {
    let Scratch { bits, components, .. } = scratch;
    bits.invert();
    components.find(bits, connectivity.dual(), watch)?;
    let components = components.number(watch)?;
    let mut open = try_filled(components.areas.len(), false)?;
    let (depth, height, width) = (bits.depth(), bits.height(), bits.width());
    let inner_slice = |z: usize| !connectivity.is_spatial() || z > 0 && z < depth - 1;
    for (row, runs) in components.rows().enumerate() {
        let (z, y) = (row / height, row % height);
        let border_row = !inner_slice(z) || y == 0 || y == height - 1;
        for (run, number) in runs {
            if border_row || run.start == 0 || run.columns().end == width {
                open[number as usize - 1] = true;
            }
        }
        watch.worked(width)?;
    }
    let enclosed = open.iter().zip(components.areas).filter(|&(&open, _)| !open).map(|(_, &area)| area);
    let count = open.iter().map(|&open| u64::from(!open)).sum();
    Ok(Small::of(count, enclosed, min_area))
}
