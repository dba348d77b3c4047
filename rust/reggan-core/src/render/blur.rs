//! The Gaussian blur of rows of bits or gray values: first along the rows, then down the columns.
//!
//! Rows of bits are blurred by table lookups of sums of weights, four bits at a time. Rows of gray values are
//! blurred by weighted sums of neighbors. If the weights are a cosine series, the rows are transposed,
//! blurred down their columns, and transposed back.

use std::ops::Range;

use super::border::Border;
use super::gaussian::{Gaussian, Weights};
use super::lines::{LANES, Lines, SPARE_ROWS, Target, unroll};
use crate::Error;
use crate::components::BitRows;
use crate::memory::TryGrow;
use crate::packing::Gray as Thresholded;
use crate::parallel::Watch;
use crate::simd::Simd;

/// Floats in the lines of a band.
const BAND: usize = 1 << 16;
/// Pixels of a slice that are blurred through all slices at once.
const PART_OF_SLICE: usize = 256;

/// Blurs drawings. The memory is reused from drawing to drawing.
#[derive(Default)]
pub(super) struct InkBlur {
    gaussian: Gaussian,
    bits: BitBlur,
    gray: GrayBlur,
    lines: Lines,
}

impl InkBlur {
    /// Blurs ink and writes it to `image`.
    #[inline(always)]
    pub(super) fn write<S: Simd, T: FromInk>(
        &mut self,
        simd: S,
        ink: &BitRows,
        sigma: f64,
        border: Border,
        image: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { gaussian, bits, lines, .. } = self;
        gaussian.set(sigma, ink.width().max(ink.height()))?;
        for columns in gaussian.tiles(ink.width()) {
            bits.along_rows(simd, ink, columns.clone(), gaussian, border, lines, watch)?;
            let target = Grays { pixels: &mut *image, width: ink.width(), columns };
            lines.filter(simd, gaussian, (border, 0.0), watch, target)?;
        }
        Ok(())
    }

    /// Blurs ink with values from 0 to 1 and writes it to `image`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the input, the filter and the output")]
    pub(super) fn write_soft<S: Simd, T: FromInk>(
        &mut self,
        simd: S,
        ink: &[f32],
        width: usize,
        sigma: f64,
        border: Border,
        image: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { gaussian, gray, lines, .. } = self;
        gaussian.set(sigma, width.max(ink.len() / width))?;
        for columns in gaussian.tiles(width) {
            let read = |y: usize, columns: Range<usize>, floats: &mut [f32]| {
                floats.copy_from_slice(&ink[y * width..][columns]);
            };
            lines.start(ink.len() / width, columns.len(), gaussian, border, watch)?;
            gray.along_rows(simd, width, columns.clone(), gaussian, (border, 0.0), read, lines, watch)?;
            let target = Grays { pixels: &mut *image, width, columns };
            lines.filter(simd, gaussian, (border, 0.0), watch, target)?;
        }
        Ok(())
    }

    /// Blurs a volume through its slices, which are already blurred.
    #[inline(always)]
    pub(super) fn write_through<S: Simd, T: FromInk>(
        &mut self,
        simd: S,
        slices: &[Ink],
        depth: usize,
        border: Border,
        volume: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { gaussian, lines, .. } = self;
        let width = slices.len() / depth;
        for start in (0..width).step_by(PART_OF_SLICE) {
            let columns = start..width.min(start + PART_OF_SLICE);
            lines.start(depth, columns.len(), gaussian, border, watch)?;
            for (z, slice) in slices.chunks_exact(width).enumerate() {
                for (float, ink) in lines.row_mut(z).iter_mut().zip(&slice[columns.clone()]) {
                    *float = ink.0;
                }
            }
            let target = Grays { pixels: &mut *volume, width, columns };
            lines.filter(simd, gaussian, (border, 0.0), watch, target)?;
        }
        Ok(())
    }
}

/// Columns of an image that are written from ink.
struct Grays<'a, T> {
    pixels: &'a mut [T],
    width: usize,
    columns: Range<usize>,
}

impl<T: FromInk> Target for Grays<'_, T> {
    #[inline(always)]
    fn write(&mut self, y: usize, x: usize, ink: &[f32]) {
        let row = &mut self.pixels[y * self.width..][self.columns.clone()];
        for (pixel, &ink) in row[x..].iter_mut().zip(ink) {
            *pixel = T::from_ink(ink);
        }
    }
}

/// Rows of [`LANES`] floats.
struct Blurred<'a>(&'a mut [f32]);

impl Target for Blurred<'_> {
    #[inline(always)]
    fn write(&mut self, y: usize, x: usize, values: &[f32]) {
        self.0[y * LANES..][x..LANES].copy_from_slice(&values[..LANES - x]);
    }
}

/// A value made from ink, which is from 0 to 1 up to rounding.
pub(crate) trait FromInk: Copy {
    fn from_ink(ink: f32) -> Self;
}

/// Unconverted ink.
#[derive(Clone, Copy, Default)]
pub(super) struct Ink(f32);

impl FromInk for Ink {
    #[inline(always)]
    fn from_ink(ink: f32) -> Self {
        Self(ink)
    }
}

/// A gray value.
pub(crate) trait Gray: FromInk + Thresholded + PartialOrd {}

impl Gray for f32 {}
impl Gray for u8 {}

impl FromInk for f32 {
    #[inline(always)]
    fn from_ink(ink: f32) -> Self {
        (1.0 - ink).clamp(0.0, 1.0)
    }
}

impl FromInk for u8 {
    #[inline(always)]
    fn from_ink(ink: f32) -> Self {
        floor_to_byte((-255.0_f32).mul_add(ink, 255.5))
    }
}

/// `value as u8` for 0 <= value < 256. Compilers vectorize this even with SSE2 only, but not the cast.
#[inline(always)]
pub(super) fn floor_to_byte(value: f32) -> u8 {
    // Floats from here on hold integers in their lowest bits.
    const WHOLE: f32 = (1 << 23) as f32;
    let nearest = value + WHOLE;
    let too_high = nearest - WHOLE > value;
    (nearest.to_bits() - u32::from(too_high)) as u8
}

/// `value as u32` for whole values from 0 to 2^22, in a form that compilers vectorize.
#[inline(always)]
pub(super) fn whole(value: f32) -> u32 {
    const WHOLE: f32 = (1 << 23) as f32;
    (value + WHOLE).to_bits() ^ WHOLE.to_bits()
}

/// Blurs rows of bits along the rows.
#[derive(Default)]
pub(super) struct BitBlur {
    /// A row, shifted so that the first bit needed is bit 0.
    shifted: Vec<u64>,
    gray: GrayBlur,
}

impl BitBlur {
    /// Writes the blurred columns `columns` of all rows to `lines`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the input, the filter and the output")]
    pub(super) fn along_rows<S: Simd>(
        &mut self,
        simd: S,
        bits: &BitRows,
        columns: Range<usize>,
        gaussian: &Gaussian,
        border: Border,
        lines: &mut Lines,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let width = bits.width();
        lines.start(bits.height(), columns.len(), gaussian, border, watch)?;
        if let Weights::Series(_) = gaussian.weights() {
            let read = |y: usize, columns, floats: &mut [f32]| expand(bits.row(y), columns, floats);
            return self.gray.along_rows(simd, width, columns, gaussian, (border, 0.0), read, lines, watch);
        }
        for (block, tables) in gaussian.tables().chunks(4).enumerate() {
            // Each earlier block covers sixteen bits.
            let offset = columns.start as isize + 16 * block as isize - gaussian.radius() as isize;
            let (four, rest) = tables.as_chunks::<4>();
            match (four, rest) {
                ([tables], _) => self.add_tables(simd, bits, offset, tables, border, block > 0, lines)?,
                (_, [a]) => self.add_tables(simd, bits, offset, &[*a], border, block > 0, lines)?,
                (_, [a, b]) => self.add_tables(simd, bits, offset, &[*a, *b], border, block > 0, lines)?,
                (_, [a, b, c]) => {
                    self.add_tables(simd, bits, offset, &[*a, *b, *c], border, block > 0, lines)?;
                }
                _ => {}
            }
            watch.worked(bits.height() * columns.len())?;
        }
        Ok(())
    }

    /// Adds to each pixel of the lines the table entries of its bits, which start `offset` columns after it.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the input, the sums and the output")]
    fn add_tables<S: Simd, const N: usize>(
        &mut self,
        simd: S,
        bits: &BitRows,
        offset: isize,
        tables: &[[f32; 16]; N],
        border: Border,
        add: bool,
        lines: &mut Lines,
    ) -> Result<(), Error> {
        let (width, columns) = (bits.width(), lines.width);
        self.shifted.try_resize(columns / 64 + 2, 0)?;
        for (y, row) in bits.rows().enumerate() {
            let line = lines.row_mut(y);
            if row.iter().all(|&word| word == 0) {
                if !add {
                    line.fill(0.0);
                }
                continue;
            }
            shift(row, offset, &mut self.shifted);
            if border != Border::Paper {
                set_outside(row, width, offset, border, columns + 4 * N, &mut self.shifted);
            }
            let mut low = self.shifted[0];
            for (line, &high) in line.chunks_mut(64).zip(&self.shifted[1..]) {
                for at in (0..line.len()).step_by(S::FLOATS) {
                    let bits = (low >> at | high << 1 << (63 - at)) as u32;
                    let sums = if add { simd.load_f32(line, at) } else { simd.splat_f32(0.0) };
                    simd.store_f32(simd.add_lookups(sums, tables, bits), line, at);
                }
                low = high;
            }
        }
        Ok(())
    }
}

/// The bits of a row from `offset` on, with zeros on both sides.
#[inline(always)]
fn shift(row: &[u64], offset: isize, shifted: &mut [u64]) {
    let (first, bit) = (offset.div_euclid(64), offset.rem_euclid(64) as u32);
    let word =
        |position: isize| usize::try_from(position).ok().and_then(|position| row.get(position).copied());
    let mut low = word(first).unwrap_or(0);
    for (position, shifted) in (first + 1..).zip(shifted) {
        let high = word(position).unwrap_or(0);
        *shifted = low >> bit | high << 1 << (63 - bit);
        low = high;
    }
}

/// Sets those of the first `places` bits that are outside the row.
fn set_outside(row: &[u64], width: usize, offset: isize, border: Border, places: usize, shifted: &mut [u64]) {
    let places = places as isize;
    let (before, after) = ((-offset).clamp(0, places), (width as isize - offset).clamp(0, places));
    for place in (0..before).chain(after..places) {
        if let Some(x) = border.inside(place + offset, width) {
            shifted[place as usize / 64] |= (row[x / 64] >> (x % 64) & 1) << (place % 64);
        }
    }
}

/// Converts bits to floats.
fn expand(words: &[u64], columns: Range<usize>, floats: &mut [f32]) {
    for (x, float) in columns.zip(floats) {
        *float = (words[x / 64] >> (x % 64) & 1) as f32;
    }
}

/// Blurs rows of gray values along the rows.
#[derive(Default)]
pub(super) struct GrayBlur {
    /// Rows with their surroundings.
    rows: Vec<f32>,
    /// [`LANES`] rows, transposed, and the same blurred.
    turned: Lines,
    blurred: Vec<f32>,
}

impl GrayBlur {
    /// Writes the blurred columns `columns` of all rows to `lines`. `read(y, columns, floats)` writes columns
    /// of row y, which is `width` wide, to `floats`.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the input, the filter and the output")]
    pub(super) fn along_rows<S: Simd>(
        &mut self,
        simd: S,
        width: usize,
        columns: Range<usize>,
        gaussian: &Gaussian,
        (border, outside): (Border, f32),
        read: impl Fn(usize, Range<usize>, &mut [f32]),
        lines: &mut Lines,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { rows, turned, blurred } = self;
        let count = columns.len();
        match gaussian.weights() {
            Weights::None => {
                for y in 0..lines.height {
                    read(y, columns.clone(), &mut lines.row_mut(y)[..count]);
                    watch.worked(count)?;
                }
            }
            Weights::Each(weights) => {
                let radius = weights.len() - 1;
                let window = Window::of(&columns, radius, width);
                rows.try_resize(lines.width + 2 * radius, 0.0)?;
                for y in 0..lines.height {
                    window.read(y, width, (border, outside), &read, rows);
                    sum_along(simd, weights, rows, lines.row_mut(y));
                    watch.worked(count * (4 + radius) / 8)?;
                }
            }
            Weights::Series(_) => {
                turned.start(count, LANES, gaussian, border, watch)?;
                let window = Window::of(&columns, 0, width);
                let stride = count.next_multiple_of(LANES);
                rows.try_resize(LANES * stride, 0.0)?;
                turned.floats.try_resize((stride + SPARE_ROWS) * LANES, 0.0)?;
                blurred.try_resize(stride * LANES, 0.0)?;
                for top in (0..lines.height).step_by(LANES) {
                    let band = LANES.min(lines.height - top);
                    for (y, row) in (top..).zip(rows.chunks_exact_mut(stride).take(band)) {
                        window.read(y, width, (border, outside), &read, row);
                    }
                    turn(simd, rows, stride, &mut turned.floats, LANES);
                    turned.filter_with_margins(
                        simd,
                        gaussian,
                        (border, outside),
                        watch,
                        Blurred(&mut *blurred),
                    )?;
                    let first = (lines.margin + top) * lines.stride;
                    turn(simd, blurred, LANES, &mut lines.floats[first..], lines.stride);
                }
            }
        }
        Ok(())
    }
}

/// Columns of an image to blur, in bands of rows.
pub(super) struct Bands<'a, R> {
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) columns: Range<usize>,
    pub(super) border: (Border, f32),
    /// `read(y, columns, floats)` writes columns of row y to `floats`.
    pub(super) read: &'a R,
}

impl<R: Fn(usize, Range<usize>, &mut [f32])> Bands<'_, R> {
    /// Passes the blurred rows `rows` to `target`, numbered from 0. The weights must not be a series, which
    /// has to start at the first row. The lines of a band fit the L2 cache.
    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the input, the filter and the output")]
    pub(super) fn filter<S: Simd>(
        &self,
        simd: S,
        gaussian: &Gaussian,
        weights: &[f32],
        rows: Range<usize>,
        lines: &mut Lines,
        buffer: &mut Vec<f32>,
        watch: &mut Watch<'_>,
        mut target: impl Target,
    ) -> Result<(), Error> {
        let &Self { height, width, ref columns, border: (border, outside), read } = self;
        let radius = weights.len() - 1;
        let window = Window::of(columns, radius, width);
        let padded = columns.len().next_multiple_of(LANES);
        let most = (BAND / padded).saturating_sub(2 * radius).next_multiple_of(LANES).max(LANES);
        buffer.try_resize(padded + 2 * radius, 0.0)?;
        for top in rows.clone().step_by(most) {
            let count = most.min(rows.end - top);
            lines.start(count, columns.len(), gaussian, border, watch)?;
            let mut known = 0;
            if top > rows.start {
                // The previous band already holds the rows around its end.
                known = 2 * radius;
                lines.floats.copy_within(most * lines.stride..(most + known) * lines.stride, 0);
            }
            for place in known..count + 2 * radius {
                let line = lines.any_row_mut(place);
                match border.inside((top + place) as isize - radius as isize, height) {
                    None => line.fill(outside),
                    Some(y) => {
                        window.read(y, width, (border, outside), read, buffer);
                        sum_along(simd, weights, buffer, line);
                        watch.worked(line.len() * (4 + radius) / 8)?;
                    }
                }
            }
            let below = Below { above: top - rows.start, target: &mut target };
            lines.filter_with_margins(simd, gaussian, (border, outside), watch, below)?;
        }
        Ok(())
    }
}

/// A target whose first `above` rows are already written.
struct Below<T> {
    above: usize,
    target: T,
}

impl<T: Target> Target for Below<T> {
    #[inline(always)]
    fn write(&mut self, y: usize, x: usize, values: &[f32]) {
        self.target.write(self.above + y, x, values);
    }
}

/// Columns with their surroundings, which may extend beyond the image.
struct Window {
    /// Column of the image at which the window starts; may be negative.
    start: isize,
    /// The columns of the window that are in the image.
    inner: Range<usize>,
    len: usize,
}

impl Window {
    fn of(columns: &Range<usize>, radius: usize, width: usize) -> Self {
        Self {
            start: columns.start as isize - radius as isize,
            inner: columns.start.saturating_sub(radius)..width.min(columns.end + radius),
            len: columns.len() + 2 * radius,
        }
    }

    #[inline(always)]
    fn read(
        &self,
        y: usize,
        width: usize,
        (border, outside): (Border, f32),
        read: &impl Fn(usize, Range<usize>, &mut [f32]),
        row: &mut [f32],
    ) {
        let Self { start, ref inner, len } = *self;
        let before = (inner.start as isize - start) as usize;
        let after = before + inner.len();
        read(y, inner.clone(), &mut row[before..after]);
        if border == Border::Paper {
            row[..before].fill(outside);
            row[after..len].fill(outside);
            return;
        }
        for place in (0..before).chain(after..len) {
            match border.inside(start + place as isize, width) {
                None => row[place] = outside,
                Some(x) if inner.contains(&x) => row[place] = row[before + x - inner.start],
                Some(x) => read(y, x..x + 1, &mut row[place..place + 1]),
            }
        }
    }
}

/// Blurs a row, which starts as far before the line as the weights reach. A sum adds pixels in the order of
/// their distance from its center.
#[inline(always)]
fn sum_along<S: Simd>(simd: S, weights: &[f32], row: &[f32], line: &mut [f32]) {
    match (weights.len() - 1) % TAPS_ALONG {
        0 => sum_windows::<S, 0, 1>(simd, weights, row, line),
        1 => sum_windows::<S, 1, 3>(simd, weights, row, line),
        2 => sum_windows::<S, 2, 5>(simd, weights, row, line),
        3 => sum_windows::<S, 3, 7>(simd, weights, row, line),
        4 => sum_windows::<S, 4, 9>(simd, weights, row, line),
        5 => sum_windows::<S, 5, 11>(simd, weights, row, line),
        6 => sum_windows::<S, 6, 13>(simd, weights, row, line),
        _ => sum_windows::<S, 7, 15>(simd, weights, row, line),
    }
}

/// Taps on each side that are added at once in a sum along a row.
const TAPS_ALONG: usize = 8;

/// Adds `FIRST` taps on each side, then blocks of [`TAPS_ALONG`] taps.
#[inline(always)]
fn sum_windows<S: Simd, const FIRST: usize, const WINDOW: usize>(
    simd: S,
    weights: &[f32],
    row: &[f32],
    line: &mut [f32],
) {
    const { assert!(WINDOW == 2 * FIRST + 1) }
    let radius = weights.len() - 1;
    let (first, further) = weights.split_at(1 + FIRST);
    let (blocks, _) = further.as_chunks::<TAPS_ALONG>();
    for x in (0..line.len()).step_by(S::FLOATS) {
        let near: [_; WINDOW] = simd.load_strided_f32(row, x + radius - FIRST, 1);
        let mut sum = simd.mul_f32(simd.splat_f32(first[0]), near[FIRST]);
        unroll!(TAP < FIRST => {
            let both = simd.add_f32(near[FIRST - 1 - TAP], near[FIRST + 1 + TAP]);
            sum = simd.fma_f32(simd.splat_f32(first[1 + TAP]), both, sum);
        });
        for (block, weights) in blocks.iter().enumerate() {
            let nearest = 1 + FIRST + block * TAPS_ALONG;
            let before: [_; TAPS_ALONG] =
                simd.load_strided_f32(row, x + radius + 1 - nearest - TAPS_ALONG, 1);
            let after: [_; TAPS_ALONG] = simd.load_strided_f32(row, x + radius + nearest, 1);
            unroll!(TAP < TAPS_ALONG => {
                let both = simd.add_f32(before[TAPS_ALONG - 1 - TAP], after[TAP]);
                sum = simd.fma_f32(simd.splat_f32(weights[TAP]), both, sum);
            });
        }
        simd.store_f32(sum, line, x);
    }
}

/// Transposes rows. Those of `from` and `to` are contiguous, with lengths that are multiples of [`LANES`].
#[inline(always)]
fn turn<S: Simd>(simd: S, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
    for y in (0..from.len() / from_stride).step_by(S::FLOATS) {
        for x in (0..from_stride).step_by(S::FLOATS) {
            simd.transpose(
                &from[y * from_stride + x..],
                from_stride,
                &mut to[x * to_stride + y..],
                to_stride,
            );
        }
    }
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
}
