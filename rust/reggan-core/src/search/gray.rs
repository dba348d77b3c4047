//! Gray values of a repaired image: those of the sample, less the blur of the ink that went, plus the blur of the ink
//! that came.

use crate::Error;
use crate::components::BitRows;
use crate::memory::TryGrow;

/// A flipped pixel is at least this far on its side of the threshold.
const MARGIN: i32 = 16;

/// The blurs that are tried, from the sharpest on: sigma in pixels. 0 is no blur.
const SIGMAS: [f32; 7] = [0.0, 0.5, 0.75, 1.0, 1.4, 2.0, 2.8];

/// Faint grays of a piece reach further than its blur, by two pixels with this much more of it.
const FAINT: f32 = 0.8;

/// The weights of a row of pixels sum to about this.
const UNIT: i32 = 1 << 8;

/// How a sample was drawn: with which blur and between which grays.
#[derive(Clone, Copy)]
pub(super) struct Look {
    sigma: f32,
    paper: i32,
    contrast: i32,
}

/// The parts of an image.
#[derive(Clone, Copy)]
pub(super) struct Sample<'a> {
    pub(super) pixels: &'a [u8],
    pub(super) bits: &'a BitRows,
    /// A pixel is ink if it is at most this.
    pub(super) at_most: u8,
}

/// Blurs `values`, from -1 to 1, of rows of `width` pixels, to multiples of 1 / UNIT^2. Outside of the image all values
/// are 0.
fn blur(sigma: f32, values: &mut [i32], width: usize, buffer: &mut Vec<i32>) -> Result<(), Error> {
    let reach = (2.5 * sigma).ceil() as usize;
    let mut weights = [0; 8];
    let bell = |distance: usize| (-0.5 * (distance as f32 / sigma.max(1e-3)).powi(2)).exp();
    let sum = bell(0) + 2.0 * (1..=reach).map(bell).sum::<f32>();
    for (distance, weight) in weights.iter_mut().enumerate().take(reach + 1) {
        *weight = (UNIT as f32 * bell(distance) / sum).round() as i32;
    }
    buffer.clear();
    buffer.try_resize(values.len(), 0)?;
    for (row, out) in values.chunks_exact(width).zip(buffer.chunks_exact_mut(width)) {
        for (x, &value) in row.iter().enumerate().filter(|(_, value)| **value != 0) {
            for column in x.saturating_sub(reach)..(x + reach + 1).min(width) {
                out[column] += value * weights[column.abs_diff(x)];
            }
        }
    }
    let height = values.len() / width;
    values.fill(0);
    for (y, row) in
        buffer.chunks_exact(width).enumerate().filter(|(_, row)| row.iter().any(|&value| value != 0))
    {
        for target in y.saturating_sub(reach)..(y + reach + 1).min(height) {
            let weight = weights[target.abs_diff(y)];
            for (out, &value) in values[target * width..][..width].iter_mut().zip(row) {
                *out += weight * value;
            }
        }
    }
    Ok(())
}

/// The median gray of the paper; white if there is none.
fn median_of_paper(sample: Sample<'_>) -> i32 {
    let mut counts = [0; 256];
    for &gray in sample.pixels.iter().filter(|gray| **gray > sample.at_most) {
        counts[usize::from(gray)] += 1;
    }
    let mut left = counts.iter().sum::<usize>().div_ceil(2);
    for (gray, count) in (0..).zip(counts) {
        if count >= left && left > 0 {
            return gray;
        }
        left = left.saturating_sub(count);
    }
    255
}

/// Writes the pixels of a mask as 1, all others as 0.
fn unpack(bits: &BitRows, values: &mut Vec<i32>) -> Result<(), Error> {
    values.clear();
    values.try_resize(bits.height() * bits.width(), 0)?;
    for (y, values) in values.chunks_exact_mut(bits.width()).enumerate() {
        for (x, value) in values.iter_mut().enumerate() {
            *value = bits.get(y, x).into();
        }
    }
    Ok(())
}

/// Working memory.
#[derive(Default)]
pub(super) struct Buffers {
    ink: Vec<i32>,
    delta: Vec<i32>,
    gone: Vec<i32>,
    kept: Vec<i32>,
    buffer: Vec<i32>,
}

impl Look {
    /// The blur that explains the sample best from its own mask.
    pub(super) fn of(sample: Sample<'_>, buffers: &mut Buffers) -> Result<Self, Error> {
        let paper = median_of_paper(sample);
        let mut best = (f64::INFINITY, Self { sigma: 0.0, paper, contrast: 255 });
        for sigma in SIGMAS {
            unpack(sample.bits, &mut buffers.ink)?;
            blur(sigma, &mut buffers.ink, sample.bits.width(), &mut buffers.buffer)?;
            // The least squares line: gray = paper - contrast * ink.
            let n = sample.pixels.len() as f64;
            let [mut sum_x, mut sum_y, mut sum_xx, mut sum_xy, mut sum_yy] = [0.0; 5];
            for (&ink, &gray) in buffers.ink.iter().zip(sample.pixels) {
                let (x, y) = (f64::from(ink) / f64::from(UNIT * UNIT), f64::from(gray));
                sum_x += x;
                sum_y += y;
                sum_xx += x * x;
                sum_xy += x * y;
                sum_yy += y * y;
            }
            let (spread, common, all) =
                (sum_xx - sum_x * sum_x / n, sum_xy - sum_x * sum_y / n, sum_yy - sum_y * sum_y / n);
            let (slope, rest) =
                if spread > 0.0 { (-common / spread, all - common * common / spread) } else { (255.0, all) };
            if rest >= best.0 {
                break;
            }
            best = (rest, Self { sigma, paper, contrast: slope.clamp(0.0, 255.0) as i32 });
        }
        Ok(best.1)
    }

    /// Writes the gray values of the mask `bits`, made from the sample.
    pub(super) fn put_back(
        self,
        sample: Sample<'_>,
        bits: &BitRows,
        buffers: &mut Buffers,
        out: &mut [u8],
    ) -> Result<(), Error> {
        out.copy_from_slice(sample.pixels);
        if bits.count_different(sample.bits) == 0 {
            return Ok(());
        }
        let Buffers { ink, delta, gone, kept, buffer } = buffers;
        let width = bits.width();
        unpack(bits, ink)?;
        unpack(bits, kept)?;
        unpack(sample.bits, delta)?;
        unpack(sample.bits, gone)?;
        for ((delta, gone), &ink) in delta.iter_mut().zip(gone.iter_mut()).zip(ink.iter()) {
            *delta = ink - *delta;
            *gone *= 1 - ink;
        }
        blur(self.sigma, delta, width, buffer)?;
        blur(self.sigma, ink, width, buffer)?;
        let wider = (self.sigma + FAINT).min(SIGMAS[SIGMAS.len() - 1]);
        blur(wider, gone, width, buffer)?;
        blur(wider, kept, width, buffer)?;
        let (limit, unit) = (i32::from(sample.at_most), UNIT * UNIT);
        for (pixel, out) in out.iter_mut().enumerate() {
            let (y, x) = (pixel / width, pixel % width);
            let is_ink = bits.get(y, x);
            let flipped = is_ink != sample.bits.get(y, x);
            if delta[pixel] == 0 && !flipped {
                // Near ink that went, and to no other ink, is paper.
                if gone[pixel] > 0 && kept[pixel] == 0 {
                    *out = (*out).max(self.paper as u8);
                }
                continue;
            }
            let change = (self.contrast * delta[pixel] + unit / 2).div_euclid(unit);
            let mut gray = i32::from(*out) - change;
            // What is far from a border after the change has the gray of paper or ink.
            if delta[pixel] < 0 {
                if ink[pixel] < unit / 64 {
                    gray = gray.max(self.paper);
                }
                gray = gray.min(self.paper.max(i32::from(*out)));
            } else if delta[pixel] > 0 && ink[pixel] > unit - unit / 16 {
                gray = gray.min(self.paper - self.contrast);
            }
            let margin = if flipped { MARGIN } else { 0 };
            let gray = if is_ink {
                gray.min((limit - margin).max(0))
            } else {
                gray.max((limit + 1 + margin).min(255))
            };
            *out = gray.clamp(0, 255) as u8;
        }
        Ok(())
    }
}
