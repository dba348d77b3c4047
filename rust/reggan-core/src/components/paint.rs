//! Images of components: labels, and masks of the large ones.

use std::cmp::Reverse;

use super::{Options, for_each_image, largest_number};
use crate::Error;
use crate::batch::Images;
use crate::memory::{try_collect, try_filled};
use crate::parallel::Runner;

/// Writes, for every pixel of every image, 0 for the background or the number of its component, from 1 in
/// raster order of first pixels.
pub fn label(
    images: Images<'_>,
    options: Options,
    labels: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    paint(images, options, labels, runner, |_| Ok(()), |(), _, number| number as i32)
}

/// Writes, for every pixel of every image, 1 if it is part of the largest component (of equal ones, the
/// first), else 0.
pub fn largest_component(
    images: Images<'_>,
    options: Options,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    let largest = |areas: &[u32]| Ok(largest_number(areas));
    paint(images, options, mask, runner, largest, |largest, _, number| (Some(number) == *largest).into())
}

/// Writes, for every pixel of every image, r if it is part of the component that is the r-th largest of no
/// more than `most` (of equal ones, the first comes first), else 0.
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

/// Writes, for every pixel of every image, 1 if it is part of a component of at least `min_area` pixels, else
/// 0.
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

/// Writes the color of each pixel: `color(prepared, areas, number)` of its component, where `prepared` is what
/// `prepare(areas)` gives for an image. The areas are those of the components, number 1 first. The background is 0.
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
        scratch.find(options.connectivity, watch)?;
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
