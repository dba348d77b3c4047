//! Repair by search: edits of a mask that make it obey any rule, or product of rules, with few changed pixels.

mod gray;
mod moves;
mod pieces;
mod state;
mod terms;

use gray::{Buffers, Look, Sample};
use state::{Plan, Search};
use terms::Tools;
pub use terms::{Counted, Term, Wide};

use crate::Error;
use crate::batch::check_length;
use crate::components::BitRows;
use crate::foreground::Foreground;
use crate::memory::{TryGrow, try_collect};
use crate::parallel::{Runner, Watch};

/// Grays of a batch, contiguous.
#[derive(Clone, Copy)]
pub struct Grays<'a> {
    /// All pixels; 255 is white.
    pub pixels: &'a [u8],
    /// Rows of an image.
    pub height: usize,
    /// Pixels of a row.
    pub width: usize,
}

impl Grays<'_> {
    fn area(&self) -> usize {
        self.height * self.width
    }
}

/// How to search.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of the random streams.
    pub seed: u64,
    /// The most proposals for an image.
    pub budget: u32,
}

/// The largest gray of ink, if both ink and paper can be made.
fn limit_of(foreground: Foreground) -> Result<u8, Error> {
    let predicate = foreground.uint8();
    if predicate.negate || predicate.at_most == 255 {
        return Err(Error::invalid("the threshold must be above 0, or every pixel is ink"));
    }
    Ok(predicate.at_most)
}

fn pack(pixels: &[u8], width: usize, at_most: u8) -> Result<BitRows, Error> {
    let mut bits = BitRows::default();
    bits.resize(1, pixels.len() / width, width)?;
    bits.clear();
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        for (x, _) in row.iter().enumerate().filter(|(_, gray)| **gray <= at_most) {
            bits.put(y, x, true);
        }
    }
    Ok(bits)
}

/// The number of an image's random stream: FNV-1a of its pixels, so that equal images have equal results anywhere in a
/// batch.
fn digest(pixels: &[u8]) -> u64 {
    pixels
        .iter()
        .fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// Repairs each image for the product of terms: writes the images, and how many pixels changed from ink to paper or
/// back.
pub fn repair_by_search(
    images: Grays<'_>,
    terms: &[Term],
    foreground: Foreground,
    effort: Effort,
    repaired: &mut [u8],
    changed: &mut [i32],
    runner: &Runner<'_>,
) -> Result<(), Error> {
    check_length("repaired", repaired.len(), images.pixels.len())?;
    check_length("changed", changed.len() * images.area(), images.pixels.len())?;
    let (plan, at_most) = (Plan::new(terms, effort.budget)?, limit_of(foreground)?);
    let area = images.area();
    let tasks = images.pixels.chunks_exact(area).zip(repaired.chunks_exact_mut(area)).zip(changed);
    runner.run(tasks, <(Tools, Buffers)>::default, |(tools, buffers), ((pixels, out), changed), watch| {
        let original = pack(pixels, images.width, at_most)?;
        let mut kept = BitRows::default();
        kept.copy_from(&original)?;
        let mut search = Search::new(original, &plan, effort.seed, digest(pixels))?;
        while search.propose(&plan, tools, watch)? {
            search.judge(1.0)?;
        }
        *changed = search.best().count_different(&kept) as i32;
        let sample = Sample { pixels, bits: &kept, at_most };
        Look::of(sample, buffers)?.put_back(sample, search.best(), buffers, out)
    })
}

/// Searches that go on side by side, for rules that only the caller can score.
pub struct Searches {
    plan: Plan,
    at_most: u8,
    height: usize,
    width: usize,
    samples: Vec<u8>,
    originals: Vec<BitRows>,
    looks: Vec<Look>,
    searches: Vec<Search>,
}

impl Searches {
    /// Starts a search for each image.
    pub fn new(
        images: Grays<'_>,
        terms: &[Term],
        foreground: Foreground,
        effort: Effort,
    ) -> Result<Self, Error> {
        let (plan, at_most) = (Plan::new(terms, effort.budget)?, limit_of(foreground)?);
        let mut started = Self {
            plan,
            at_most,
            height: images.height,
            width: images.width,
            samples: try_collect(images.pixels.iter().copied())?,
            originals: Vec::new(),
            looks: Vec::new(),
            searches: Vec::new(),
        };
        let mut buffers = Buffers::default();
        for pixels in images.pixels.chunks_exact(images.area()) {
            let bits = pack(pixels, images.width, at_most)?;
            let mut original = BitRows::default();
            original.copy_from(&bits)?;
            let sample = Sample { pixels, bits: &original, at_most };
            started.looks.try_push(Look::of(sample, &mut buffers)?)?;
            started.originals.try_push(original)?;
            started.searches.try_push(Search::new(bits, &started.plan, effort.seed, digest(pixels))?)?;
        }
        Ok(started)
    }

    /// Writes the next proposal of every search that goes on, each to the image of its search, and whether it goes on.
    pub fn propose(
        &mut self,
        images: &mut [u8],
        active: &mut [u8],
        runner: &Runner<'_>,
    ) -> Result<(), Error> {
        check_length("images", images.len(), self.samples.len())?;
        check_length("active", active.len(), self.searches.len())?;
        let plan = &self.plan;
        let tasks = self.searches.iter_mut().zip(active.iter_mut());
        runner.run(tasks, Tools::default, |tools, (search, active), watch| {
            *active = search.propose(plan, tools, watch)?.into();
            Ok(())
        })?;
        self.write(images, Some(active), Search::candidate, runner)
    }

    /// Takes the scores of the proposals of the searches that go on.
    pub fn judge(&mut self, active: &[u8], scores: &[f32]) -> Result<(), Error> {
        check_length("active", active.len(), self.searches.len())?;
        check_length("scores", scores.len(), self.searches.len())?;
        for ((search, active), score) in self.searches.iter_mut().zip(active).zip(scores) {
            if *active != 0 {
                search.judge(*score)?;
            }
        }
        Ok(())
    }

    /// Writes the results, and how many pixels changed from ink to paper or back.
    pub fn finish(&self, images: &mut [u8], changed: &mut [i32], runner: &Runner<'_>) -> Result<(), Error> {
        check_length("images", images.len(), self.samples.len())?;
        check_length("changed", changed.len(), self.searches.len())?;
        for ((changed, search), original) in changed.iter_mut().zip(&self.searches).zip(&self.originals) {
            *changed = search.best().count_different(original) as i32;
        }
        self.write(images, None, Search::best, runner)
    }

    fn write(
        &self,
        images: &mut [u8],
        active: Option<&[u8]>,
        mask: impl Fn(&Search) -> &BitRows + Sync,
        runner: &Runner<'_>,
    ) -> Result<(), Error> {
        let area = self.height * self.width;
        let tasks = images.chunks_exact_mut(area).enumerate();
        runner.run(tasks, Buffers::default, |buffers, (index, out), watch: &mut Watch<'_>| {
            if active.is_some_and(|active| active[index] == 0) {
                return Ok(());
            }
            let pixels = &self.samples[index * area..][..area];
            let sample = Sample { pixels, bits: &self.originals[index], at_most: self.at_most };
            self.looks[index].put_back(sample, mask(&self.searches[index]), buffers, out)?;
            watch.worked(area)
        })
    }
}
