//! Disjoint sets of nodes that are added in bulk and retired once nothing can join them.

use super::union_find::{join, root};
use super::winding::{Shift, Winding};
use crate::Error;
use crate::memory::{TryGrow, try_filled};

/// Disjoint sets with their areas. The memory is reused from image to image.
#[derive(Default)]
pub(crate) struct Forest {
    /// Roots are their own parents. Any other node comes after its parent.
    parent: Vec<u32>,
    /// The area of the set at roots. At other nodes an earlier area, which is not larger.
    area: Vec<u32>,
    /// Nodes in use.
    len: usize,
    joins: u64,
    /// The largest area of a retired set.
    largest_retired: u32,
}

impl Forest {
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        (self.len, self.joins, self.largest_retired) = (0, 0, 0);
    }

    /// Adds `count` sets of one node each and returns the first node. The caller writes their areas.
    #[inline(always)]
    pub(crate) fn add(&mut self, count: usize) -> Result<usize, Error> {
        let first = self.len;
        let len = first + count;
        if self.area.len() < len {
            self.grow(len.next_power_of_two())?;
        }
        self.len = len;
        for (node, parent) in (first..).zip(&mut self.parent[first..self.len]) {
            *parent = node as u32;
        }
        Ok(first)
    }

    #[cold]
    fn grow(&mut self, len: usize) -> Result<(), Error> {
        self.parent.try_resize(len, 0)?;
        self.area.try_resize(len, 0)
    }

    /// The areas from node `first` on.
    #[inline(always)]
    pub(crate) fn areas_mut(&mut self, first: usize) -> &mut [u32] {
        &mut self.area[first..self.len]
    }

    /// Makes a node without an area an alias of an earlier node.
    #[inline(always)]
    pub(crate) fn refer(&mut self, node: usize, earlier: u32) {
        self.parent[node] = earlier;
    }

    /// Joins the sets of each pair of nodes. A word holds one node in its lower half and one in its upper
    /// half.
    #[inline(always)]
    pub(crate) fn join_all(&mut self, pairs: &[u64]) {
        let (parent, area) = (&mut self.parent[..self.len], &mut self.area[..self.len]);
        for &pair in pairs {
            self.joins += u64::from(join(parent, area, pair as u32, (pair >> 32) as u32));
        }
    }

    pub(crate) fn join(&mut self, a: u32, b: u32) {
        self.joins += u64::from(join(&mut self.parent, &mut self.area, a, b));
    }

    /// Starts to join nodes across the border of a periodic image. After this, only [`Forest::join_around`] joins.
    pub(super) fn start_around(&self, winding: &mut Winding) -> Result<(), Error> {
        winding.start(self.len)
    }

    pub(super) fn join_around(&mut self, winding: &mut Winding, a: u32, b: u32, shift: Shift) {
        self.joins += u64::from(winding.join(&mut self.parent, &mut self.area, (a, b), shift));
    }

    /// The sets: their roots and areas. Sets without pixels are left out.
    pub(super) fn sets(&self) -> impl Iterator<Item = (u32, u32)> {
        let nodes = (0..).zip(&self.parent[..self.len]).zip(&self.area);
        nodes
            .filter(|&((node, &parent), &area)| node == parent && area > 0)
            .map(|((node, _), &area)| (node, area))
    }

    /// The root of the set of a node.
    pub(super) fn root(&self, node: u32) -> u32 {
        root(&self.parent, node)
    }

    /// How many joins merged two different sets.
    #[inline(always)]
    pub(crate) fn joins(&self) -> u64 {
        self.joins
    }

    #[inline(always)]
    pub(crate) fn largest_area(&self) -> u32 {
        self.area[..self.len].iter().copied().fold(self.largest_retired, u32::max)
    }

    /// Retires all sets but those of the given nodes, and renumbers these nodes in place.
    pub(crate) fn retain(&mut self, kept: &mut [&mut Vec<u32>]) -> Result<(), Error> {
        const RETIRED: u32 = u32::MAX;
        self.largest_retired = self.largest_area();
        let mut numbers = try_filled(self.len, RETIRED)?;
        let mut areas = Vec::new();
        for node in kept.iter_mut().flat_map(|nodes| nodes.iter_mut()) {
            let root = root(&self.parent, *node) as usize;
            if numbers[root] == RETIRED {
                numbers[root] = areas.len() as u32;
                areas.try_push(self.area[root])?;
            }
            *node = numbers[root];
        }
        self.len = 0;
        self.add(areas.len())?;
        self.area[..areas.len()].copy_from_slice(&areas);
        Ok(())
    }

    /// Adds the sets of another forest. Returns the offset of their node numbers.
    pub(crate) fn append(&mut self, other: Self) -> Result<u32, Error> {
        let offset = self.add(other.len)?;
        for (parent, others) in self.parent[offset..self.len].iter_mut().zip(&other.parent) {
            *parent = others + offset as u32;
        }
        self.area[offset..self.len].copy_from_slice(&other.area[..other.len]);
        self.joins += other.joins;
        self.largest_retired = self.largest_retired.max(other.largest_retired);
        Ok(offset as u32)
    }
}
