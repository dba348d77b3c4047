//! The blur: an exact Gaussian, cut off at four standard deviations as `scipy.ndimage.gaussian_filter` does,
//! over ink that is 0 or 1, with paper outside of the image.

use crate::Error;
use crate::components::{BitRows, for_each_run};
use crate::foreground::Pixel;
use crate::parallel::Watch;

/// Columns of a row that are summed between two looks at whether to stop: a sum may have thousands of terms.
const COLUMNS: usize = 1024;
/// Rows that are summed before they are added to the total: keeps the rounding error of very long sums small.
const SUM_BLOCK: usize = 64;
/// Where the Gaussian is cut off, in standard deviations.
const TRUNCATE: f64 = 4.0;

/// A gray value made from blurred ink, which is 0 to 1 up to rounding.
pub(crate) trait Gray: Pixel {
    const WHITE: Self;
    fn from_ink(ink: f32) -> Self;
}

impl Gray for f32 {
    const WHITE: Self = 1.0;
    #[inline]
    fn from_ink(ink: f32) -> Self {
        (1.0 - ink).clamp(0.0, 1.0)
    }
}

impl Gray for u8 {
    const WHITE: Self = 255;
    #[inline]
    fn from_ink(ink: f32) -> Self {
        floor_to_byte(255.0 * f32::from_ink(ink) + 0.5)
    }
}

/// `value as u8` for 0 <= value < 256. Compilers vectorise this, and not the cast, where only SSE2 is sure.
#[inline]
fn floor_to_byte(value: f32) -> u8 {
    // Floats from here on have whole numbers in their lowest bits.
    const WHOLE: f32 = (1 << 23) as f32;
    let nearest = value + WHOLE;
    let too_high = nearest - WHOLE > value;
    (nearest.to_bits() - u32::from(too_high)) as u8
}

/// The blur of one image after another. Its memory is kept.
#[derive(Default)]
pub(super) struct Blur {
    kernel: Kernel,
    /// The rows from the first to the last that hold ink, blurred along the row.
    lines: Vec<f32>,
    line: Vec<f32>,
}

impl Blur {
    /// Writes the gray values of blurred ink.
    pub(super) fn write<T: Gray>(
        &mut self,
        ink: &BitRows,
        sigma: f64,
        image: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let width = ink.width();
        let has_ink = |row: &[u64]| row.iter().any(|&word| word != 0);
        let Some(first) = ink.rows().position(has_ink) else {
            image.fill(T::WHITE);
            return Ok(());
        };
        let last = ink.rows().rposition(has_ink).unwrap_or(first);
        self.kernel.set(sigma, width);
        self.blur_along_rows(ink, first, last, watch)?;

        self.line.resize(width, 0.0);
        let Kernel { radius, weights, .. } = &self.kernel;
        for (y, row) in image.chunks_exact_mut(width).enumerate() {
            let top = first.max(y.saturating_sub(*radius));
            let bottom = last.min(y + radius);
            if top > bottom {
                row.fill(T::WHITE);
                continue;
            }
            let lines = &self.lines[(top - first) * width..(bottom + 1 - first) * width];
            let weights = &weights[top + radius - y..=bottom + radius - y];
            for (position, line) in self.line.chunks_mut(COLUMNS).enumerate() {
                weighted_sum(line, &lines[position * COLUMNS..], width, weights);
                watch.worked(line.len() * (1 + weights.len() / 8))?;
            }
            for (pixel, &ink) in row.iter_mut().zip(&self.line) {
                *pixel = T::from_ink(ink);
            }
        }
        Ok(())
    }

    fn blur_along_rows(
        &mut self,
        ink: &BitRows,
        first: usize,
        last: usize,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let width = ink.width();
        let Kernel { radius, steps, .. } = &self.kernel;
        self.lines.clear();
        self.lines.reserve((last + 1 - first) * width);
        for y in first..=last {
            let start = self.lines.len();
            self.lines.resize(start + width, 0.0);
            let line = &mut self.lines[start..];
            let mut work = width;
            for_each_run(ink.row(y), |run| {
                // A run is a step up at its start less a step up at its end.
                let (start, end) = (usize::from(run.start), usize::from(run.end));
                let (left, right) = (start.saturating_sub(*radius), width.min(end + radius));
                let up = &steps[width + left - start..width + right - start];
                let down = &steps[width + left - end..width + right - end];
                add_difference(&mut line[left..right], up, down);
                work += right - left;
            });
            watch.worked(work)?;
        }
        Ok(())
    }
}

/// A Gaussian for images of one width.
#[derive(Default)]
struct Kernel {
    radius: usize,
    /// The weights of the offsets -radius to radius; their sum is 1.
    weights: Vec<f32>,
    /// The blur of a step from 0 to 1: at `width + x`, its value x pixels beyond the first 1, for x from
    /// -width to width.
    steps: Vec<f32>,
    exact: Vec<f64>,
}

impl Kernel {
    fn set(&mut self, sigma: f64, width: usize) {
        self.radius = (TRUNCATE * sigma + 0.5) as usize;
        self.exact.clear();
        self.exact.push(1.0);
        let factor = -0.5 / (sigma * sigma);
        self.exact.extend((1..=self.radius).map(|offset| libm::exp(factor * (offset * offset) as f64)));
        let sum = 1.0 + 2.0 * self.exact[1..].iter().rev().sum::<f64>();
        self.exact.iter_mut().for_each(|weight| *weight /= sum);

        let (left, right) = (self.exact.iter().skip(1).rev(), self.exact.iter());
        self.weights.clear();
        self.weights.extend(left.chain(right).map(|&weight| weight as f32));

        let mut reached = 0.0;
        self.steps.clear();
        self.steps.resize(width.saturating_sub(self.radius), 0.0);
        let left = (1..=self.radius).rev();
        for offset in left.map(|x| -(x as isize)).chain(0..=self.radius as isize) {
            reached += self.exact[offset.unsigned_abs()];
            if offset.unsigned_abs() <= width {
                self.steps.push(reached as f32);
            }
        }
        self.steps.resize(2 * width + 1, 1.0);
    }
}

/// `line[i] += high[i] - low[i]`; all of one length.
fn add_difference(line: &mut [f32], high: &[f32], low: &[f32]) {
    for ((value, high), low) in line.iter_mut().zip(high).zip(low) {
        *value += high - low;
    }
}

/// `out[x] = sum over k of weights[k] * rows[k * stride + x]`, summed in blocks of [`SUM_BLOCK`] rows, each block and
/// the blocks in rising order.
fn weighted_sum(out: &mut [f32], rows: &[f32], stride: usize, weights: &[f32]) {
    /// Columns whose sums stay in registers.
    const LANES: usize = 32;
    let (blocks, rest) = out.as_chunks_mut::<LANES>();
    for (position, block) in blocks.iter_mut().enumerate() {
        *block = weighted_columns(&rows[position * LANES..], stride, weights);
    }
    let done = blocks.len() * LANES;
    for (position, value) in rest.iter_mut().enumerate() {
        [*value] = weighted_columns(&rows[done + position..], stride, weights);
    }
}

#[inline(always)]
fn weighted_columns<const LANES: usize>(rows: &[f32], stride: usize, weights: &[f32]) -> [f32; LANES] {
    let mut total = [0.0; LANES];
    for (position, weights) in weights.chunks(SUM_BLOCK).enumerate() {
        let rows = &rows[position * SUM_BLOCK * stride..];
        let mut sum = [0.0; LANES];
        for (row, weight) in weights.iter().enumerate() {
            let values = &rows[row * stride..][..LANES];
            for lane in 0..LANES {
                sum[lane] += weight * values[lane];
            }
        }
        for lane in 0..LANES {
            total[lane] += sum[lane];
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_down() {
        let grays = (0..=1 << 24).map(|step| step as f32 / (1 << 24) as f32);
        for value in grays.map(|gray| 255.0 * gray + 0.5) {
            assert_eq!(floor_to_byte(value), value as u8);
        }
    }

    #[test]
    fn weights_and_steps_are_those_of_a_gaussian() {
        let mut kernel = Kernel::default();
        for (sigma, width) in [(0.0, 5), (0.1, 1), (1.3, 64), (40.0, 3), (3000.0, 130)] {
            kernel.set(sigma, width);
            let radius = (4.0 * sigma + 0.5_f64).floor() as isize;
            let offsets = -radius..=radius;
            let weight = |x: isize| if x == 0 { 1.0 } else { (-0.5 * (x as f64 / sigma).powi(2)).exp() };
            let sum: f64 = offsets.clone().map(weight).sum();
            assert_eq!(kernel.weights.len(), offsets.clone().count());
            for (x, &given) in offsets.clone().zip(&kernel.weights) {
                assert!((f64::from(given) - weight(x) / sum).abs() < 1e-7);
            }
            assert_eq!(kernel.steps.len(), 2 * width + 1);
            for (x, &given) in (-(width as isize)..).zip(&kernel.steps) {
                let expected =
                    offsets.clone().take_while(|&offset| offset <= x).map(weight).sum::<f64>() / sum;
                assert!((f64::from(given) - expected).abs() < 1e-7, "{given} is not {expected} at {x}");
            }
        }
    }
}
