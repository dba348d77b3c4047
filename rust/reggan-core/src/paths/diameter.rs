//! The geodesic diameter: the longest of all shortest paths within the components of an image.
//!
//! An eccentricity is the most steps from one pixel to another of its component. A pixel is a candidate while it may
//! be an end of a path longer than the longest so far. A wavefront from a pixel that reaches all candidates in e steps
//! leaves no path between candidates within r steps of that pixel longer than e + r to any candidate, so it rules out
//! those within longest - e steps. These are the eccentricity bounds of Takes and Kosters, "Determining the diameter
//! of small world networks" (2011), and the first wavefronts are those of iFUB (Crescenzi et al., "On computing the
//! diameter of real-world undirected graphs", 2013): from an end to an end, then from the middle between them.

use crate::Error;
use crate::parallel::Watch;

/// How far a wavefront ran.
#[derive(Clone, Copy)]
pub(super) struct Wave {
    /// Steps to the last pixel.
    pub(super) steps: u32,
    /// One of the pixels that were reached last.
    pub(super) last: usize,
}

/// Wavefronts in an image. Pixels have numbers that only the implementation knows.
pub(super) trait Waves {
    /// Takes components out of the image up to one that may have a path of more than `longest` steps: none with as few
    /// pixels, or with two paths to its first pixel that are as short. Its pixels are the candidates.
    fn next_component(&mut self, longest: u32, watch: &mut Watch<'_>) -> Result<Option<Wave>, Error>;

    /// Whether the component is known to have no cycle.
    fn is_tree(&self) -> bool;

    /// Runs a wavefront from a pixel of the component until it has reached all candidates.
    fn sweep(&mut self, source: usize, watch: &mut Watch<'_>) -> Result<Wave, Error>;

    /// A pixel in the middle of a shortest path of so many steps.
    fn middle(&mut self, ends: [usize; 2], steps: u32, watch: &mut Watch<'_>) -> Result<usize, Error>;

    /// Pixels within `radius` steps of a pixel are no candidates. Returns whether two candidates remain.
    fn discard(&mut self, source: usize, radius: u32, watch: &mut Watch<'_>) -> Result<bool, Error>;

    /// A candidate, if possible this one.
    fn candidate(&self, preferred: usize) -> usize;
}

/// The most steps of a shortest path between two pixels of a component; 0 if no two pixels touch.
#[inline(always)]
pub(super) fn diameter(waves: &mut impl Waves, watch: &mut Watch<'_>) -> Result<u32, Error> {
    let mut longest = 0;
    while let Some(Wave { last: end, .. }) = waves.next_component(longest, watch)? {
        let wave = waves.sweep(end, watch)?;
        longest = longest.max(wave.steps);
        // In a tree, the pixel that is farthest from any pixel is an end of a longest path.
        if waves.is_tree() {
            continue;
        }
        let mut source = waves.middle([end, wave.last], wave.steps, watch)?;
        loop {
            let wave = waves.sweep(source, watch)?;
            longest = longest.max(wave.steps);
            if !waves.discard(source, longest - wave.steps, watch)? {
                break;
            }
            source = waves.candidate(wave.last);
        }
    }
    Ok(longest)
}
