//! Disjoint sets of nodes that are added in bulk, and given up when nothing can be joined to them any more.

use super::union_find::{join, root};
use crate::Error;
use crate::memory::{TryGrow, try_filled};

/// The sets. Memory is kept from one image to the next.
#[derive(Default)]
pub(crate) struct Forest {
    /// A root is its own parent; any other node comes after its parent.
    parent: Vec<u32>,
    /// Right at roots; elsewhere some earlier area, which is not larger.
    area: Vec<u32>,
    /// Nodes in use.
    len: usize,
    joins: u64,
    /// The largest area among sets that were given up.
    largest_gone: u32,
}

impl Forest {
    #[inline(always)]
    pub(crate) fn clear(&mut self) {
        (self.len, self.joins, self.largest_gone) = (0, 0, 0);
    }

    /// Adds sets of one node each, whose areas are still to be written. Returns the first.
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

    /// Lets a node that has no area stand for an earlier one.
    #[inline(always)]
    pub(crate) fn refer(&mut self, node: usize, earlier: u32) {
        self.parent[node] = earlier;
    }

    /// Joins the sets of each pair of nodes, one in the lower, the other in the upper half of a word.
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

    /// How often two different sets were joined.
    #[inline(always)]
    pub(crate) fn joins(&self) -> u64 {
        self.joins
    }

    #[inline(always)]
    pub(crate) fn largest_area(&self) -> u32 {
        self.area[..self.len].iter().copied().fold(self.largest_gone, u32::max)
    }

    /// Keeps these nodes only, and writes what they are called from now on.
    pub(crate) fn retain(&mut self, kept: &mut [&mut Vec<u32>]) -> Result<(), Error> {
        const NONE: u32 = u32::MAX;
        self.largest_gone = self.largest_area();
        let mut names = try_filled(self.len, NONE)?;
        let mut areas = Vec::new();
        for node in kept.iter_mut().flat_map(|nodes| nodes.iter_mut()) {
            let root = root(&self.parent, *node) as usize;
            if names[root] == NONE {
                names[root] = areas.len() as u32;
                areas.try_push(self.area[root])?;
            }
            *node = names[root];
        }
        self.len = 0;
        self.add(areas.len())?;
        self.area[..areas.len()].copy_from_slice(&areas);
        Ok(())
    }

    /// Adds the sets of another forest. Returns by how much the numbers of their nodes have grown.
    pub(crate) fn append(&mut self, other: Self) -> Result<u32, Error> {
        let offset = self.add(other.len)?;
        for (parent, others) in self.parent[offset..self.len].iter_mut().zip(&other.parent) {
            *parent = others + offset as u32;
        }
        self.area[offset..self.len].copy_from_slice(&other.area[..other.len]);
        self.joins += other.joins;
        self.largest_gone = self.largest_gone.max(other.largest_gone);
        Ok(offset as u32)
    }
}
