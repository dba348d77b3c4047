//! Which pixels count: the threshold, turned into an exact limit of the pixel's own type.

use std::ops::RangeInclusive;

use half::f16;

use crate::Error;

/// Which side of the threshold is scored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Ink: a pixel counts when gray <= 1 - threshold.
    Dark,
    /// Paper: a pixel counts when gray >= threshold.
    Light,
}

/// The pixels that count, by their gray value in [0, 1], compared as if in `f64`.
#[derive(Clone, Copy, Debug)]
pub struct Foreground {
    side: Side,
    limit: f64,
}

impl Default for Foreground {
    /// Ink of at least one half.
    fn default() -> Self {
        Self { side: Side::Dark, limit: 0.5 }
    }
}

impl Foreground {
    /// Any finite threshold is served, also one that no pixel or every pixel meets.
    pub fn new(side: Side, threshold: f64) -> Result<Self, Error> {
        if !threshold.is_finite() {
            return Err(Error::invalid(format!("threshold is {threshold}, but must be a finite number")));
        }
        let limit = match side {
            Side::Dark => 1.0 - threshold,
            Side::Light => threshold,
        };
        Ok(Self { side, limit })
    }

    /// The same question asked of the pixels themselves; `gray` must not fall where they rise.
    pub(crate) fn predicate<T: Pixel>(self, gray: impl Fn(T) -> f64) -> Predicate<T> {
        let gray = |key| gray(T::from_key(key));
        // Light is the complement of gray < limit, so both sides are a largest pixel.
        let (last, negate) = match self.side {
            Side::Dark => (last_key(T::KEYS, |key| gray(key) <= self.limit), false),
            Side::Light => (last_key(T::KEYS, |key| gray(key) < self.limit), true),
        };
        match last {
            Some(key) => Predicate { at_most: T::from_key(key), negate },
            None => Predicate { at_most: T::from_key(*T::KEYS.end()), negate: !negate },
        }
    }
}

/// `(pixel <= at_most) != negate`
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Predicate<T> {
    pub(crate) at_most: T,
    pub(crate) negate: bool,
}

/// A pixel type, with its values numbered in rising order from minus infinity (or 0) to infinity (or the
/// largest).
pub(crate) trait Pixel: Copy + Default + Send + Sync + 'static {
    const KEYS: RangeInclusive<i32>;
    fn from_key(key: i32) -> Self;
}

impl Pixel for u8 {
    const KEYS: RangeInclusive<i32> = 0..=255;
    fn from_key(key: i32) -> Self {
        key as u8
    }
}

impl Pixel for f16 {
    const KEYS: RangeInclusive<i32> = -0x7c01..=0x7c00;
    fn from_key(key: i32) -> Self {
        // Negative numbers are the magnitude counted downwards, and -0.0 has the key -1.
        Self::from_bits(if key < 0 { 0x8000 | !key as u16 } else { key as u16 })
    }
}

impl Pixel for f32 {
    const KEYS: RangeInclusive<i32> = -0x7f80_0001..=0x7f80_0000;
    fn from_key(key: i32) -> Self {
        Self::from_bits(if key < 0 { 0x8000_0000 | !key as u32 } else { key as u32 })
    }
}

/// The last key that holds, where all keys that hold come before all that do not.
fn last_key(keys: RangeInclusive<i32>, holds: impl Fn(i32) -> bool) -> Option<i32> {
    let (mut low, mut high) = (i64::from(*keys.start()) - 1, i64::from(*keys.end()));
    while low < high {
        let middle = low + (high - low + 1) / 2;
        if holds(middle as i32) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    keys.contains(&(low as i32)).then_some(low as i32)
}
