//! Erases all pieces but the largest, with their halos.

use super::halo::Halo;
use super::{Canvas, Image};
use crate::Error;
use crate::packing::Gray;
use crate::parallel::Watch;

/// Returns the number of ink pixels that became paper.
pub(super) fn erase<T: Gray + PartialOrd>(
    mut canvas: Canvas<'_, T>,
    image: &Image<'_>,
    halo: &mut Halo<T>,
    watch: &mut Watch<'_>,
) -> Result<i32, Error> {
    let kept = &mut halo.kept;
    kept.resize(1, canvas.height(), canvas.width)?;
    kept.clear();
    for (y, runs) in image.components.rows().enumerate() {
        runs.filter(|&(_, number)| number - 1 == image.largest)
            .for_each(|(run, _)| kept.set(y, run.columns()));
    }
    halo.remove(&mut canvas, image.ink, watch)?;
    let areas = image.components.areas();
    Ok((areas.iter().sum::<u32>() - areas[image.largest as usize]) as i32)
}
