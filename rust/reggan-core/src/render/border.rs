//! The border: pixels outside of an image.

/// How a blur extends an image beyond its sides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Border {
    /// With paper.
    #[default]
    Paper,
    /// With the image mirrored at its sides; the outermost pixels are repeated.
    Reflect,
    /// With copies of the image, as a tile of a periodic pattern.
    Periodic,
}

impl Border {
    /// The place below `length` that `place` is a copy of, or none if it is paper.
    #[inline(always)]
    pub(super) fn inside(self, place: isize, length: usize) -> Option<usize> {
        let length = length as isize;
        let inside = match self {
            Self::Paper => place,
            Self::Periodic => place.rem_euclid(length),
            Self::Reflect => {
                let place = place.rem_euclid(2 * length);
                place.min(2 * length - 1 - place)
            }
        };
        (0..length).contains(&inside).then_some(inside as usize)
    }

    /// The distance between copies of `place`, if there are any, and a place that is its mirror image, if
    /// there is one.
    pub(super) fn copies(self, place: usize, length: usize) -> (Option<isize>, Option<isize>) {
        match self {
            Self::Paper => (None, None),
            Self::Reflect => (Some(2 * length as isize), Some(-1 - place as isize)),
            Self::Periodic => (Some(length as isize), None),
        }
    }

    /// All places from -reach to length + reach that are copies of `place`, itself included.
    pub(super) fn places(self, place: usize, reach: usize, length: usize) -> impl Iterator<Item = isize> {
        let (period, mirrored) = self.copies(place, length);
        let (place, reach, length) = (place as isize, reach as isize, length as isize);
        let copies = move |start: isize| {
            let (from, to) = (-reach - start, length + reach - start);
            let numbers = match period {
                None => 0..1,
                Some(period) => {
                    from.div_euclid(period) + isize::from(from.rem_euclid(period) > 0)
                        ..to.div_euclid(period) + 1
                }
            };
            numbers.map(move |number| start + number * period.unwrap_or(0))
        };
        copies(place).chain(mirrored.into_iter().flat_map(copies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_outside() {
        let inside = |border: Border| (-4..7).map(move |place| border.inside(place, 3));
        let all = |places: [usize; 11]| places.into_iter().map(Some);
        assert!(inside(Border::Periodic).eq(all([2, 0, 1, 2, 0, 1, 2, 0, 1, 2, 0])));
        assert!(inside(Border::Reflect).eq(all([2, 2, 1, 0, 0, 1, 2, 2, 1, 0, 0])));
        let paper = inside(Border::Paper).collect::<Vec<_>>();
        for border in [Border::Paper, Border::Reflect, Border::Periodic] {
            for (place, reach) in [(0, 0), (0, 2), (1, 4), (2, 11)] {
                let mut found: Vec<_> = border.places(place, reach, 3).collect();
                found.sort_unstable();
                let (first, end) = (-(reach as isize), 3 + reach as isize + 1);
                let expected = (first..end).filter(|&at| border.inside(at, 3) == Some(place));
                assert!(found.iter().copied().eq(expected), "{border:?} {place} {reach} {found:?}");
            }
        }
        assert_eq!(paper, [None, None, None, None, Some(0), Some(1), Some(2), None, None, None, None]);
    }
}
