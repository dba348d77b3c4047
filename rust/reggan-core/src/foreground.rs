//! Foreground pixels: the threshold as an exact limit in the type of the pixels.

use std::ops::RangeInclusive;

use half::f16;

use crate::Error;

/// Which side of the threshold is foreground.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Ink: a pixel counts when gray <= 1 - threshold.
    Dark,
    /// Paper: a pixel counts when gray >= threshold.
    Light,
}

/// The type of a pixel in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum PixelType {
    Float64,
    Float32,
    Float16,
    Uint8,
    Bool,
}

/// The foreground of an image, by the gray values of its pixels in [0, 1], compared as if in `f64`.
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
    /// The threshold may be any finite number, even if no pixel or every pixel meets it.
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

    pub(crate) fn side(self) -> Side {
        self.side
    }

    /// The comparison for one pixel type, `(pixel <= limit) != negate`, as (limit, negate). The limit is a
    /// value of that type.
    pub fn limit(self, pixels: PixelType) -> (f64, bool) {
        fn widen<T>(predicate: Predicate<T>, number: impl Fn(T) -> f64) -> (f64, bool) {
            (number(predicate.at_most), predicate.negate)
        }
        match pixels {
            PixelType::Float64 => widen(self.float64(), f64::from),
            PixelType::Float32 => widen(self.float32(), f64::from),
            PixelType::Float16 => widen(self.float16(), f64::from),
            PixelType::Uint8 => widen(self.uint8(), f64::from),
            PixelType::Bool => widen(self.bool(), f64::from),
        }
    }

    pub(crate) fn float64(self) -> Predicate<f64> {
        self.predicate(f64::from)
    }

    pub(crate) fn float32(self) -> Predicate<f32> {
        self.predicate(f64::from)
    }

    pub(crate) fn float16(self) -> Predicate<f16> {
        self.predicate(f64::from)
    }

    /// 255 is white.
    pub(crate) fn uint8(self) -> Predicate<u8> {
        self.predicate(|pixel| f64::from(pixel) / 255.0)
    }

    /// 0 is ink, any other byte is white.
    pub(crate) fn bool(self) -> Predicate<u8> {
        self.predicate(|pixel| f64::from(pixel != 0))
    }

    /// A set bit is white.
    pub(crate) fn bit(self) -> Predicate<bool> {
        self.predicate(f64::from)
    }

    /// `gray` must be monotonic: it never decreases when the pixel increases.
    fn predicate<T: Pixel>(self, gray: impl Fn(T) -> f64) -> Predicate<T> {
        let gray = |key| gray(T::from_key(key));
        // Light is the complement of gray < limit, so on both sides the limit is a largest pixel value.
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

/// A pixel type. Its values are numbered in increasing order, from minus infinity (or 0) to infinity (or the
/// maximum).
pub(crate) trait Pixel: Copy + Send + Sync + 'static {
    const KEYS: RangeInclusive<i64>;
    fn from_key(key: i64) -> Self;
}

impl Pixel for bool {
    const KEYS: RangeInclusive<i64> = 0..=1;
    fn from_key(key: i64) -> Self {
        key != 0
    }
}

impl Pixel for u8 {
    const KEYS: RangeInclusive<i64> = 0..=255;
    fn from_key(key: i64) -> Self {
        key as u8
    }
}

impl Pixel for f16 {
    const KEYS: RangeInclusive<i64> = -0x7c01..=0x7c00;
    fn from_key(key: i64) -> Self {
        // Negative numbers count down by magnitude; -0.0 has key -1.
        Self::from_bits(if key < 0 { 0x8000 | !key as u16 } else { key as u16 })
    }
}

impl Pixel for f32 {
    const KEYS: RangeInclusive<i64> = -0x7f80_0001..=0x7f80_0000;
    fn from_key(key: i64) -> Self {
        Self::from_bits(if key < 0 { 0x8000_0000 | !key as u32 } else { key as u32 })
    }
}

impl Pixel for f64 {
    const KEYS: RangeInclusive<i64> = -0x7ff0_0000_0000_0001..=0x7ff0_0000_0000_0000;
    fn from_key(key: i64) -> Self {
        Self::from_bits(if key < 0 { 1 << 63 | !key as u64 } else { key as u64 })
    }
}

/// The last key for which `holds` is true. All such keys must come before all others.
fn last_key(keys: RangeInclusive<i64>, holds: impl Fn(i64) -> bool) -> Option<i64> {
    let (mut low, mut high) = (*keys.start() - 1, *keys.end());
    while low < high {
        // The midpoint, rounded up, without overflow of the sum.
        let middle = (low | high) - ((low ^ high) >> 1);
        if holds(middle) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    keys.contains(&low).then_some(low)
}
