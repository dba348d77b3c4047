//! The Gaussian blur of images that the caller provides.

use std::ops::Range;

use ndarray::{ArrayViewMut2, ArrayViewMut3, Axis};

use super::blur::{Bands, GrayBlur, floor_to_byte};
use super::border::Border;
use super::gaussian::{Gaussian, Weights, is_series};
use super::lines::{Lines, Target};
use super::units_of;
use crate::Error;
use crate::batch::{MAX_SIDE, check_length, check_sides};
use crate::memory::TryGrow;
use crate::parallel::{Runner, Watch, images_per_task};
use crate::simd::{Kernel, Level, Simd};

/// Images to read and images to write, each contiguous and one after another.
pub enum Blur<'a> {
    /// Any finite values.
    Float32 {
        /// The input.
        images: &'a [f32],
        /// The output.
        blurred: &'a mut [f32],
    },
    /// Results are rounded to the nearest byte.
    Uint8 {
        /// The input.
        images: &'a [u8],
        /// The output.
        blurred: &'a mut [u8],
    },
}

/// Blurs images of height x width pixels with a Gaussian that is truncated at four standard deviations.
/// `sigmas[i]` is the standard deviation for image i, from 0 to [`MAX_SIDE`] pixels. With [`Border::Paper`],
/// `outside` is the value beyond the sides.
///
/// Up to a radius of 64 pixels the weights are exact. Beyond it they are a cosine series, whose absolute
/// errors add up to less than 4e-5. The result does not depend on the number of threads or the instruction
/// set.
pub fn gaussian_blur(
    blur: Blur<'_>,
    (height, width): (usize, usize),
    sigmas: &[f64],
    border: Border,
    outside: f32,
    runner: &Runner<'_>,
) -> Result<(), Error> {
    check_sides(1, height, width)?;
    let most = MAX_SIDE as f64;
    if let Some(sigma) = sigmas.iter().find(|sigma| !(0.0..=most).contains(*sigma)) {
        return Err(Error::invalid(format!("sigma is {sigma}, but must be from 0 to {MAX_SIDE} pixels")));
    }
    let work = Work { height, width, sigmas, border: (border, outside), runner };
    match blur {
        Blur::Float32 { images, blurred } => work.blur(images, blurred),
        Blur::Uint8 { images, blurred } => work.blur(images, blurred),
    }
}

struct Work<'a> {
    height: usize,
    width: usize,
    sigmas: &'a [f64],
    border: (Border, f32),
    runner: &'a Runner<'a>,
}

impl Work<'_> {
    fn blur<T: Value>(&self, images: &[T], blurred: &mut [T]) -> Result<(), Error> {
        let &Self { height, width, sigmas, border, runner } = self;
        let (level, per_image) = (Level::chosen()?, height * width);
        check_length("images", images.len(), sigmas.len().saturating_mul(per_image))?;
        check_length("blurred", blurred.len(), images.len())?;
        let blurred = ArrayViewMut3::from_shape((sigmas.len(), height, width), blurred);
        let mut blurred = blurred.map_err(|error| Error::invalid(error.to_string()))?;
        let mut parts = Vec::new();
        for ((image, &sigma), blurred) in
            images.chunks_exact(per_image).zip(sigmas).zip(blurred.outer_iter_mut())
        {
            let (rows, columns) = if is_series(sigma) { (height, width) } else { (PART_ROWS, PART_COLUMNS) };
            let mut rest = blurred;
            for top in (0..height).step_by(rows) {
                let rows = top..height.min(top + rows);
                let (mut these, others) = rest.split_at(Axis(0), rows.len());
                rest = others;
                for left in (0..width).step_by(columns) {
                    let columns = left..width.min(left + columns);
                    let (blurred, others) = these.split_at(Axis(1), columns.len());
                    these = others;
                    parts.try_push(Part {
                        image,
                        height,
                        width,
                        sigma,
                        rows: rows.clone(),
                        columns,
                        blurred,
                    })?;
                }
            }
        }
        let units = units_of(per_image).saturating_mul(sigmas.len()) / parts.len().max(1);
        let tasks = parts.chunks_mut(images_per_task(units));
        runner.run(tasks, Scratch::default, |scratch, parts, watch| {
            parts.iter_mut().try_for_each(|part| level.run(Task { part, border, scratch, watch }))
        })
    }
}

/// Rows and columns of an image that are blurred as one unit of work. With a series, the unit is the whole
/// image.
const PART_ROWS: usize = 512;
const PART_COLUMNS: usize = 1024;

/// A part of an image.
struct Part<'a, T> {
    image: &'a [T],
    height: usize,
    width: usize,
    sigma: f64,
    rows: Range<usize>,
    columns: Range<usize>,
    blurred: ArrayViewMut2<'a, T>,
}

/// Working memory of a thread, reused from part to part.
#[derive(Default)]
struct Scratch {
    gaussian: Gaussian,
    gray: GrayBlur,
    lines: Lines,
    row: Vec<f32>,
}

struct Task<'s, 'p, 'w, T> {
    part: &'s mut Part<'p, T>,
    border: (Border, f32),
    scratch: &'s mut Scratch,
    watch: &'s mut Watch<'w>,
}

impl<T: Value> Kernel for Task<'_, '_, '_, T> {
    type Output = Result<(), Error>;

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) -> Result<(), Error> {
        let Self { part, border: (border, outside), scratch, watch } = self;
        let Scratch { gaussian, gray, lines, row } = scratch;
        let &mut Part { image, height, width, sigma, ref rows, ref columns, ref mut blurred } = part;
        gaussian.set(sigma, height.max(width))?;
        for scale in SCALES {
            let border = (border, outside * T::WHITE * scale);
            let mut target = Columns { pixels: blurred.view_mut(), finite: true };
            let read = |y: usize, columns: Range<usize>, floats: &mut [f32]| {
                for (float, &value) in floats.iter_mut().zip(&image[y * width..][columns]) {
                    *float = value.to_float() * scale;
                }
            };
            if let Weights::Each(weights) = gaussian.weights() {
                let bands = Bands { height, width, columns: columns.clone(), border, read: &read };
                bands.filter(simd, gaussian, weights, rows.clone(), lines, row, watch, &mut target)?;
            } else {
                let read = |y: usize, columns, floats: &mut [f32]| read(rows.start + y, columns, floats);
                lines.start(rows.len(), columns.len(), gaussian, border.0, watch)?;
                gray.along_rows(simd, width, columns.clone(), gaussian, border, read, lines, watch)?;
                lines.filter(simd, gaussian, border, watch, &mut target)?;
            }
            if scale < 1.0 {
                blurred.mapv_inplace(|value| value.scaled_back(scale));
            } else if target.finite {
                break;
            }
        }
        Ok(())
    }
}

/// Factors for the values. Sums of values near the largest float may overflow; then the image is blurred
/// again with a smaller factor.
const SCALES: [f32; 2] = [1.0, 0.25];

struct Columns<'a, T> {
    pixels: ArrayViewMut2<'a, T>,
    /// Whether all values written so far are finite.
    finite: bool,
}

impl<T: Value> Target for Columns<'_, T> {
    #[inline(always)]
    fn write(&mut self, y: usize, x: usize, values: &[f32]) {
        if let Some(row) = self.pixels.row_mut(y).into_slice() {
            let mut finite = true;
            for (pixel, &value) in row[x..].iter_mut().zip(values) {
                *pixel = T::from_float(value);
                finite &= pixel.is_finite();
            }
            self.finite &= finite;
        }
    }
}

/// A pixel value that can be blurred.
trait Value: Copy + Send + Sync {
    const WHITE: f32;
    fn to_float(self) -> f32;
    fn from_float(value: f32) -> Self;
    fn is_finite(self) -> bool;
    /// Undoes a multiplication by `scale` before the blur, for finite values.
    fn scaled_back(self, scale: f32) -> Self;
}

impl Value for f32 {
    const WHITE: f32 = 1.0;

    #[inline(always)]
    fn to_float(self) -> f32 {
        self
    }

    #[inline(always)]
    fn from_float(value: f32) -> Self {
        value
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        self.is_finite()
    }

    fn scaled_back(self, scale: f32) -> Self {
        if self.is_finite() { (self / scale).clamp(Self::MIN, Self::MAX) } else { self }
    }
}

impl Value for u8 {
    const WHITE: f32 = 255.0;

    #[inline(always)]
    fn to_float(self) -> f32 {
        self.into()
    }

    #[inline(always)]
    fn from_float(value: f32) -> Self {
        floor_to_byte((value + 0.5).clamp(0.0, 255.0))
    }

    #[inline(always)]
    fn is_finite(self) -> bool {
        true
    }

    fn scaled_back(self, _: f32) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{Counted, most_between_checks};
    use super::*;

    impl Value for Counted {
        const WHITE: f32 = 1.0;

        fn to_float(self) -> f32 {
            Self::new(self.0).0
        }

        fn from_float(value: f32) -> Self {
            Self::new(value)
        }

        fn is_finite(self) -> bool {
            true
        }

        fn scaled_back(self, _: f32) -> Self {
            self
        }
    }

    #[test]
    fn a_blur_checks_for_interrupts_often() {
        let (height, width) = (1024, 2048);
        let image = vec![Counted(0.5); height * width];
        for sigma in [0.0, 1.0, 16.0, 20.0, 3000.0] {
            let mut blurred = image.clone();
            let blurred = ArrayViewMut2::from_shape((height, width), &mut blurred).unwrap();
            let (rows, columns) = (0..height, 0..width);
            let part = &mut Part { image: &image, height, width, sigma, rows, columns, blurred };
            let (border, scratch) = ((Border::Paper, 1.0), &mut Scratch::default());
            let most =
                most_between_checks(|watch| Level::chosen()?.run(Task { part, border, scratch, watch }));
            assert!(most <= 1 << 19, "{most} pixels at sigma {sigma}");
        }
    }
}
