//! Polygons: irregular blobs that keep a distance from each other, like the blobs that a DCGAN learned to
//! count in "Blob GAN" (2021). The value of a pixel is the exact share of its area that a blob covers.
//!
//! The draws and their order are part of the stream version. Lengths are in boxes; the shorter side of the
//! image is `boxes` long. There are `low + index mod (high - low + 1)` blobs, so each number has equally many
//! images. For each blob in turn, the image's stream (object 0) gives the center
//! `x = uniform(margin, width - margin)`, `y = uniform(margin, height - margin)`, drawn up to 1000 times
//! while it is at most `distance` from an earlier center. Then it gives the color `integer(0, 6)`, which is
//! always drawn.
//!
//! The outline of blob i has `vertices` corners at even angles. Corner k is at `angle = 2 pi k / vertices`,
//! at a distance of `1 + irregularity * normal` from the center, with the normals of object 1 + i. The x and
//! y of the corners are smoothed around the outline by a Gaussian of `smoothing` corners, truncated at four
//! times that. Then both are stretched so that the outline fills a box of one by one around the center.
//!
//! The orientation of the outline gives its area a sign. The coverage of a pixel is the absolute value of the
//! signed area inside it, at most 1. A blob of color c changes a pixel from v to v - coverage * (1 - c) * v.

use std::f64::consts::TAU;

use super::blur::{Gray, whole};
use super::gaussian::Gaussian;
use super::{BLACK, Image, PIECE, Paint, Scene, Shape, Size, check_counts, check_range, resize};
use crate::memory::{TryGrow, try_collect};
use crate::parallel::Watch;
use crate::rng::normal;
use crate::simd::Simd;
use crate::{Error, Stream};

const MAX_TRIES: usize = 1000;
/// Corners that are computed at once.
const LANES: usize = 16;
/// A smaller coverage is only a rounding error.
const ROUNDING: f32 = 1e-6;
/// The colors of blobs: all with channels of 0 or 1, except white.
const COLORS: [[f32; 3]; 7] = [
    BLACK,
    [1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0],
    [0.0, 1.0, 1.0],
    [1.0, 0.0, 1.0],
    [1.0, 1.0, 0.0],
];

/// The options of polygons.
#[derive(Clone, Debug, PartialEq)]
pub struct Polygons {
    count: (u32, u32),
    irregularity: f32,
    distance: f64,
    margin: f64,
    boxes: f64,
    color: bool,
    vertices: usize,
    /// Cosines and sines of the corners' angles. The first and last corners are repeated at the other end.
    cosines: Vec<f32>,
    sines: Vec<f32>,
    /// The weights of offsets 0 to the radius.
    weights: Vec<f32>,
}

impl Polygons {
    /// `count` is from 1 to 1024 blobs. `irregularity` is from 0 to 10, `vertices` from 3 to 4096, and
    /// `smoothing` from 0 to an eighth of `vertices`. `boxes` is from 1 to 1000, `distance` from 0 to
    /// `boxes`, and `margin` from 0 to half of `boxes`.
    #[expect(clippy::too_many_arguments, reason = "one for each field of the Python class")]
    pub fn new(
        count: (u32, u32),
        irregularity: f64,
        vertices: u32,
        smoothing: f64,
        boxes: f64,
        distance: f64,
        margin: f64,
        color: bool,
    ) -> Result<Self, Error> {
        let check = |name, value, most| check_range(name, (value, value), (0.0, most));
        check_counts("count", count, 1024)?;
        check("irregularity", irregularity, 10.0)?;
        check_range("vertices", (vertices.into(), vertices.into()), (3.0, 4096.0))?;
        check("smoothing", smoothing, f64::from(vertices) / 8.0)?;
        check_range("boxes", (boxes, boxes), (1.0, 1000.0))?;
        check("distance", distance, boxes)?;
        check("margin", margin, boxes / 2.0)?;
        let mut gaussian = Gaussian::default();
        gaussian.set_exact(smoothing)?;
        let weights = try_collect(gaussian.exact().iter().map(|&weight| weight as f32))?;
        let (vertices, radius) = (vertices as usize, weights.len() - 1);
        let places = vertices.next_multiple_of(LANES) + 2 * radius;
        let corner = |place: usize| (place + vertices * radius - radius) % vertices;
        let angles = (0..places).map(|place| TAU * corner(place) as f64 / vertices as f64);
        Ok(Self {
            count,
            irregularity: irregularity as f32,
            distance,
            margin,
            boxes,
            color,
            vertices,
            cosines: try_collect(angles.clone().map(|angle| libm::cos(angle) as f32))?,
            sines: try_collect(angles.map(|angle| libm::sin(angle) as f32))?,
            weights,
        })
    }

    /// Writes the blobs of an image to `blobs`.
    #[inline(always)]
    fn place(
        &self,
        Image { seed, index, size }: Image,
        blobs: &mut Vec<Shape>,
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let side = size.shorter_side() / self.boxes;
        let (low, high) = self.count;
        let count = low + (index % u64::from(high - low + 1)) as u32;
        let within = |length: usize| (self.margin * side, length as f64 - self.margin * side);
        let apart = (self.distance * side) * (self.distance * side);
        let mut stream = Stream::new(seed, index, 0);
        blobs.clear();
        for _ in 0..count {
            let mut center = [0.0; 2];
            for _ in 0..MAX_TRIES {
                let x = stream.uniform(within(size.width));
                center = [stream.uniform(within(size.height)), x];
                watch.worked(blobs.len())?;
                let near = |blob: &Shape| {
                    let (dy, dx) = (center[0] - blob.center[1], center[1] - blob.center[2]);
                    dx * dx + dy * dy <= apart
                };
                if !blobs.iter().any(near) {
                    break;
                }
            }
            let color = COLORS[stream.integer((0, 6)) as usize];
            let [y, x] = center;
            let color = if self.color { color } else { BLACK };
            blobs.try_push(Shape { center: [0.5, y, x], radius: side / 2.0, color })?;
        }
        Ok(())
    }
}

/// Working memory, reused from image to image.
#[derive(Default)]
pub(crate) struct Scratch {
    blobs: Vec<Shape>,
    words: Vec<u32>,
    /// Distances of the corners from the center.
    distances: Vec<f32>,
    /// One coordinate of the corners before smoothing, with the repeated ones.
    rough: Vec<f32>,
    x: Vec<f32>,
    y: Vec<f32>,
    area: Area,
    /// Ink, plane by plane; 0 is paper.
    ink: Vec<f32>,
}

impl Paint for Polygons {
    type Scratch = Scratch;

    fn planes(&self) -> usize {
        if self.color { 3 } else { 1 }
    }

    fn most_shapes(&self, _: Size) -> usize {
        self.count.1 as usize
    }

    fn scratch(&self, size: Size) -> usize {
        size.pixels().saturating_mul(self.planes() * size_of::<f32>())
    }

    fn scene(&self, image: Image, scene: &mut Scene, watch: &mut Watch<'_>) -> Result<(), Error> {
        scene.sigma = f64::NAN;
        self.place(image, &mut scene.shapes, watch)
    }

    #[inline(always)]
    fn paint<S: Simd, T: Gray>(
        &self,
        _: S,
        image: Image,
        scratch: &mut Scratch,
        pixels: &mut [T],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Scratch { blobs, words, distances, rough, x, y, area, ink } = scratch;
        self.place(image, blobs, watch)?;
        ink.clear();
        resize(ink, pixels.len(), 0.0, watch)?;
        words.try_resize(self.vertices, 0)?;
        for (object, blob) in (1..).zip(&*blobs) {
            Stream::words(image.seed, image.index, object, words);
            self.draw_distances(words, distances)?;
            self.smooth(distances, &self.cosines, rough, x)?;
            self.smooth(distances, &self.sines, rough, y)?;
            area.begin(blob, watch)?;
            stretch(x, blob.center[2] - area.left, blob.radius);
            stretch(y, blob.center[1] - area.top, blob.radius);
            self.close(x)?;
            self.close(y)?;
            area.add_outline(x, y, watch)?;
            area.blend(blob, image.size, &mut ink[..], watch)?;
        }
        for (pixels, ink) in pixels.chunks_mut(PIECE).zip(ink.chunks(PIECE)) {
            for (pixel, &ink) in pixels.iter_mut().zip(ink) {
                *pixel = T::from_ink(ink);
            }
            watch.worked(ink.len())?;
        }
        Ok(())
    }
}

impl Polygons {
    /// Computes the distances of the corners, with the repeated ones.
    #[inline(always)]
    fn draw_distances(&self, words: &[u32], distances: &mut Vec<f32>) -> Result<(), Error> {
        let radius = self.weights.len() - 1;
        distances.try_resize(self.cosines.len(), 0.0)?;
        let own = &mut distances[radius..][..words.len()];
        for (distance, &word) in own.iter_mut().zip(words) {
            *distance = 1.0 + self.irregularity * normal(word);
        }
        // The radius may exceed the number of corners, so corners are copied one by one.
        for place in (0..radius).rev() {
            distances[place] = distances[place + self.vertices];
        }
        for place in radius + self.vertices..distances.len() {
            distances[place] = distances[place - self.vertices];
        }
        Ok(())
    }

    /// Computes one smoothed coordinate of the corners, with some repeated after them.
    #[inline(always)]
    fn smooth(
        &self,
        distances: &[f32],
        directions: &[f32],
        rough: &mut Vec<f32>,
        smooth: &mut Vec<f32>,
    ) -> Result<(), Error> {
        let radius = self.weights.len() - 1;
        rough.try_resize(distances.len(), 0.0)?;
        for (rough, (&distance, &direction)) in rough.iter_mut().zip(distances.iter().zip(directions)) {
            *rough = distance * direction;
        }
        smooth.try_resize(distances.len() - 2 * radius, 0.0)?;
        for (start, smooth) in (0..).step_by(LANES).zip(smooth.as_chunks_mut::<LANES>().0) {
            let window = &rough[start..][..LANES + 2 * radius];
            let mut sums = [0.0; LANES];
            for lane in 0..LANES {
                sums[lane] = self.weights[0] * window[radius + lane];
            }
            for offset in 1..=radius {
                let weight = self.weights[offset];
                let (before, after) = (&window[radius - offset..], &window[radius + offset..]);
                let (Some(before), Some(after)) =
                    (before.first_chunk::<LANES>(), after.first_chunk::<LANES>())
                else {
                    break;
                };
                for lane in 0..LANES {
                    sums[lane] = weight.mul_add(before[lane] + after[lane], sums[lane]);
                }
            }
            *smooth = sums;
        }
        Ok(())
    }

    /// Closes the outline with copies of the first corner. The edges between copies have length 0.
    #[inline(always)]
    fn close(&self, places: &mut Vec<f32>) -> Result<(), Error> {
        let first = places[0];
        places.truncate(self.vertices);
        places.try_resize(self.vertices.next_multiple_of(2 * LANES) + 1, first)
    }
}

/// Stretches coordinates to reach from center - radius to center + radius.
#[inline(always)]
fn stretch(places: &mut [f32], center: f64, radius: f64) {
    let (mut least, mut most) = ([f32::MAX; LANES], [f32::MIN; LANES]);
    for places in places.as_chunks::<LANES>().0 {
        for lane in 0..LANES {
            let place = places[lane];
            least[lane] = if place < least[lane] { place } else { least[lane] };
            most[lane] = if place > most[lane] { place } else { most[lane] };
        }
    }
    let (least, most) =
        (least.into_iter().fold(f32::MAX, f32::min), most.into_iter().fold(f32::MIN, f32::max));
    let (center, radius) = (center as f32, radius as f32);
    let middle = 0.5 * (least + most);
    // An outline without extent stays at its center.
    let factor = if most > least { 2.0 * radius / (most - least) } else { 0.0 };
    let (from, to) = ((center - radius).max(0.0), center + radius);
    for place in places {
        *place = (center + factor * (*place - middle)).clamp(from, to);
    }
}

/// The pixels of a box, and the area below the outline in each.
#[derive(Default)]
struct Area {
    /// Position of the first row and column in the image.
    top: f64,
    left: f64,
    rows: usize,
    /// A multiple of [`LANES`].
    stride: usize,
    /// The change from each pixel to the next one in its column, with two more rows for edges at the lower
    /// end.
    changes: Vec<f32>,
}

impl Area {
    /// Clears the box and moves it to a blob.
    #[inline(always)]
    fn begin(&mut self, blob: &Shape, watch: &mut Watch<'_>) -> Result<(), Error> {
        let Shape { center: [_, y, x], radius, .. } = *blob;
        (self.top, self.left) = ((y - radius).floor(), (x - radius).floor());
        self.rows = (y + radius - self.top).ceil() as usize + 1;
        self.stride = ((x + radius - self.left).ceil() as usize + 1).next_multiple_of(LANES);
        self.changes.clear();
        resize(&mut self.changes, (self.rows + 2) * self.stride, 0.0, watch)
    }

    /// Adds the edges between consecutive corners. Their number is a multiple of twice [`LANES`].
    #[inline(always)]
    fn add_outline(&mut self, x: &[f32], y: &[f32], watch: &mut Watch<'_>) -> Result<(), Error> {
        let half = (x.len() - 1) / 2;
        let (mut one, mut other) = (Edges::default(), Edges::default());
        let (mut parts, mut other_parts) = (Parts::default(), Parts::default());
        for start in (0..half).step_by(LANES) {
            // Edges of two distant places alternate, so that additions to the same pixel need not wait for
            // each other.
            one.load(x, y, start);
            other.load(x, y, half + start);
            one.divide(self.stride, &mut parts);
            other.divide(self.stride, &mut other_parts);
            for lane in 0..LANES {
                self.add_edge(&one, &parts, lane);
                self.add_edge(&other, &other_parts, lane);
            }
            // An edge crosses at most as many pixels as the box has rows and columns.
            watch.worked(2 * LANES * (self.rows + self.stride))?;
        }
        Ok(())
    }

    #[inline(always)]
    fn add_edge(&mut self, edges: &Edges, parts: &Parts, lane: usize) {
        match parts.kinds[lane] {
            Kind::InColumn => self.add_half(&parts.halves[0], lane),
            Kind::Crossing => {
                self.add_half(&parts.halves[0], lane);
                self.add_half(&parts.halves[1], lane);
            }
            Kind::Long => self.add_long_edge(edges.from(lane), edges.to(lane)),
        }
    }

    #[inline(always)]
    fn add_half(&mut self, half: &Half, lane: usize) {
        let (first, stride) = (half.first[lane] as usize, self.stride);
        if let Some(changes) = self.changes.get_mut(first..=first + 2 * stride) {
            changes[0] += half.amounts[0][lane];
            changes[stride] += half.amounts[1][lane];
            changes[2 * stride] += half.amounts[2][lane];
        }
    }

    /// Adds an edge column by column, and in each column pixel by pixel.
    fn add_long_edge(&mut self, from: (f32, f32), to: (f32, f32)) {
        let rightward = from.0 < to.0;
        let (start, end) = if rightward { (from, to) } else { (to, from) };
        let slope = (end.1 - start.1) / (end.0 - start.0);
        let (above, below) = if start.1 < end.1 { (start.1, end.1) } else { (end.1, start.1) };
        let (mut x, mut y) = start;
        while x < end.0 {
            let column = x.floor();
            let next_x = end.0.min(column + 1.0);
            let next_y = if next_x < end.0 { (y + slope * (next_x - x)).clamp(above, below) } else { end.1 };
            let width = if rightward { next_x - x } else { x - next_x };
            self.add_in_column(column as usize, (y, next_y), width);
            (x, y) = (next_x, next_y);
        }
    }

    fn add_in_column(&mut self, column: usize, (from, to): (f32, f32), width: f32) {
        let (start, end) = if from < to { (from, to) } else { (to, from) };
        let per_row = width / (end - start);
        let mut y = start;
        loop {
            let row = y.floor();
            let next = end.min(row + 1.0);
            // A horizontal edge has no rows to divide its width among.
            let part = if next - y < end - start { per_row * (next - y) } else { width };
            let beyond = part * (0.5 * (y + next) - row);
            let place = row as usize * self.stride + column;
            self.changes[place] += part - beyond;
            self.changes[place + self.stride] += beyond;
            y = next;
            if y >= end {
                break;
            }
        }
    }

    /// Blends the blob into the ink.
    #[inline(always)]
    fn blend(
        &mut self,
        blob: &Shape,
        size: Size,
        ink: &mut [f32],
        watch: &mut Watch<'_>,
    ) -> Result<(), Error> {
        let Self { top, left, rows, stride, ref mut changes } = *self;
        for first in (0..stride).step_by(LANES) {
            let mut sums = [0.0; LANES];
            for row in 0..rows {
                let Some(changes) = changes[row * stride + first..].first_chunk_mut::<LANES>() else {
                    return Ok(());
                };
                for lane in 0..LANES {
                    sums[lane] += changes[lane];
                    let covered = f32::abs(sums[lane]);
                    let covered = if covered < 1.0 { covered } else { 1.0 };
                    changes[lane] = if covered < ROUNDING { 0.0 } else { covered };
                }
            }
            watch.worked(rows * LANES)?;
        }
        let (top, left) = (top as isize, left as isize);
        let inside_rows = (-top).max(0)..(size.height as isize - top).min(rows as isize);
        let inside = (-left).max(0)..(size.width as isize - left).min(stride as isize);
        if inside.is_empty() {
            return Ok(());
        }
        for (plane, color) in ink.chunks_exact_mut(size.pixels()).zip(blob.color) {
            if color == 1.0 {
                continue;
            }
            for row in inside_rows.clone() {
                let covered = &changes[row as usize * stride..][inside.start as usize..inside.end as usize];
                let start = (top + row) as usize * size.width + (left + inside.start) as usize;
                for (ink, &covered) in plane[start..].iter_mut().zip(covered) {
                    *ink += covered * (1.0 - color) * (1.0 - *ink);
                }
                watch.worked(inside.len())?;
            }
        }
        Ok(())
    }
}

/// Edges between consecutive corners.
#[derive(Default)]
struct Edges {
    from_x: [f32; LANES],
    from_y: [f32; LANES],
    to_x: [f32; LANES],
    to_y: [f32; LANES],
}

/// How edges are added.
#[derive(Default)]
struct Parts {
    /// The amounts that each edge adds in its first and in its last column.
    halves: [Half; 2],
    kinds: [Kind; LANES],
}

/// The part of each edge within one column: what it adds to a pixel and to the two pixels below it.
#[derive(Default)]
struct Half {
    first: [u32; LANES],
    amounts: [[f32; LANES]; 3],
}

#[derive(Clone, Copy, Default)]
enum Kind {
    /// Has only the first half.
    #[default]
    InColumn,
    /// Crosses into the next column.
    Crossing,
    /// Crosses more columns or rows than two halves can describe.
    Long,
}

impl Edges {
    #[inline(always)]
    fn load(&mut self, x: &[f32], y: &[f32], start: usize) {
        self.from_x.copy_from_slice(&x[start..][..LANES]);
        self.from_y.copy_from_slice(&y[start..][..LANES]);
        self.to_x.copy_from_slice(&x[start + 1..][..LANES]);
        self.to_y.copy_from_slice(&y[start + 1..][..LANES]);
    }

    fn from(&self, lane: usize) -> (f32, f32) {
        (self.from_x[lane], self.from_y[lane])
    }

    fn to(&self, lane: usize) -> (f32, f32) {
        (self.to_x[lane], self.to_y[lane])
    }

    #[inline(always)]
    fn divide(&self, stride: usize, Parts { halves, kinds }: &mut Parts) {
        for (lane, kind) in kinds.iter_mut().enumerate() {
            let (x0, y0) = (self.from_x[lane], self.from_y[lane]);
            let (x1, y1) = (self.to_x[lane], self.to_y[lane]);
            let (column0, column1) = (x0.floor(), x1.floor());
            let (low, high) = if y0 < y1 { (y0, y1) } else { (y1, y0) };
            let crosses = column0 != column1;
            let long = (column1 - column0).abs() > 1.0 || high > low.floor() + 2.0;
            *kind = if crosses { Kind::Crossing } else { Kind::InColumn };
            *kind = if long { Kind::Long } else { *kind };

            // The y at which the edge crosses from one column to the other.
            let side = if column0 < column1 { column1 } else { column0 };
            let crossing = y0 + (y1 - y0) * ((side - x0) / (x1 - x0));
            let crossing = if crossing < low { low } else { crossing };
            let crossing = if crossing > high { high } else { crossing };
            let (middle_x, middle_y) = if crosses { (side, crossing) } else { (x1, y1) };
            for (half, (column, (from_x, from_y), (to_x, to_y))) in halves
                .iter_mut()
                .zip([(column0, (x0, y0), (middle_x, middle_y)), (column1, (middle_x, middle_y), (x1, y1))])
            {
                let width = to_x - from_x;
                let (above, below) = if from_y < to_y { (from_y, to_y) } else { (to_y, from_y) };
                let row = above.floor();
                let next = row + 1.0;
                // The part in the first row and the part in the next row.
                let (end, start) = if below < next { (below, below) } else { (next, next) };
                let share = if below > next { (next - above) / (below - above) } else { 1.0 };
                let (first, second) = (width * share, width - width * share);
                let beyond = first * (0.5 * (above + end) - row);
                let far = second * (0.5 * (start + below) - next);
                half.first[lane] = whole(row).wrapping_mul(stride as u32).wrapping_add(whole(column));
                half.amounts[0][lane] = first - beyond;
                half.amounts[1][lane] = beyond + (second - far);
                half.amounts[2][lane] = far;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The coverage of the pixels of a box by an outline.
    fn covered(outline: &[(f32, f32)], side: usize) -> Vec<f32> {
        let radius = side as f64 / 2.0;
        let blob = Shape { center: [0.5, radius, radius], radius, color: BLACK };
        let mut outline = outline.to_vec();
        outline.resize(outline.len().next_multiple_of(2 * LANES) + 1, outline[0]);
        let (x, y): (Vec<_>, Vec<_>) = outline.into_iter().unzip();
        let (mut area, mut ink) = (Area::default(), vec![0.0; side * side]);
        let (mut stop, size) = (|| false, Size { depth: 1, height: side, width: side });
        let watch = &mut Watch::new(&mut stop);
        area.begin(&blob, watch).unwrap();
        area.add_outline(&x, &y, watch).unwrap();
        area.blend(&blob, size, &mut ink, watch).unwrap();
        ink
    }

    /// The area of an outline within a pixel, computed by clipping the outline at the sides of the pixel.
    fn exact(outline: &[(f32, f32)], row: usize, column: usize) -> f64 {
        let (top, left) = (row as f64, column as f64);
        let mut corners: Vec<(f64, f64)> = outline.iter().map(|&(x, y)| (x.into(), y.into())).collect();
        for inside in [
            &|(x, _): (f64, f64)| x - left,
            &|(x, _): (f64, f64)| left + 1.0 - x,
            &|(_, y): (f64, f64)| y - top,
            &|(_, y): (f64, f64)| top + 1.0 - y,
        ] as [&dyn Fn((f64, f64)) -> f64; 4]
        {
            let mut kept = Vec::new();
            for (place, &to) in corners.iter().enumerate() {
                let from = corners[(place + corners.len() - 1) % corners.len()];
                let (before, after) = (inside(from), inside(to));
                if before * after < 0.0 {
                    let share = before / (before - after);
                    kept.push((from.0 + share * (to.0 - from.0), from.1 + share * (to.1 - from.1)));
                }
                if after >= 0.0 {
                    kept.push(to);
                }
            }
            corners = kept;
            if corners.is_empty() {
                return 0.0;
            }
        }
        let twice: f64 = (0..corners.len())
            .map(|place| {
                let (a, b) = (corners[place], corners[(place + 1) % corners.len()]);
                a.0 * b.1 - a.1 * b.0
            })
            .sum();
        twice.abs() / 2.0
    }

    #[test]
    fn pixels_have_their_covered_share() {
        let mut outlines = vec![
            vec![(1.25, 2.5), (6.5, 2.5), (6.5, 7.75), (1.25, 7.75)],
            vec![(0.0, 0.0), (9.0, 0.0), (9.0, 9.0), (0.0, 9.0)],
            vec![(0.5, 8.9), (4.3, 0.1), (8.7, 8.2)],
            vec![(0.1, 4.0), (8.9, 4.1), (8.9, 4.3), (0.1, 4.2)],
        ];
        let mut stream = Stream::new(0, 0, 0);
        for corners in 3..60 {
            // Stars around the center do not intersect themselves.
            outlines.push(
                (0..corners)
                    .map(|corner| {
                        let angle = TAU * f64::from(corner) / f64::from(corners);
                        let distance = stream.uniform((0.2, 4.5));
                        ((4.5 + distance * angle.cos()) as f32, (4.5 + distance * angle.sin()) as f32)
                    })
                    .collect(),
            );
        }
        for outline in outlines {
            for backward in [false, true] {
                let mut outline = outline.clone();
                if backward {
                    outline.reverse();
                }
                let found = covered(&outline, 9);
                for (place, &found) in found.iter().enumerate() {
                    let expected = exact(&outline, place / 9, place % 9);
                    assert!((f64::from(found) - expected).abs() < 1e-5, "{found} is not {expected}");
                }
            }
        }
    }
}
