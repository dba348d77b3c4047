//! The score of an image: which part of its foreground is in one piece.

use crate::Error;
use crate::batch::Images;
use crate::components::{Options, for_each_tally};
use crate::parallel::Runner;

/// Writes, for every image, the pixels of its largest component over all its foreground pixels; 0 without
/// foreground.
pub fn score(
    images: Images<'_>,
    options: Options,
    scores: &mut [f32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    for_each_tally(images, options, scores, runner, |tally| ratio(tally.largest_area, tally.area))
}

/// The score, rounded once; 1 only of foreground in one piece, however little of it is elsewhere.
pub(crate) fn ratio(largest_area: u64, area: u64) -> f32 {
    if area == 0 {
        return 0.0;
    }
    let ratio = (largest_area as f64 / area as f64) as f32;
    if largest_area < area { ratio.min(1.0f32.next_down()) } else { ratio }
}
