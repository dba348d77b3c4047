//! The Gaussian, cut off at four standard deviations as `scipy.ndimage.gaussian_filter` does: its weights, tables of
//! their sums, and its cosine series.

use std::f64::consts::TAU;
use std::ops::Range;

use crate::Error;
use crate::memory::TryGrow;

/// Where the Gaussian is cut off, in standard deviations.
const TRUNCATE: f64 = 4.0;
/// Up to this radius the weights are summed one by one; beyond it the cosine series is the faster.
const MAX_SUMMED_RADIUS: usize = 64;
/// Columns that are blurred at once, so that their lines stay in the second cache.
const TILE: usize = 128;
/// Terms of the cosine series. The weights that it stands for differ from the Gaussian's by 4e-5 in all, so a
/// blurred image does by 4e-5 of the range of its values, at most.
pub(super) const TERMS: usize = 6;

/// How the neighbours of a pixel are summed.
pub(super) enum Weights<'a> {
    /// Nothing is blurred.
    None,
    /// Of the offsets 0 to the radius, which is at most [`MAX_SUMMED_RADIUS`].
    Each(&'a [f32]),
    Series(&'a Series),
}

/// A Gaussian. Its memory is kept from one standard deviation to the next.
#[derive(Default)]
pub(super) struct Gaussian {
    sigma: f64,
    /// The weights of the offsets 0 to the radius, those of both sides have the sum 1.
    exact: Vec<f64>,
    weights: Vec<f32>,
    tables: Vec<[f32; 16]>,
    series: Option<Series>,
}

impl Gaussian {
    pub(super) fn set(&mut self, sigma: f64) -> Result<(), Error> {
        if self.sigma == sigma && !self.exact.is_empty() {
            return Ok(());
        }
        self.set_exact(sigma)?;
        self.weights.clear();
        self.tables.clear();
        self.series = None;
        if is_series(sigma) {
            self.series = Some(Series::of(&self.exact));
        } else {
            self.weights.try_extend(self.exact.iter().map(|&weight| weight as f32))?;
            self.set_tables()?;
        }
        Ok(())
    }

    /// Sets nothing but what [`Gaussian::exact`] gives.
    pub(super) fn set_exact(&mut self, sigma: f64) -> Result<(), Error> {
        self.sigma = sigma;
        let radius = radius(sigma);
        self.exact.clear();
        self.exact.try_push(1.0)?;
        let factor = -0.5 / (sigma * sigma);
        self.exact.try_extend((1..radius + 1).map(|offset| libm::exp(factor * (offset * offset) as f64)))?;
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

    /// The columns of an image in the parts that are best blurred one after the other. A series starts at the first
    /// column, so for it they are one part.
    pub(super) fn tiles(&self, width: usize) -> impl Iterator<Item = Range<usize>> + use<> {
        let tile = if self.series.is_some() || width < 2 * TILE { width } else { TILE };
        (0..width).step_by(tile).map(move |start| start..width.min(start + tile))
    }

    /// The weights of the offsets 0 to the radius.
    pub(super) fn exact(&self) -> &[f64] {
        &self.exact
    }

    /// Table t has, for the 16 values of the bits at the offsets 4 t - radius to 4 t + 3 - radius, the lowest first,
    /// the sum of the weights of those that are set. Without them for a series.
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

/// Whether a series stands for the weights.
pub(super) fn is_series(sigma: f64) -> bool {
    radius(sigma) > MAX_SUMMED_RADIUS
}

/// A sum of cosines, which a window that slides along a line yields with a few operations a pixel, whatever its
/// width (Sugimoto, Kyochi, Kamata, "Universal approach for DCT-based constant-time Gaussian filter", 2018).
///
/// In the window |n| <= radius the weights are the sum over k of a_k cos(w_k n), with w_k = 2 pi k / (2 radius + 1).
/// F_k(y), the sum of a_k cos(w_k n) x(y + n), obeys F_k(y + 1) = 2 cos(w_k) F_k(y) - F_k(y - 1) + g_k d(y), with
/// g_k = a_k cos(w_k radius) and d(y) = x(y + radius + 1) - x(y + radius) - x(y - radius) + x(y - radius - 1).
pub(super) struct Series {
    pub(super) radius: usize,
    /// 2 cos(w_k)
    pub(super) turns: [f64; TERMS],
    /// g_k
    pub(super) gains: [f64; TERMS],
}

impl Series {
    /// The cosines are orthogonal in the window, so each coefficient is a projection.
    fn of(exact: &[f64]) -> Self {
        let radius = exact.len() - 1;
        let length = (2 * radius + 1) as f64;
        let angle = |k: usize| TAU * k as f64 / length;
        let coefficient = |k: usize| {
            let both_sides = |n: usize| 2.0 * exact[n] * libm::cos(angle(k) * n as f64);
            let sum = exact[0] + (1..=radius).rev().map(both_sides).sum::<f64>();
            sum * if k == 0 { 1.0 } else { 2.0 } / length
        };
        Self {
            radius,
            turns: std::array::from_fn(|k| 2.0 * libm::cos(angle(k))),
            gains: std::array::from_fn(|k| coefficient(k) * libm::cos(angle(k) * radius as f64)),
        }
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
            gaussian.set(sigma).unwrap();
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

    #[test]
    fn a_series_keeps_to_its_bound() {
        for sigma in [16.2, 17.0, 24.0, 40.3, 64.0, 1000.0] {
            let mut gaussian = Gaussian::default();
            gaussian.set(sigma).unwrap();
            let series = gaussian.series.as_ref().expect("a radius that is too large for weights");
            let angle = |k: usize| TAU * k as f64 / (2 * series.radius + 1) as f64;
            let sum_of_cosines = |n: usize| {
                let term = |k: usize| {
                    let coefficient = series.gains[k] / (angle(k) * series.radius as f64).cos();
                    coefficient * (angle(k) * n as f64).cos()
                };
                (0..TERMS).map(term).sum::<f64>()
            };
            let error = |n: usize| (sum_of_cosines(n) - gaussian.exact[n]).abs();
            let all = error(0) + 2.0 * (1..=series.radius).map(error).sum::<f64>();
            assert!(all < 4e-5, "{all} for sigma {sigma}");
        }
    }
}
