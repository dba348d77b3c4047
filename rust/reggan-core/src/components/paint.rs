//! Images of components: labels and masks.

use std::cmp::Reverse;

use super::{Options, for_each_image, largest_number};
use crate::Error;
use crate::batch::Images;
use crate::memory::{try_collect, try_filled};
use crate::parallel::Runner;

/// Writes the component of every pixel: 0 for the background, else a number from 1 in raster order of first
/// pixels.
pub fn label(
    images: Images<'_>,
    options: Options,
    labels: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    paint(images, options, labels, runner, |_| Ok(()), |(), _, number| number as i32)
}

/// Writes 1 for every pixel of the largest component (among equal ones, the first), else 0.
pub fn largest_component(
    images: Images<'_>,
    options: Options,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let largest = |areas: &[u32]| Ok(largest_number(areas));
    paint(images, options, mask, runner, largest, |largest, _, number| (Some(number) == *largest).into())
}

/// Writes the rank r of every pixel that is in the r-th largest component, for r up to `most`, else 0. Among
/// equal components, the first in raster order has the lower rank.
pub fn largest_components(
    images: Images<'_>,
    options: Options,
    most: usize,
    ranks: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let ranks_of = |areas: &[u32]| {
        let mut order = try_collect(0..areas.len() as u32)?;
        let by_size = |&position: &u32| (Reverse(areas[position as usize]), position);
        if most < order.len() {
            order.select_nth_unstable_by_key(most, by_size);
            order.truncate(most);
        }
        order.sort_unstable_by_key(by_size);
        let mut ranks = try_filled(areas.len(), 0)?;
        for (position, rank) in order.into_iter().zip(1..) {
            ranks[position as usize] = rank;
        }
        Ok(ranks)
    };
    paint(images, options, ranks, runner, ranks_of, |ranks, _, number| ranks[number as usize - 1])
}

/// Writes 1 for every pixel of a component of at least `min_area` pixels, else 0.
pub fn remove_small(
    images: Images<'_>,
    options: Options,
    min_area: u64,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let is_kept = |area: u32| u64::from(area) >= min_area;
    paint(
        images,
        options,
        mask,
        runner,
        |_| Ok(()),
        |(), areas, number| is_kept(areas[number as usize - 1]).into(),
    )
}

/// Writes `color(prepared, areas, number)` to each pixel of a component and 0 to the background. `areas` are
/// the areas of the image's components, starting with number 1, and `prepared` is the result of
/// `prepare(areas)`.
fn paint<O: Copy + Default + Send, P>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    runner: &Runner<'_>,
    prepare: impl Fn(&[u32]) -> Result<P, Error> + Sync,
    color: impl Fn(&P, &[u32], u32) -> O + Sync,
) -> Result<(), Error> {
    let (_, depth, height, width) = images.dim();
    let pixels = depth * height * width;
    for_each_image(images, options, out, pixels, runner, |scratch, out, watch| {
        scratch.find(options, watch)?;
        let components = scratch.components.number(watch)?;
        let prepared = prepare(components.areas)?;
        for (row, runs) in out.chunks_exact_mut(width).zip(components.rows()) {
            row.fill(O::default());
            for (run, number) in runs {
                row[run.columns()].fill(color(&prepared, components.areas, number));
            }
            watch.worked(width)?;
        }
        Ok(())
    })
}
