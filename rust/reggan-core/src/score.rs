//! The score of an image: the share of its foreground that is in the largest component.

use crate::Error;
use crate::batch::Images;
use crate::components::{Options, for_each_tally};
use crate::parallel::Runner;

/// Writes for every image the area of its largest component divided by its foreground pixels; 0 without
/// foreground.
pub fn score(
    images: Images<'_>,
    options: Options,
    scores: &mut [f32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    for_each_tally(images, options, false, scores, runner, |tally| ratio(tally.largest_area, tally.area))
}

/// The ratio, rounded once. It is 1 only if all the foreground is one component, even if very little is
/// elsewhere.
pub(crate) fn ratio(largest_area: u64, area: u64) -> f32 {
    if area == 0 {
        return 0.0;
    }
    let ratio = (largest_area as f64 / area as f64) as f32;
    if largest_area < area { ratio.min(1.0f32.next_down()) } else { ratio }
}
