//! Images of components: labels, and masks of the large ones.

use std::cmp::Reverse;

use super::{Components, Options, for_each_image};
use crate::Error;
use crate::batch::Images;
use crate::parallel::Runner;

/// Writes, for every pixel of every image, 0 for the background or the number of its component, from 1 in
/// raster order of first pixels.
pub fn label(
    images: Images<'_>,
    options: Options,
    labels: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    paint(images, options, labels, runner, |_, _| |number| number as i32)
}

/// Writes, for every pixel of every image, 1 if it is part of the largest component (of equal ones, the
/// first), else 0.
pub fn largest_component(
    images: Images<'_>,
    options: Options,
    mask: &mut [u8],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    paint(images, options, mask, runner, |components, _| {
        let largest = components.largest_number();
        move |number| (Some(number) == largest).into()
    })
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
    paint(images, options, ranks, runner, |components, count| {
        let areas: Vec<u32> = components.areas().collect();
        let mut order: Vec<usize> = (0..areas.len()).collect();
        let by_size = |&position: &usize| (Reverse(areas[position]), position);
        if most < order.len() {
            order.select_nth_unstable_by_key(most, by_size);
            order.truncate(most);
        }
        order.sort_unstable_by_key(by_size);
        let mut ranks = vec![0; count as usize + 1];
        for (position, rank) in order.into_iter().zip(1..) {
            ranks[position + 1] = rank;
        }
        move |number| ranks[number as usize]
    })
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
    paint(images, options, mask, runner, |components, _| {
        let keep: Vec<u8> = components.areas().map(|area| (u64::from(area) >= min_area).into()).collect();
        move |number| keep[number as usize - 1]
    })
}

/// Writes what `colours` gives for an image's components, which it is told with how many there are: from the
/// number of a component to the value of its pixels. The background is 0.
fn paint<O: Copy + Default + Send, C: Fn(u32) -> O>(
    images: Images<'_>,
    options: Options,
    out: &mut [O],
    runner: &Runner<'_>,
    colours: impl Fn(&Components, u32) -> C + Sync,
) -> Result<(), Error> {
    let (_, depth, height, width) = images.dim();
    let pixels = depth * height * width;
    for_each_image(images, options, out, pixels, runner, |scratch, out, watch| {
        scratch.find(options.connectivity, watch)?;
        let components = &mut scratch.components;
        let count = components.number();
        let colour = colours(components, count);
        for (row, runs) in out.chunks_exact_mut(width).zip(components.numbered_rows()) {
            row.fill(O::default());
            for (run, number) in runs {
                row[run.columns()].fill(colour(number));
            }
            watch.worked(width)?;
        }
        Ok(())
    })
}
