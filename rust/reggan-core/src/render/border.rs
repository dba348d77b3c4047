//! What is outside of an image.

/// What a blur finds beyond the sides of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Border {
    /// Paper.
    #[default]
    Paper,
    /// The image again, mirrored at its sides: the outermost pixels come twice.
    Reflect,
    /// The image again: it is a tile of a periodic pattern.
    Periodic,
}

impl Border {
    /// The place inside of `length` that has what is found at `place`; none is paper.
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
        assert_eq!(paper, [None, None, None, None, Some(0), Some(1), Some(2), None, None, None, None]);
    }
}
