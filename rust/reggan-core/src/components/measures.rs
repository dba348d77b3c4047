//! What is measured of an image's components.

use super::{BitRows, Components, Connectivity};
use crate::Error;
use crate::batch::MAX_SIDE;
use crate::parallel::Watch;
use crate::score::ratio;

/// Measures of one image.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measures {
    /// Pixels of the largest component over all foreground pixels; 0 without foreground.
    pub score: f32,
    /// How many components there are.
    pub count: u32,
    /// All foreground pixels.
    pub area: u64,
    /// Pixels of the largest component.
    pub largest_area: u64,
    /// Components of the background, under the dual connectivity, that do not touch the border.
    pub holes: u32,
    /// Top, left, bottom, right of the largest component, half-open; of equal ones, the first. Zeros without
    /// foreground.
    pub bbox: [u32; 4],
}

pub(super) fn measure(
    components: &mut Components,
    bits: &BitRows,
    connectivity: Connectivity,
    watch: &mut Watch<'_>,
) -> Result<Measures, Error> {
    let count = components.number();
    let (largest_area, area) = (components.largest_area(), components.area());
    let euler = euler_number(bits, connectivity, watch)?;
    Ok(Measures {
        score: ratio(largest_area, area),
        count,
        area,
        largest_area,
        holes: (i64::from(count) - euler) as u32,
        bbox: bounding_box(components, watch)?,
    })
}

fn bounding_box(components: &Components, watch: &mut Watch<'_>) -> Result<[u32; 4], Error> {
    let Some(largest) = components.largest_number() else {
        return Ok([0; 4]);
    };
    let [mut top, mut left, mut bottom, mut right] = [u32::MAX, u32::MAX, 0, 0];
    for (y, runs) in (0..).zip(components.numbered_rows()) {
        let mut count = 0;
        for (run, number) in runs {
            if number == largest {
                top = top.min(y);
                left = left.min(run.start.into());
                bottom = y + 1;
                right = right.max(run.end.into());
            }
            count += 1;
        }
        watch.worked(count)?;
    }
    Ok([top, left, bottom, right])
}

/// Components minus holes, counted locally (Gray 1971): pixels, less pairs that share a side, plus full
/// squares of 2 x 2; when corners connect too, less the squares that hold nothing but a diagonal pair.
fn euler_number(bits: &BitRows, connectivity: Connectivity, watch: &mut Watch<'_>) -> Result<i64, Error> {
    const EMPTY: [u64; MAX_SIDE / 64] = [0; MAX_SIDE / 64];
    let mut above = &EMPTY[..bits.row(0).len()];
    let mut euler = 0;
    for row in bits.rows() {
        for (position, (&up, &here)) in above.iter().zip(row).enumerate() {
            let next = |row: &[u64]| row.get(position + 1).map_or(0, |word| word << 63);
            // The pixels to the right, at the place of the pixels themselves.
            let up_right = up >> 1 | next(above);
            let right = here >> 1 | next(row);
            euler += ones(here) - ones(here & right) - ones(here & up) + ones(here & right & up & up_right);
            if connectivity == Connectivity::Eight {
                euler -= ones((here ^ right) & (up ^ up_right) & (here ^ up));
            }
        }
        above = row;
        watch.worked(bits.width())?;
    }
    Ok(euler)
}

fn ones(word: u64) -> i64 {
    word.count_ones().into()
}
