//! The Gaussian, truncated at four standard deviations like `scipy.ndimage.gaussian_filter`: its weights,
//! tables of their sums, and its cosine series.

use std::f64::consts::TAU;
use std::ops::Range;

use crate::Error;
use crate::memory::TryGrow;

/// Where the Gaussian is truncated, in standard deviations.
const TRUNCATE: f64 = 4.0;
/// Up to this radius weights are summed one by one; beyond it the cosine series is faster.
const MAX_SUMMED_RADIUS: usize = 64;
/// Columns that are blurred at once, so that their lines fit the L2 cache.
const TILE: usize = 128;
/// Samples on one side of a Gaussian that is wider than the image, for its series. With this many, the
/// coefficients are accurate to a few parts in 10^9.
const MAX_SAMPLES: usize = 512;
/// Terms of the cosine series. The absolute errors of its weights add up to less than 4e-5, so the error of a
/// blurred image is less than 4e-5 of the range of its values.
pub(super) const TERMS: usize = 6;

/// How the neighbors of a pixel are summed.
pub(super) enum Weights<'a> {
    /// No blur.
    None,
    /// The weights of offsets 0 to the radius, which is at most [`MAX_SUMMED_RADIUS`].
    Each(&'a [f32]),
    Series(&'a Series),
}

/// A Gaussian. The memory is reused when the standard deviation changes.
#[derive(Default)]
pub(super) struct Gaussian {
    sigma: f64,
    /// The weights of offsets 0 to the radius, or samples of them. The sum over both sides is 1.
    exact: Vec<f64>,
    weights: Vec<f32>,
    tables: Vec<[f32; 16]>,
    series: Option<Series>,
}

impl Gaussian {
    /// Sets the Gaussian for images whose longest side is `longest`.
    pub(super) fn set(&mut self, sigma: f64, longest: usize) -> Result<(), Error> {
        let radius = radius(sigma);
        let samples = if is_wider(radius, longest) { radius.min(MAX_SAMPLES) } else { radius };
        if self.sigma == sigma && self.exact.len() == samples + 1 {
            return Ok(());
        }
        self.set_samples(sigma, samples, radius)?;
        self.weights.clear();
        self.tables.clear();
        self.series = None;
        if is_series(sigma) {
            self.series = Some(Series::of(&self.exact, radius));
        } else {
            self.weights.try_extend(self.exact.iter().map(|&weight| weight as f32))?;
            self.set_tables()?;
        }
        Ok(())
    }

    /// Sets only what [`Gaussian::exact`] returns.
    pub(super) fn set_exact(&mut self, sigma: f64) -> Result<(), Error> {
        self.set_samples(sigma, radius(sigma), radius(sigma))
    }

    /// Sets weights for offsets 0 to `samples`, of a Gaussian that is narrowed from `radius` to `samples`.
    fn set_samples(&mut self, sigma: f64, samples: usize, radius: usize) -> Result<(), Error> {
        self.sigma = sigma;
        let sigma = sigma * (window(samples) / window(radius));
        self.exact.clear();
        self.exact.try_push(1.0)?;
        let factor = -0.5 / (sigma * sigma);
        self.exact.try_extend((1..samples + 1).map(|offset| libm::exp(factor * (offset * offset) as f64)))?;
        let sum = 1.0 + 2.0 * self.exact[1..].iter().rev().sum::<f64>();
        self.exact.iter_mut().for_each(|weight| *weight /= sum);
        Ok(())
    }

    pub(super) fn radius(&self) -> usize {
        self.exact.len() - 1
    }

    pub(super) fn weights(&self) -> Weights<'_> {
        match &self.series {
            Some(series) => Weights::Series(series),
            None if self.radius() == 0 => Weights::None,
            None => Weights::Each(&self.weights),
        }
    }

    /// The columns of an image in tiles that are blurred one after another. A series starts at the first
    /// column, so it needs a single tile.
    pub(super) fn tiles(&self, width: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let tile = if self.series.is_some() || width < 2 * TILE { width } else { TILE };
        (0..width).step_by(tile).map(move |start| start..width.min(start + tile))
    }

    /// The weights of offsets 0 to the radius.
    pub(super) fn exact(&self) -> &[f64] {
        &self.exact
    }

    /// Table t covers the bits at offsets 4 t - radius to 4 t + 3 - radius, the first in the lowest bit. For
    /// each of their 16 values it holds the sum of the weights of the bits that are set. A series has no
    /// tables.
    pub(super) fn tables(&self) -> &[[f32; 16]] {
        &self.tables
    }

    fn set_tables(&mut self) -> Result<(), Error> {
        let radius = self.radius();
        for first in (0..=2 * radius).step_by(4) {
            let weights: [f64; 4] = std::array::from_fn(|bit| {
                self.exact.get(radius.abs_diff(first + bit)).copied().unwrap_or_default()
            });
            self.tables.try_push(std::array::from_fn(|bits| {
                (0..4).filter(|bit| bits >> bit & 1 == 1).map(|bit| weights[bit]).sum::<f64>() as f32
            }))?;
        }
        Ok(())
    }
}

fn radius(sigma: f64) -> usize {
    (TRUNCATE * sigma + 0.5) as usize
}

/// The number of pixels that a Gaussian of this radius reaches.
fn window(radius: usize) -> f64 {
    (2 * radius + 1) as f64
}

/// Whether the weights are a series.
pub(super) fn is_series(sigma: f64) -> bool {
    radius(sigma) > MAX_SUMMED_RADIUS
}

/// Whether sigma is larger than `length`. Renderers never use such a sigma, so this case does not affect
/// their images.
fn is_wider(radius: usize, length: usize) -> bool {
    radius as f64 > TRUNCATE * length as f64
}

/// A sum of cosines. A window that slides along a line computes it with a few operations a pixel, for any
/// width (Sugimoto, Kyochi and Kamata, "Universal approach for DCT-based constant-time Gaussian filter",
/// 2018).
///
/// In the window |n| <= radius the weights are the sum over k of `a_k cos(w_k n)`, with
/// `w_k = 2 pi k / (2 radius + 1)`. `F_k(y)`, the sum of `a_k cos(w_k n) x(y + n)`, obeys
/// `F_k(y + 1) = 2 cos(w_k) F_k(y) - F_k(y - 1) + g_k d(y)`, with `g_k = a_k cos(w_k radius)` and
/// `d(y) = x(y + radius + 1) - x(y + radius) - x(y - radius) + x(y - radius - 1)`.
pub(super) struct Series {
    pub(super) radius: usize,
    /// w_k
    angles: [f64; TERMS],
    /// a_k
    coefficients: [f64; TERMS],
    /// 2 cos(w_k)
    pub(super) turns: [f64; TERMS],
    /// g_k
    pub(super) gains: [f64; TERMS],
}

impl Series {
    /// The cosines are orthogonal in the window, so each coefficient is a projection, computed from the
    /// samples.
    fn of(samples: &[f64], radius: usize) -> Self {
        let angle = |k: usize, radius: usize| TAU * k as f64 / window(radius);
        let coefficient = |k: usize| {
            let last = samples.len() - 1;
            let both_sides = |n: usize| 2.0 * samples[n] * libm::cos(angle(k, last) * n as f64);
            let sum = samples[0] + (1..=last).rev().map(both_sides).sum::<f64>();
            sum * if k == 0 { 1.0 } else { 2.0 } / window(radius)
        };
        let angles = std::array::from_fn(|k| angle(k, radius));
        let coefficients = std::array::from_fn(coefficient);
        Self {
            radius,
            angles,
            coefficients,
            turns: angles.map(|angle| 2.0 * libm::cos(angle)),
            gains: std::array::from_fn(|k| coefficients[k] * libm::cos(angles[k] * radius as f64)),
        }
    }

    /// Whether the window extends so far beyond a line of this length that its sums start at the line,
    /// computed by [`Series::terms_at`]. The sums then hardly differ from those of a window that starts where
    /// it is empty.
    pub(super) fn starts_at_line(&self, length: usize) -> bool {
        is_wider(self.radius, length)
    }

    /// The sum of `a_k cos(w_k n)` over all n = distance + j period in the window, by the formula for a
    /// geometric series. Without a period, n is the distance.
    ///
    /// The divisors are not 0 if the window is longer than four periods of an even length, or eight of any
    /// length: k periods would have to be as long as the window, but its length is odd and k is at most 5.
    pub(super) fn terms_at(&self, distance: isize, period: Option<isize>) -> [f64; TERMS] {
        let radius = self.radius as isize;
        std::array::from_fn(|k| {
            let angle = self.angles[k];
            let sum = match period {
                None => libm::cos(angle * distance as f64),
                Some(period) => {
                    let first = (distance + radius).rem_euclid(period) - radius;
                    let steps = (radius - first).div_euclid(period);
                    let half_step = 0.5 * angle * period as f64;
                    let middle = 0.5 * angle * (2 * first + steps * period) as f64;
                    let count = (steps + 1) as f64;
                    let copies =
                        if k == 0 { count } else { libm::sin(half_step * count) / libm::sin(half_step) };
                    libm::cos(middle) * copies
                }
            };
            self.coefficients[k] * sum
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(sigma: f64, offset: usize) -> f64 {
        if offset == 0 { 1.0 } else { (-0.5 * (offset as f64 / sigma).powi(2)).exp() }
    }

    #[test]
    fn weights_and_tables_are_those_of_a_gaussian() {
        let mut gaussian = Gaussian::default();
        for sigma in [0.0, 0.1, 0.3, 1.3, 2.5, 16.0] {
            gaussian.set(sigma, 64).unwrap();
            let radius = (4.0 * sigma + 0.5_f64).floor() as usize;
            assert_eq!(gaussian.weights.len(), radius + 1);
            let sum: f64 = (0..=2 * radius).map(|place| weight(sigma, radius.abs_diff(place))).sum();
            for (offset, &given) in gaussian.weights.iter().enumerate() {
                assert!((f64::from(given) - weight(sigma, offset) / sum).abs() < 1e-7);
            }
            for (number, table) in gaussian.tables.iter().enumerate() {
                for (bits, &given) in table.iter().enumerate() {
                    let set = (0..4).filter(|bit| bits >> bit & 1 == 1).map(|bit| 4 * number + bit);
                    let inside = set.filter(|&place| place <= 2 * radius);
                    let expected: f64 = inside.map(|place| weight(sigma, radius.abs_diff(place)) / sum).sum();
                    assert!((f64::from(given) - expected).abs() < 1e-7);
                }
            }
        }
    }

    /// The sum of the absolute errors of the weights of a series.
    fn error(sigma: f64, longest: usize) -> f64 {
        let (mut gaussian, mut exact) = (Gaussian::default(), Gaussian::default());
        gaussian.set(sigma, longest).unwrap();
        exact.set_exact(sigma).unwrap();
        let series = gaussian.series.as_ref().expect("a radius that needs a series");
        assert_eq!(series.radius, exact.radius());
        let error = |n: usize| {
            let sum_of_cosines: f64 = series.terms_at(n as isize, None).iter().sum();
            (sum_of_cosines - exact.exact[n]).abs()
        };
        error(0) + 2.0 * (1..=series.radius).map(error).sum::<f64>()
    }

    #[test]
    fn a_series_keeps_its_error_bound() {
        for sigma in [16.2, 17.0, 24.0, 40.3, 64.0, 1000.0] {
            for longest in [1, 32_768] {
                let error = error(sigma, longest);
                assert!(error < 4e-5, "{error} for sigma {sigma}");
            }
        }
    }

    /// The work for a sigma larger than the image is that for a sigma as large as the image, or for few
    /// samples.
    #[test]
    fn the_cost_does_not_grow_with_sigma() {
        let mut gaussian = Gaussian::default();
        for (sigma, longest, samples) in [
            (64.0, 64, 256),
            (65.0, 64, 260),
            (1000.0, 64, MAX_SAMPLES),
            (32_768.0, 64, MAX_SAMPLES),
            (1000.0, 1000, 4000),
            (32_768.0, 1000, MAX_SAMPLES),
        ] {
            gaussian.set(sigma, longest).unwrap();
            assert_eq!(gaussian.exact.len(), samples + 1, "sigma {sigma}, side {longest}");
        }
    }

    #[test]
    fn copies_are_summed_by_the_formula() {
        let mut gaussian = Gaussian::default();
        gaussian.set(40.0, 1).unwrap();
        let series = gaussian.series.as_ref().expect("a radius that needs a series");
        let radius = series.radius as isize;
        for period in [1, 2, 3, 31, 39, 64] {
            for distance in [0, 1, 17, 38] {
                let copies = (-radius..=radius).filter(|n| (n - distance) % period == 0);
                let expected = copies
                    .map(|n| series.terms_at(n, None))
                    .fold([0.0; TERMS], |sums, terms| std::array::from_fn(|k| sums[k] + terms[k]));
                let found = series.terms_at(distance, Some(period));
                for k in 0..TERMS {
                    assert!((found[k] - expected[k]).abs() < 1e-13, "{period} {distance} {k}");
                }
            }
        }
    }
}
