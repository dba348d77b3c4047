//! The fewest pixels that join a few pieces: a Steiner tree of least weight, in which paper pixels weigh 1 and ink
//! pixels nothing (Dreyfus & Wagner, "The Steiner problem in graphs", 1971).

use super::Image;
use crate::Error;
use crate::components::Connectivity;
use crate::memory::TryGrow;
use crate::parallel::Watch;

/// The most pieces and pixels for which the search is quick: time grows by three with each piece.
pub(super) const MOST_PIECES: usize = 5;
pub(super) const MOST_PIXELS: usize = 1 << 20;

/// How the cheapest tree of a set of pieces comes to a pixel: from a neighbor, by its number; by a merge of a
/// subset with the rest, by its bits plus `MERGED`; or it starts there.
const MERGED: u8 = 8;
const START: u8 = u8::MAX;
const NEVER: u16 = u16::MAX;

/// The memory is reused from image to image. Pixels have a margin of blocked ones.
#[derive(Default)]
pub(super) struct Steiner {
    /// What a pixel costs.
    weights: Vec<u16>,
    /// The piece of each pixel, from 0; `u8::MAX` for paper.
    pieces: Vec<u8>,
    /// For each piece and each pixel: the fewest paper pixels from one to the other, that pixel included.
    distances: Vec<u16>,
    /// For each set of two pieces or more but the last piece, and each pixel: the fewest paper pixels of a tree with
    /// both. Where it is `NEVER`, no such tree can be part of the smallest tree.
    costs: Vec<u16>,
    ways: Vec<u8>,
    /// Pixels by their costs.
    queue: Vec<Vec<u32>>,
    todo: Vec<(usize, usize)>,
}

impl Steiner {
    /// Writes the fewest paper pixels that join all pieces to `path` and returns true, if they are fewer than
    /// `bound`.
    pub(super) fn search(
        &mut self,
        image: &Image<'_>,
        (height, width): (usize, usize),
        bound: usize,
        path: &mut Vec<(i32, i32)>,
        watch: &mut Watch<'_>,
    ) -> Result<bool, Error> {
        let count = image.components.areas().len();
        let bound = bound.min(NEVER.into()) as u16;
        let stride = width + 2;
        let size = (height + 2) * stride;
        let (up, down) = (0_usize.wrapping_sub(stride), stride);
        let left = usize::MAX;
        let neighbors =
            [left, 1, up, down, up.wrapping_add(left), up.wrapping_add(1), down.wrapping_add(left), down + 1];
        let neighbors = &neighbors[..if image.connectivity == Connectivity::Eight { 8 } else { 4 }];
        self.read(image, stride, size)?;
        let sets = 1 << (count - 1);
        let Self { weights, pieces, distances, costs, ways, queue, .. } = self;
        for (list, sets) in [(&mut *distances, count), (&mut *costs, sets)] {
            list.clear();
            list.try_resize(sets * size, NEVER)?;
        }
        ways.clear();
        ways.try_resize(sets * size, START)?;
        queue.try_resize(queue.len().max(bound.into()), Vec::new())?;
        let mut spread = |costs: &mut [u16], ways: &mut [u8], useful: &dyn Fn(usize, u16) -> bool| {
            for (at, cost) in costs.iter_mut().enumerate().filter(|(_, cost)| **cost < bound) {
                if useful(at, *cost) {
                    queue[usize::from(*cost)].try_push(at as u32)?;
                } else {
                    *cost = NEVER;
                }
            }
            for cost in 0..bound {
                let mut next = 0;
                while let Some(&at) = queue[usize::from(cost)].get(next) {
                    next += 1;
                    if costs[at as usize] < cost {
                        continue;
                    }
                    for (way, &neighbor) in (0..).zip(neighbors) {
                        let to = (at as usize).wrapping_add(neighbor);
                        let further = cost.saturating_add(weights[to]);
                        if further < costs[to].min(bound) && useful(to, further) {
                            (costs[to], ways[to]) = (further, way);
                            queue[usize::from(further)].try_push(to as u32)?;
                        }
                    }
                }
                watch.worked(next * neighbors.len())?;
                queue[usize::from(cost)].clear();
            }
            watch.worked(size)
        };
        for (piece, costs) in (0..).zip(distances.chunks_exact_mut(size)) {
            for (cost, _) in costs.iter_mut().zip(&*pieces).filter(|&(_, &other)| other == piece) {
                *cost = 0;
            }
            // The way to the last piece is never asked for.
            let set = if usize::from(piece) < count - 1 { 1 << piece } else { 0 };
            spread(costs, &mut ways[set * size..][..size], &|_, _| true)?;
        }
        for set in (1..sets).filter(|set| !set.is_power_of_two()) {
            let (smaller, rest) = costs.split_at_mut(set * size);
            let (costs, ways) = (&mut rest[..size], &mut ways[set * size..][..size]);
            let of_part = |part: usize| match part.is_power_of_two() {
                true => &distances[part.trailing_zeros() as usize * size..][..size],
                false => &smaller[part * size..][..size],
            };
            // Each split in two, once: by the half with the lowest piece.
            let lowest = set & set.wrapping_neg();
            for half in (1..set).filter(|half| half & set == *half && half & lowest != 0) {
                let (a, b) = (of_part(half), of_part(set ^ half));
                for (at, cost) in costs.iter_mut().enumerate() {
                    if a[at] < bound && b[at] < bound {
                        let merged = a[at].saturating_add(b[at]) - weights[at];
                        if merged < *cost {
                            (*cost, ways[at]) = (merged, MERGED + half as u8);
                        }
                    }
                }
            }
            // A tree goes on to each piece that is not in it yet.
            let useful = |at: usize, cost: u16| {
                (0..count).filter(|piece| set >> piece & 1 == 0).all(|piece| {
                    let left = distances[piece * size + at].saturating_sub(weights[at]);
                    cost.saturating_add(left) < bound
                })
            };
            spread(costs, ways, &useful)?;
        }
        let all = sets - 1;
        let last = (0..size).filter(|&at| usize::from(self.pieces[at]) == count - 1);
        let Some(end) = last.min_by_key(|&at| self.costs[all * size + at]) else { return Ok(false) };
        if self.costs[all * size + end] >= bound {
            return Ok(false);
        }
        path.clear();
        self.todo.clear();
        self.todo.try_push((all, end))?;
        while let Some((set, mut at)) = self.todo.pop() {
            loop {
                if self.weights[at] > 0 {
                    path.try_push(((at / stride) as i32 - 1, (at % stride) as i32 - 1))?;
                }
                match self.ways[set * size + at] {
                    START => break,
                    way if way < MERGED => at = at.wrapping_sub(neighbors[usize::from(way)]),
                    way => {
                        let half = usize::from(way - MERGED);
                        self.todo.try_extend([(half, at), (set ^ half, at)])?;
                        break;
                    }
                }
            }
        }
        Ok(true)
    }

    fn read(&mut self, image: &Image<'_>, stride: usize, size: usize) -> Result<(), Error> {
        let Self { weights, pieces, .. } = self;
        weights.clear();
        weights.try_resize(size, NEVER)?;
        pieces.clear();
        pieces.try_resize(size, u8::MAX)?;
        for (row, runs) in image.components.rows().enumerate() {
            let first = (row + 1) * stride + 1;
            weights[first..first + stride - 2].fill(1);
            for (run, number) in runs {
                let (start, end) = (first + run.columns().start, first + run.columns().end);
                weights[start..end].fill(0);
                pieces[start..end].fill(number as u8 - 1);
            }
        }
        Ok(())
    }
}
