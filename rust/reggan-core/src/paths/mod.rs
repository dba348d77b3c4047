//! Paths in the foreground, from pixel to neighboring pixel: distances, diameters, and the extents of components.

mod dense;
mod diameter;
mod sparse;

use dense::{Dense, Diameter};
pub(crate) use sparse::Sparse;

use crate::Error;
use crate::batch::Images;
use crate::components::{BitRows, Connectivity, Options, Scratch, for_each_image};
use crate::memory::TryGrow;
use crate::parallel::{Runner, Watch};
use crate::simd::Level;

/// Replaces `distances`, which hold 0 at pixels to start from and -1 elsewhere, by the steps of the shortest path
/// through the foreground to each pixel, and by -1 where there is none.
pub fn geodesic_distance(
    images: Images<'_>,
    options: Options,
    distances: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let corners = check(options)?;
    let (_, _, height, width) = images.dim();
    for_each_image(images, options, distances, height * width, runner, |scratch, distances, watch| {
        scratch.waves.load(&scratch.bits, corners)?;
        scratch.waves.measure(distances, width, watch)
    })
}

/// Writes for each image the most steps of a shortest path between two pixels of a component; 0 without foreground.
pub fn geodesic_diameter(
    images: Images<'_>,
    options: Options,
    diameters: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    check(options)?;
    for_each_image(images, options, diameters, 1, runner, |scratch, diameter, watch| {
        diameter[0] = diameter_of(&scratch.bits, options.connectivity, &mut scratch.waves, watch)?.into();
        Ok(())
    })
}

/// The most steps of a shortest path between two pixels of a component.
pub(crate) fn diameter_of(
    bits: &BitRows,
    connectivity: Connectivity,
    waves: &mut Sparse,
    watch: &mut Watch<'_>,
) -> Result<u32, Error> {
    let corners = connectivity == Connectivity::Eight;
    if Dense::<4>::fits(bits.height(), bits.width()) {
        Level::chosen()?.run(Diameter::<4> { bits, corners, watch })
    } else if Dense::<16>::fits(bits.height(), bits.width()) {
        Level::chosen()?.run(Diameter::<16> { bits, corners, watch })
    } else {
        waves.load(bits, corners)?;
        diameter::diameter(waves, watch)
    }
}

/// A component, as far as it was read.
#[derive(Clone, Copy)]
pub(crate) struct Extent {
    top: u32,
    left: u16,
    right: u16,
}

/// Writes for each image the most rows and the most columns from one end of a component to the other; zeros without
/// foreground.
pub fn spans(
    images: Images<'_>,
    options: Options,
    spans: &mut [i64],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    check(options)?;
    for_each_image(images, options, spans, 2, runner, |scratch, spans, watch| {
        scratch.find(options, watch)?;
        let Scratch { components, extents, .. } = scratch;
        let components = components.number(watch)?;
        extents.clear();
        extents.try_resize(components.areas().len(), Extent { top: u32::MAX, left: u16::MAX, right: 0 })?;
        let (mut rows, mut columns) = (0, 0);
        for (y, runs) in (0..).zip(components.rows()) {
            for (run, number) in runs {
                let extent = &mut extents[number as usize - 1];
                extent.top = extent.top.min(y);
                extent.left = extent.left.min(run.start);
                extent.right = extent.right.max(run.end);
                rows = rows.max(y + 1 - extent.top);
                columns = columns.max(extent.right - extent.left);
            }
        }
        spans.copy_from_slice(&[rows.into(), columns.into()]);
        Ok(())
    })
}

/// Whether corners connect. Fails for the connectivities of volumes.
fn check(options: Options) -> Result<bool, Error> {
    match options.connectivity {
        Connectivity::Four => Ok(false),
        Connectivity::Eight => Ok(true),
        _ => Err(Error::invalid("paths are measured in images, with connectivity 4 or 8")),
    }
}
