//! Lines: rows of floats whose columns are filtered, by weighted sums of rows or by the recurrence of a
//! series.

use super::border::Border;
use super::gaussian::{Gaussian, Series, TERMS, Weights};
use super::resize;
use crate::Error;
use crate::memory::TryGrow;
use crate::parallel::Watch;
use crate::simd::{Kernel, Simd};

/// Line widths are a multiple of this, which is a multiple of the floats in a vector of every instruction
/// set.
pub(super) const LANES: usize = 16;
/// Rows that a group of sums may read beyond the last row it needs.
pub(super) const SPARE_ROWS: usize = 4;
/// Rows that are filtered before they are passed to the target.
const ROWS_AT_ONCE: usize = 16;
/// Columns that a series filters before they are passed to the target.
const COLUMNS_AT_ONCE: usize = 256;

/// Repeats the body for each constant below the limit, so that what it indexes stays in registers.
macro_rules! unroll {
    ($name:ident < $limit:expr => $body:block) => {
        unroll!(@ $name, $limit, $body, 0 1 2 3 4 5 6 7)
    };
    (@ $name:ident, $limit:expr, $body:block, $($value:literal)+) => {
        $(if $value < $limit {
            const $name: usize = $value;
            $body
        })+
    };
}
macro_rules! unroll_few {
    ($name:ident < $limit:expr => $body:block) => {
        unroll!(@ $name, $limit, $body, 0 1 2 3)
    };
}
pub(super) use unroll;

/// Rows of floats whose columns are filtered, with margins above and below for what is outside.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) floats: Vec<f32>,
    pub(super) height: usize,
    /// A multiple of [`LANES`].
    pub(super) width: usize,
    /// Distance between rows.
    pub(super) stride: usize,
    pub(super) margin: usize,
    /// The rows filtered last.
    filtered: Vec<f32>,
    /// The initial sums of a series: the weights of each row in the sums at row -1 and at row -2.
    starts: Vec<[[f64; TERMS]; 2]>,
}

impl Lines {
    /// Prepares lines for a filter with this Gaussian. The caller then writes their rows.
    #[inline(always)]
    pub(super) fn start(
        &mut self,
        height: usize,
        width: usize,
        gaussian: &Gaussian,
        border: Border,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        self.height = height;
        self.width = width.next_multiple_of(LANES);
        self.stride = stride_of(self.width);
        self.starts.clear();
        // A series computes what is outside by itself.
        self.margin = match gaussian.weights() {
            Weights::None => 0,
            Weights::Each(weights) => weights.len() - 1,
            Weights::Series(series) => {
                self.set_starts(series, border)?;
                0
            }
        };
        self.make_room(height.next_multiple_of(LANES) + 2 * self.margin + SPARE_ROWS, watch)
    }

    #[inline(never)]
    fn set_starts(&mut self, series: &Series, border: Border) -> Result<(), Error> {
        if !series.starts_at_line(self.height) {
            return Ok(());
        }
        self.starts.try_extend((0..self.height).map(|y| {
            let (period, mirrored) = border.copies(y, self.height);
            [-1, -2].map(|center| {
                let own = series.terms_at(y as isize - center, period);
                let mirror = mirrored.map(|y| series.terms_at(y - center, period)).unwrap_or_default();
                std::array::from_fn(|term| own[term] + mirror[term])
            })
        }))
    }

    /// Makes room for `rows` rows. The lines never shrink.
    fn make_room(&mut self, rows: usize, watch: &mut Watch<'_>) -> Result<(), Error> {
        let floats = self.floats.len().max(rows * self.stride);
        resize(&mut self.floats, floats, 0.0, watch)
    }

    #[inline(always)]
    pub(super) fn row_mut(&mut self, y: usize) -> &mut [f32] {
        &mut self.floats[(self.margin + y) * self.stride..][..self.width]
    }

    /// A row, counted from the first row of the upper margin.
    #[inline(always)]
    pub(super) fn any_row_mut(&mut self, place: usize) -> &mut [f32] {
        &mut self.floats[place * self.stride..][..self.width]
    }

    fn set_margins(&mut self, border: Border, outside: f32) {
        let Self { height, stride, margin, .. } = *self;
        let below = margin + height;
        for row in (0..margin).chain(below..below + margin) {
            match border.inside(row as isize - margin as isize, height) {
                None => self.floats[row * stride..][..stride].fill(outside),
                Some(y) => {
                    let inside = (margin + y) * stride;
                    self.floats.copy_within(inside..inside + stride, row * stride);
                }
            }
        }
    }

    /// Passes the filtered columns to `target`: all rows of some columns, then all rows of the next.
    #[inline(always)]
    pub(super) fn filter<S: Simd>(
        &mut self,
        simd: S,
        gaussian: &Gaussian,
        (border, outside): (Border, f32),
        watch: &mut Watch<'_>,
        target: impl Target,
    ) -> Result<(), Error> {
        self.set_margins(border, outside);
        self.filter_with_margins(simd, gaussian, (border, outside), watch, target)
    }

    /// Like [`Lines::filter`], but the margins are already set.
    #[inline(always)]
    pub(super) fn filter_with_margins<S: Simd>(
        &mut self,
        simd: S,
        gaussian: &Gaussian,
        (border, outside): (Border, f32),
        watch: &mut Watch<'_>,
        mut target: impl Target,
    ) -> Result<(), Error> {
        let (height, stride) = (self.height, self.stride);
        match gaussian.weights() {
            Weights::None => {
                for y in 0..height {
                    target.write(y, 0, &self.floats[y * stride..][..stride]);
                    watch.worked(stride)?;
                }
                Ok(())
            }
            Weights::Each(weights) => self.sum_rows(simd, weights, watch, target),
            Weights::Series(series) => self.slide_down(series, (border, outside), watch, target),
        }
    }

    /// Filters by weighted sums of rows.
    #[inline(always)]
    fn sum_rows<S: Simd>(
        &mut self,
        simd: S,
        weights: &[f32],
        watch: &mut Watch<'_>,
        mut target: impl Target,
    ) -> Result<(), Error> {
        let Self { floats, filtered, height, width, stride, .. } = self;
        let (height, width, stride) = (*height, *width, *stride);
        filtered.try_resize(ROWS_AT_ONCE * stride, 0.0)?;
        for top in (0..height).step_by(ROWS_AT_ONCE) {
            let rows = top..height.min(top + ROWS_AT_ONCE);
            let floats = &floats[top * stride..];
            simd.vectorize(WeightedRows { floats, weights, rows: rows.len(), width, stride, sums: filtered });
            for (y, row) in rows.clone().zip(filtered.chunks_exact(stride)) {
                target.write(y, 0, row);
            }
            watch.worked(rows.len() * stride * (4 + weights.len()) / 8)?;
        }
        Ok(())
    }

    /// Filters by the recurrence of [`Series`].
    #[inline(always)]
    fn slide_down(
        &mut self,
        series: &Series,
        (border, outside): (Border, f32),
        watch: &mut Watch<'_>,
        mut target: impl Target,
    ) -> Result<(), Error> {
        let (height, width) = (self.height, self.width);
        // With paper, the sums are of differences from `outside`.
        let outside = if border == Border::Paper { f64::from(outside) } else { 0.0 };
        for left in (0..width).step_by(COLUMNS_AT_ONCE) {
            let columns = left..width.min(left + COLUMNS_AT_ONCE);
            let stride = stride_of(columns.len());
            resize(&mut self.filtered, height * stride, 0.0, watch)?;
            for x in columns.clone().step_by(LANES) {
                self.slide_down_columns(series, (border, outside), x, (x - left, stride));
                watch.worked(self.steps(series) * LANES * 4)?;
            }
            for (y, row) in self.filtered.chunks_exact(stride).enumerate() {
                target.write(y, left, &row[..columns.len()]);
                watch.worked(columns.len())?;
            }
        }
        Ok(())
    }

    /// Approximate number of rows that the sums of a series visit.
    fn steps(&self, series: &Series) -> usize {
        if self.starts.is_empty() { self.height + 4 * series.radius } else { 2 * self.height }
    }

    /// Filters [`LANES`] columns, starting at column `x`, and writes them to the filtered rows, starting at
    /// column `to`.
    #[inline(always)]
    fn slide_down_columns(
        &mut self,
        series: &Series,
        (border, outside): (Border, f64),
        x: usize,
        (to, filtered_stride): (usize, usize),
    ) {
        let Self { floats, filtered, starts, height, stride, .. } = self;
        let (height, stride) = (*height, *stride);
        let radius = series.radius as isize;
        // Rows before this one contribute nothing: they are `outside`, or the initial sums do not need them.
        let first = match border {
            Border::Paper => 0,
            _ if starts.is_empty() => -radius,
            _ => isize::MIN,
        };
        let row = |y: isize| -> [f64; LANES] {
            let inside = if y < first { None } else { border.inside(y, height) };
            match inside {
                None => [0.0; LANES],
                Some(y) => {
                    let floats = &floats[y * stride + x..][..LANES];
                    std::array::from_fn(|lane| f64::from(floats[lane]) - outside)
                }
            }
        };
        let step = |y: isize| -> [f64; LANES] {
            let (after, before) = (row(y), row(y - 1));
            std::array::from_fn(|lane| after[lane] - before[lane])
        };
        let mut sums = [[0.0; LANES]; TERMS];
        let mut earlier = sums;
        for (y, weights) in starts.iter().enumerate() {
            let values = row(y as isize);
            for term in 0..TERMS {
                for lane in 0..LANES {
                    sums[term][lane] = weights[0][term].mul_add(values[lane], sums[term][lane]);
                    earlier[term][lane] = weights[1][term].mul_add(values[lane], earlier[term][lane]);
                }
            }
        }
        let start = if starts.is_empty() { first - radius - 1 } else { -1 };
        for y in start..height as isize - 1 {
            let (entering, leaving) = (step(y + radius + 1), step(y - radius));
            let mut total = [0.0; LANES];
            for term in 0..TERMS {
                let (turn, gain) = (series.turns[term], series.gains[term]);
                for lane in 0..LANES {
                    let change = gain.mul_add(entering[lane] - leaving[lane], -earlier[term][lane]);
                    let next = turn.mul_add(sums[term][lane], change);
                    (earlier[term][lane], sums[term][lane]) = (sums[term][lane], next);
                    total[lane] += next;
                }
            }
            if let Ok(y) = usize::try_from(y + 1) {
                let values: [f32; LANES] = std::array::from_fn(|lane| (total[lane] + outside) as f32);
                filtered[y * filtered_stride + to..][..LANES].copy_from_slice(&values);
            }
        }
    }
}

/// Weighted sums of rows. They are a separate kernel because they are large and do not depend on the target.
struct WeightedRows<'a> {
    /// The rows, which extend beyond the sums by the reach of the weights on both sides.
    floats: &'a [f32],
    weights: &'a [f32],
    /// Number of sums. Up to [`SPARE_ROWS`] more may be computed.
    rows: usize,
    width: usize,
    stride: usize,
    sums: &'a mut [f32],
}

impl Kernel for WeightedRows<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, simd: S) {
        let radius = self.weights.len() - 1;
        // As many sums and taps at once as the registers hold rows for.
        if S::REGISTERS == 32 {
            match radius % 8 {
                0 => self.sum_groups::<S, 4, 8, 0, 4, 11>(simd),
                1 => self.sum_groups::<S, 4, 8, 1, 6, 11>(simd),
                2 => self.sum_groups::<S, 4, 8, 2, 8, 11>(simd),
                3 => self.sum_groups::<S, 4, 8, 3, 10, 11>(simd),
                4 => self.sum_groups::<S, 4, 8, 4, 12, 11>(simd),
                5 => self.sum_groups::<S, 4, 8, 5, 14, 11>(simd),
                6 => self.sum_groups::<S, 4, 8, 6, 16, 11>(simd),
                _ => self.sum_groups::<S, 4, 8, 7, 18, 11>(simd),
            }
        } else {
            match radius % 4 {
                0 => self.sum_groups::<S, 2, 4, 0, 2, 5>(simd),
                1 => self.sum_groups::<S, 2, 4, 1, 4, 5>(simd),
                2 => self.sum_groups::<S, 2, 4, 2, 6, 5>(simd),
                _ => self.sum_groups::<S, 2, 4, 3, 8, 5>(simd),
            }
        }
    }
}

impl WeightedRows<'_> {
    /// Sums `SUMS` rows at once in registers: first `FIRST` taps on each side, then blocks of `TAPS` taps. A
    /// sum adds rows in the order of their distance from its center, for any of these constants.
    #[inline(always)]
    fn sum_groups<
        S: Simd,
        const SUMS: usize,
        const TAPS: usize,
        const FIRST: usize,
        const WINDOW: usize,
        const SIDE: usize,
    >(
        self,
        simd: S,
    ) {
        const {
            assert!(
                WINDOW == 2 * FIRST + SUMS && SIDE == TAPS + SUMS - 1 && ROWS_AT_ONCE.is_multiple_of(SUMS)
            )
        }
        let Self { floats, weights, rows, width, stride, sums: filtered } = self;
        let radius = weights.len() - 1;
        let (first, further) = weights.split_at(1 + FIRST);
        let (blocks, _) = further.as_chunks::<TAPS>();
        for top in (0..rows).step_by(SUMS) {
            for x in (0..width).step_by(S::FLOATS) {
                let floats = &floats[top * stride + x..];
                let mut sums = [simd.splat_f32(0.0); SUMS];
                {
                    let rows: [_; WINDOW] = simd.load_strided_f32(floats, (radius - FIRST) * stride, stride);
                    let center = simd.splat_f32(first[0]);
                    unroll_few!(SUM < SUMS => {
                        sums[SUM] = simd.mul_f32(center, rows[FIRST + SUM]);
                    });
                    unroll!(TAP < FIRST => {
                        let weight = simd.splat_f32(first[1 + TAP]);
                        unroll_few!(SUM < SUMS => {
                            let both = simd.add_f32(rows[FIRST + SUM - 1 - TAP], rows[FIRST + SUM + 1 + TAP]);
                            sums[SUM] = simd.fma_f32(weight, both, sums[SUM]);
                        });
                    });
                }
                for (block, weights) in blocks.iter().enumerate() {
                    let nearest = 1 + FIRST + block * TAPS;
                    let above: [_; SIDE] =
                        simd.load_strided_f32(floats, (radius - nearest - (TAPS - 1)) * stride, stride);
                    let below: [_; SIDE] = simd.load_strided_f32(floats, (radius + nearest) * stride, stride);
                    unroll!(TAP < TAPS => {
                        let weight = simd.splat_f32(weights[TAP]);
                        unroll_few!(SUM < SUMS => {
                            let both = simd.add_f32(above[TAPS - 1 + SUM - TAP], below[SUM + TAP]);
                            sums[SUM] = simd.fma_f32(weight, both, sums[SUM]);
                        });
                    });
                }
                simd.store_strided_f32(sums, filtered, top * stride + x, stride);
            }
        }
    }
}

/// The distance between rows. Rows at a distance of a power of two would compete for the same cache sets.
fn stride_of(width: usize) -> usize {
    ((width / LANES) | 1) * LANES
}

/// A destination of filtered lines.
pub(super) trait Target {
    /// Writes the values of row `y` from column `x` on. There may be more values than columns.
    fn write(&mut self, y: usize, x: usize, values: &[f32]);
}

impl<T: Target> Target for &mut T {
    #[inline(always)]
    fn write(&mut self, y: usize, x: usize, values: &[f32]) {
        T::write(self, y, x, values);
    }
}
