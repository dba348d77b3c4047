//! Disjoint sets of nodes with their areas (Tarjan 1975). The root of a set is its first node.

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
    pub(crate) fn add(&mut self, count: usize) -> usize {
        let first = self.len;
        self.len += count;
        if self.parent.len() < self.len {
            self.parent.resize(self.len.next_power_of_two(), 0);
            self.area.resize(self.len.next_power_of_two(), 0);
        }
        for (node, parent) in (first..).zip(&mut self.parent[first..self.len]) {
            *parent = node as u32;
        }
        first
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
    pub(crate) fn retain(&mut self, kept: &mut [&mut Vec<u32>]) {
        const NONE: u32 = u32::MAX;
        self.largest_gone = self.largest_area();
        let mut names = vec![NONE; self.len];
        let mut areas = Vec::new();
        for node in kept.iter_mut().flat_map(|nodes| nodes.iter_mut()) {
            let root = root(&self.parent, *node) as usize;
            if names[root] == NONE {
                names[root] = areas.len() as u32;
                areas.push(self.area[root]);
            }
            *node = names[root];
        }
        self.len = 0;
        self.add(areas.len());
        self.area[..areas.len()].copy_from_slice(&areas);
    }

    /// Adds the sets of another forest. Returns by how much the numbers of their nodes have grown.
    pub(crate) fn append(&mut self, other: Self) -> u32 {
        let offset = self.add(other.len);
        for (parent, others) in self.parent[offset..self.len].iter_mut().zip(&other.parent) {
            *parent = others + offset as u32;
        }
        self.area[offset..self.len].copy_from_slice(&other.area[..other.len]);
        self.joins += other.joins;
        self.largest_gone = self.largest_gone.max(other.largest_gone);
        offset as u32
    }
}

#[inline(always)]
fn root(parent: &[u32], mut node: u32) -> u32 {
    loop {
        let next = parent[node as usize];
        if next == node {
            return node;
        }
        node = next;
    }
}

/// Whether the nodes were in different sets.
#[inline(always)]
fn join(parent: &mut [u32], area: &mut [u32], a: u32, b: u32) -> bool {
    // Few nodes are further than two steps from their root: these are taken without asking, as a branch that is
    // foretold wrongly costs more.
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
