//! Disjoint sets with areas (Tarjan 1975). The root of a set is its first member, so parents come before
//! children.

use super::winding::{Shift, Winding};
use crate::Error;
use crate::memory::TryGrow;
use crate::parallel::Watch;

/// Runs numbered between two interrupt checks.
const RUNS_PER_CHECK: usize = 1 << 16;

/// Sets of runs. Runs are numbered from 0 in the order they are added.
#[derive(Default)]
pub(crate) struct Sets {
    parent: Vec<u32>,
    area: Vec<u32>,
}

impl Sets {
    /// Removes all sets and reserves room for `room` runs.
    pub(crate) fn clear(&mut self, room: usize) -> Result<(), Error> {
        self.parent.clear();
        self.area.clear();
        self.parent.try_reserve_room(room)?;
        self.area.try_reserve_room(room)
    }

    /// Adds a run of this area as a new set.
    #[inline]
    pub(crate) fn add(&mut self, area: u32) -> Result<(), Error> {
        self.parent.try_push(self.parent.len() as u32)?;
        self.area.try_push(area)
    }

    #[inline]
    pub(crate) fn union(&mut self, a: u32, b: u32) {
        join(&mut self.parent, &mut self.area, a, b);
    }

    /// Joins sets across the border of a periodic image. After this, [`Sets::union`] joins no more.
    #[inline]
    pub(super) fn union_around(&mut self, winding: &mut Winding, a: u32, b: u32, shift: Shift) {
        winding.join(&mut self.parent, &mut self.area, (a, b), shift);
    }

    /// The areas of the sets, with their roots.
    pub(super) fn areas(&self) -> impl Iterator<Item = (u32, u32)> {
        let sets = (0..).zip(&self.parent).zip(&self.area).filter(|&((run, &parent), _)| run == parent);
        sets.map(|((run, _), &area)| (run, area))
    }

    /// The area of the largest set, or 0 without sets. Joined sets keep their former areas, which are smaller
    /// than that of the union, so the maximum need not exclude them.
    pub(crate) fn largest_area(&self) -> u32 {
        self.area.iter().copied().max().unwrap_or(0)
    }

    /// The number of sets.
    pub(crate) fn count(&self) -> u32 {
        (0..).zip(&self.parent).map(|(run, &parent): (u32, _)| u32::from(run == parent)).sum()
    }

    /// Numbers the sets from 1 in the order of their first runs. Returns the number of each run's set, and
    /// the areas of the sets in this order. Both overwrite the sets in place to save memory, since there may
    /// be half as many runs as pixels. Call [`Sets::clear`] before the next join.
    pub(crate) fn number(&mut self, watch: &mut Watch<'_>) -> Result<(&[u32], &[u32]), Error> {
        let mut count = 0;
        for first in (0..self.parent.len()).step_by(RUNS_PER_CHECK) {
            let end = self.parent.len().min(first + RUNS_PER_CHECK);
            for run in first..end {
                let parent = self.parent[run] as usize;
                debug_assert!(parent <= run);
                if parent == run {
                    self.area[count] = self.area[run];
                    count += 1;
                    self.parent[run] = count as u32;
                } else {
                    // A parent comes before its children, so it is already numbered.
                    self.parent[run] = self.parent[parent];
                }
            }
            watch.worked(end - first)?;
        }
        Ok((&self.parent, &self.area[..count]))
    }
}

#[inline(always)]
pub(super) fn root(parent: &[u32], mut node: u32) -> u32 {
    loop {
        let next = parent[node as usize];
        if next == node {
            return node;
        }
        node = next;
    }
}

/// Joins the sets of `a` and `b`. Returns whether they were different.
#[inline(always)]
pub(super) fn join(parent: &mut [u32], area: &mut [u32], a: u32, b: u32) -> bool {
    // Few nodes are more than two steps from their root. These two steps need no branch, since a
    // misprediction would cost more.
    let near_root = |node: u32| root(parent, parent[parent[node as usize] as usize]);
    let (root_a, root_b) = (near_root(a), near_root(b));
    let (first, second) = (root_a.min(root_b), root_a.max(root_b));
    let differ = first != second;
    let gained = if differ { area[second as usize] } else { 0 };
    area[first as usize] += gained;
    for node in [second, a, b] {
        parent[node as usize] = first;
    }
    differ
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbering_checks_for_interrupts_often() {
        let mut sets = Sets::default();
        for _ in 0..1 << 20 {
            sets.add(1).unwrap();
        }
        let mut checks = 0;
        let mut check = || {
            checks += 1;
            false
        };
        let (numbers, areas) = sets.number(&mut Watch::new(&mut check)).unwrap();
        assert!(numbers.iter().copied().eq(1..=1 << 20) && areas.iter().all(|&area| area == 1));
        assert!(checks >= 4, "{checks} checks");
    }
}
