//! The rules that a search knows: how many pixels stand in their way, and where.

use crate::Error;
use crate::components::{BitRows, Components, Connectivity};
use crate::memory::{TryGrow, try_filled};
use crate::morphology::{Disc, Layer, Opener, Opening};
use crate::parallel::Watch;
use crate::paths::{Sparse, diameter_of};

/// A rule, or one of the rules of a product.
#[derive(Clone, Debug)]
pub enum Term {
    /// All ink is one piece.
    Connected(Connectivity),
    /// On the torus, where opposite sides of the image meet, all ink is one piece.
    Torus {
        /// Of the ink.
        connectivity: Connectivity,
        /// Whether the piece also winds around the torus both ways.
        winds: bool,
    },
    /// From `least` to `most` pixels are ink.
    Ink {
        /// The fewest.
        least: u64,
        /// The most.
        most: u64,
    },
    /// The pieces of ink.
    Pieces(Counted),
    /// The holes, that is pieces of paper that ink encloses.
    Holes(Counted),
    /// One piece, in which some shortest path has at least this many steps.
    Path(u64, Connectivity),
    /// There is ink, and it encloses no paper.
    Solid(Connectivity),
    /// Ink and its mirror image, left to right, have in common at least this share of what is ink in either.
    Symmetric(f64),
    /// Opening a layer by the disc changes nothing.
    Wide(Wide),
}

/// How many pieces or holes there are, and how large they are.
#[derive(Clone, Copy, Debug)]
pub struct Counted {
    /// The fewest.
    pub fewest: u64,
    /// The most.
    pub most: u64,
    /// The fewest pixels of each.
    pub least_area: u64,
    /// Of the ink.
    pub connectivity: Connectivity,
}

impl Counted {
    /// About how many pixels have to change, given the areas of all, which it sorts.
    fn violation(&self, areas: &mut [u32]) -> u64 {
        areas.sort_unstable_by(|a, b| b.cmp(a));
        let (mut violation, count) = (0_u64, areas.len() as u64);
        for (rank, &area) in (0..).zip(areas.iter()) {
            let (area, lack) = (u64::from(area), self.least_area.saturating_sub(area.into()));
            let pixels = if rank < self.fewest {
                lack
            } else if rank < self.most {
                lack.min(area)
            } else {
                area
            };
            violation = violation.saturating_add(pixels);
        }
        let missing = self.fewest.saturating_sub(count).saturating_mul(self.least_area.max(1));
        missing.saturating_add(violation)
    }
}

/// A layer and the disc that opens it.
#[derive(Clone, Debug)]
pub struct Wide {
    pub(super) layer: Layer,
    pub(super) disc: Disc,
    /// Whether opposite sides of the image meet.
    pub(super) periodic: bool,
}

impl Term {
    /// A layer that is nowhere narrower than `diameter` pixels.
    pub fn wide(layer: Layer, diameter: usize, periodic: bool) -> Result<Self, Error> {
        Ok(Self::Wide(Wide { layer, disc: Disc::new(diameter)?, periodic }))
    }

    /// Whether opposite sides of the image meet.
    pub(super) fn is_periodic(&self) -> bool {
        matches!(self, Self::Torus { .. } | Self::Wide(Wide { periodic: true, .. }))
    }
}

/// The most pixels that count: numbers from users are without bounds.
const FAR: u64 = 1 << 40;

/// A mask and what stands in its way.
#[derive(Default)]
pub(super) struct State {
    pub(super) bits: BitRows,
    /// The pixels that openings remove.
    pub(super) narrow: BitRows,
    /// Of each term: about how many pixels have to change.
    pub(super) violations: Vec<u64>,
    /// Pixels that differ from the sample.
    pub(super) changed: u64,
    /// What the mask costs: changed pixels and borders.
    pub(super) cost: f64,
}

impl State {
    /// Takes the size of the bits for everything else.
    pub(super) fn prepare(&mut self, terms: usize) -> Result<(), Error> {
        self.violations = try_filled(terms, 0)?;
        self.narrow.resize(1, self.bits.height(), self.bits.width())
    }

    pub(super) fn total(&self) -> u64 {
        self.violations.iter().sum()
    }
}

/// Working memory of a thread.
#[derive(Default)]
pub(super) struct Tools {
    pub(super) components: Components,
    pub(super) opener: Opener,
    /// Bits of any use.
    pub(super) inverse: BitRows,
    pub(super) stack: Vec<(usize, usize)>,
    areas: Vec<u32>,
    waves: Sparse,
}

/// Measures the state, cheap terms first. Returns whether the sum of its violations is at most `most`; if not, what
/// it measured is incomplete.
pub(super) fn measure(
    terms: &[Term],
    state: &mut State,
    most: u64,
    tools: &mut Tools,
    watch: &mut Watch<'_>,
) -> Result<bool, Error> {
    let State { bits, narrow, violations, .. } = state;
    narrow.clear();
    let mut total = 0;
    for (term, violation) in terms.iter().zip(violations) {
        *violation = violation_of(term, bits, narrow, tools, watch)?.min(FAR);
        total += *violation;
        if total > most {
            return Ok(false);
        }
    }
    Ok(true)
}

fn violation_of(
    term: &Term,
    bits: &BitRows,
    narrow: &mut BitRows,
    tools: &mut Tools,
    watch: &mut Watch<'_>,
) -> Result<u64, Error> {
    Ok(match term {
        Term::Connected(connectivity) => {
            tools.components.find(bits, *connectivity, watch)?;
            let tally = tools.components.tally();
            if tally.count == 0 { 1 } else { tally.area - tally.largest_area }
        }
        Term::Torus { connectivity, winds } => {
            tools.components.find(bits, *connectivity, watch)?;
            tools.components.join_around(bits, *connectivity, watch)?;
            let tally = tools.components.tally();
            // About half a side of pixels for each way that is missing.
            let side = (bits.height().min(bits.width()) as u64).div_ceil(2);
            let missing = if *winds { 2 - u64::from(tally.rank) } else { u64::from(tally.count == 0) };
            tally.area - tally.largest_area + missing * side
        }
        Term::Ink { least, most } => {
            let area = bits.area();
            least.saturating_sub(area) + area.saturating_sub(*most)
        }
        Term::Pieces(counted) => {
            tools.components.find(bits, counted.connectivity, watch)?;
            let Tools { components, areas, .. } = tools;
            list(areas, components.number(watch)?.areas().iter().copied())?;
            counted.violation(areas)
        }
        Term::Holes(counted) => {
            let found = find_holes(bits, counted.connectivity, tools, watch)?;
            list(&mut tools.areas, found.into_iter().filter(|&area| area > 0))?;
            counted.violation(&mut tools.areas)
        }
        Term::Path(length, connectivity) => {
            tools.components.find(bits, *connectivity, watch)?;
            let tally = tools.components.tally();
            let longest = diameter_of(bits, *connectivity, &mut tools.waves, watch)?;
            let missing = length.saturating_sub(longest.into()).max((tally.count == 0).into());
            missing.saturating_add(tally.area - tally.largest_area)
        }
        Term::Solid(connectivity) => {
            if bits.area() == 0 {
                return Ok(1);
            }
            find_holes(bits, *connectivity, tools, watch)?.iter().map(|&area| u64::from(area)).sum()
        }
        Term::Symmetric(overlap) => {
            let (common, either) = mirror_counts(bits);
            // The arithmetic of the rule, so that both agree on every image.
            if common as f64 / either.max(1) as f64 / overlap >= 1.0 {
                0
            } else {
                ((overlap * either as f64 - common as f64).ceil() as u64).max(1)
            }
        }
        Term::Wide(Wide { layer, disc, periodic }) => {
            let opening = Opening { layer: *layer, disc, periodic: *periodic };
            tools.opener.add_narrow(bits, opening, narrow, watch)?
        }
    })
}

/// Replaces what a list holds.
fn list(numbers: &mut Vec<u32>, found: impl Iterator<Item = u32>) -> Result<(), Error> {
    numbers.clear();
    for number in found {
        numbers.try_push(number)?;
    }
    Ok(())
}

/// The areas of the paper's components; 0 for those that touch the border, which are no holes. Leaves the components
/// of the paper in the tools.
pub(super) fn find_holes(
    bits: &BitRows,
    connectivity: Connectivity,
    tools: &mut Tools,
    watch: &mut Watch<'_>,
) -> Result<Vec<u32>, Error> {
    let Tools { components, inverse, .. } = tools;
    inverse.copy_from(bits)?;
    inverse.invert();
    components.find(inverse, connectivity.dual(), watch)?;
    let components = components.number(watch)?;
    let mut areas = try_filled(components.areas.len(), 0)?;
    areas.copy_from_slice(components.areas);
    for (y, runs) in components.rows().enumerate() {
        let border = y == 0 || y == bits.height() - 1;
        for (run, number) in runs {
            if border || run.start == 0 || run.columns().end == bits.width() {
                areas[number as usize - 1] = 0;
            }
        }
    }
    Ok(areas)
}

/// Pixels that are ink in the image and in its mirror image, and in either.
fn mirror_counts(bits: &BitRows) -> (u64, u64) {
    let (mut common, mut either) = (0, 0);
    for row in bits.rows() {
        for (position, &word) in row.iter().enumerate() {
            let mirrored = mirrored_word(row, position, bits.width());
            common += u64::from((word & mirrored).count_ones());
            either += u64::from((word | mirrored).count_ones());
        }
    }
    (common, either)
}

/// Word `position` of the mirrored row.
pub(super) fn mirrored_word(row: &[u64], position: usize, width: usize) -> u64 {
    // Reversing all words puts pixel x at 64 * words - 1 - x, which is too far right by the spare bits.
    let spare = row.len() * 64 - width;
    let source = row.len() - 1 - position;
    let low = row[source].reverse_bits() >> spare;
    let high = if source == 0 || spare == 0 { 0 } else { row[source - 1].reverse_bits() << (64 - spare) };
    low | high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    #[test]
    fn rows_are_mirrored_at_any_width() {
        for width in [1, 7, 63, 64, 65, 127, 128, 130] {
            let mut stream = Stream::new(1, width as u64, 0);
            let mut bits = BitRows::default();
            bits.resize(1, 1, width).unwrap();
            bits.clear();
            (0..width).for_each(|x| bits.put(0, x, stream.word().is_multiple_of(2)));
            for position in 0..width.div_ceil(64) {
                let word = mirrored_word(bits.row(0), position, width);
                for x in position * 64..width.min(position * 64 + 64) {
                    assert_eq!(word >> (x % 64) & 1 == 1, bits.get(0, width - 1 - x), "{x} of {width}");
                }
            }
        }
    }
}
