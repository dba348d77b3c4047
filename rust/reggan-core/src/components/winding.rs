//! Components of a periodic image, which winds around a torus: joins across its border, and what they close.
//!
//! A union-find holds for each node its displacement from its parent, in periods. A join of two nodes of one
//! component closes a loop; the component winds around the torus if the loop does not end where it started
//! (Machta et al. 1996; Newman and Ziff 2001, section II E).

use crate::Error;
use crate::memory::TryGrow;

/// Periods from one place to another, along y and x.
pub(super) type Shift = [i32; 2];

/// The loops around the torus of all components. The memory is reused from image to image.
#[derive(Default)]
pub(super) struct Winding {
    nodes: Vec<Node>,
    /// A loop around the torus, if there is one.
    first: Option<Shift>,
    /// Number of components that wind around the torus.
    pub(super) components: u64,
    /// Rank of the subgroup of Z x Z that all loops span. Two components that wind do so in the same direction, as
    /// they would cross otherwise: if the rank is 2, one component spans it.
    pub(super) rank: u8,
}

#[derive(Clone, Copy, Default)]
struct Node {
    /// Displacement from the parent; 0 for a root.
    shift: Shift,
    /// Whether the set of a root winds around the torus.
    winds: bool,
}

impl Winding {
    /// Starts an image with `nodes` nodes, whose joins until now did not cross the border.
    #[inline(always)]
    pub(super) fn start(&mut self, nodes: usize) -> Result<(), Error> {
        (self.first, self.components, self.rank) = (None, 0, 0);
        self.nodes.clear();
        self.nodes.try_resize(nodes, Node::default())
    }

    /// Joins the sets of `a` and `b`, where `b` is displaced by `shift`. Returns whether they were different.
    #[inline(always)]
    pub(super) fn join(
        &mut self,
        parent: &mut [u32],
        area: &mut [u32],
        (a, b): (u32, u32),
        shift: Shift,
    ) -> bool {
        let ((root_a, from_a), (root_b, from_b)) = (self.root(parent, a), self.root(parent, b));
        // From one root to the other.
        let between = sub(add(from_a, shift), from_b);
        if root_a == root_b {
            if between != [0, 0] {
                self.close(root_a as usize, between);
            }
            return false;
        }
        let (first, second) = (root_a.min(root_b), root_a.max(root_b));
        let (to_a, to_b) = if first == root_a { ([0, 0], between) } else { (sub([0, 0], between), [0, 0]) };
        area[first as usize] += area[second as usize];
        for (node, shift) in [(root_a, to_a), (root_b, to_b), (a, add(to_a, from_a)), (b, add(to_b, from_b))]
        {
            parent[node as usize] = first;
            self.nodes[node as usize].shift = shift;
        }
        if self.nodes[second as usize].winds {
            self.components -= u64::from(self.nodes[first as usize].winds);
            self.nodes[first as usize].winds = true;
        }
        true
    }

    /// Whether the set of a root winds around the torus.
    pub(super) fn winds(&self, root: usize) -> bool {
        self.nodes[root].winds
    }

    /// The root of a node, and the displacement from it.
    #[inline(always)]
    fn root(&self, parent: &[u32], mut node: u32) -> (u32, Shift) {
        let mut shift = [0, 0];
        while parent[node as usize] != node {
            shift = add(shift, self.nodes[node as usize].shift);
            node = parent[node as usize];
        }
        (node, shift)
    }

    /// Adds a loop around the torus to the set of a root.
    fn close(&mut self, root: usize, [y, x]: Shift) {
        let winds = std::mem::replace(&mut self.nodes[root].winds, true);
        self.components += u64::from(!winds);
        let [first_y, first_x] = *self.first.get_or_insert([y, x]);
        let parallel = i64::from(first_y) * i64::from(x) == i64::from(first_x) * i64::from(y);
        self.rank = self.rank.max(if parallel { 1 } else { 2 });
    }
}

fn add([ay, ax]: Shift, [by, bx]: Shift) -> Shift {
    [ay + by, ax + bx]
}

fn sub([ay, ax]: Shift, [by, bx]: Shift) -> Shift {
    [ay - by, ax - bx]
}
