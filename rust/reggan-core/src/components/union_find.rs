//! Disjoint sets with their areas (Tarjan 1975). The root of a set is its first member, so a parent comes before its
//! children.

/// Sets of runs, numbered from 0 in the order in which they are added.
pub(crate) struct Sets {
    parent: Vec<u32>,
    area: Vec<u32>,
}

impl Sets {
    pub(crate) fn with_room_for(runs: usize) -> Self {
        Self { parent: Vec::with_capacity(runs), area: Vec::with_capacity(runs) }
    }

    pub(crate) fn clear(&mut self) {
        self.parent.clear();
        self.area.clear();
    }

    /// A new set of one run.
    #[inline]
    pub(crate) fn add(&mut self, area: u32) {
        self.parent.push(self.parent.len() as u32);
        self.area.push(area);
    }

    #[inline]
    pub(crate) fn union(&mut self, a: u32, b: u32) {
        join(&mut self.parent, &mut self.area, a, b);
    }

    /// The area of the largest set, 0 if there is none. A set that was joined keeps the area it had, which is
    /// less than that of the set it went into, so roots need not be told apart.
    pub(crate) fn largest_area(&self) -> u32 {
        self.area.iter().copied().max().unwrap_or(0)
    }

    /// How many sets there are.
    pub(crate) fn count(&self) -> u32 {
        (0..).zip(&self.parent).map(|(run, &parent): (u32, _)| u32::from(run == parent)).sum()
    }

    /// The root of the largest set; of equal ones, the first.
    pub(crate) fn largest(&self) -> Option<u32> {
        let largest = self.largest_area();
        self.area.iter().position(|&area| area == largest).map(|run| run as u32)
    }

    /// The areas of the sets, in the order of their first runs.
    pub(crate) fn areas(&self) -> impl Iterator<Item = u32> {
        let roots = (0..).zip(&self.parent).map(|(run, &parent): (u32, _)| run == parent);
        self.area.iter().zip(roots).filter(|(_, root)| *root).map(|(&area, _)| area)
    }

    /// Numbers the sets from 1 in the order of their first runs: writes the number of each run's set, and
    /// returns how many sets there are.
    pub(crate) fn number(&self, numbers: &mut Vec<u32>) -> u32 {
        numbers.clear();
        let mut count = 0;
        for (run, &parent) in self.parent.iter().enumerate() {
            // A parent comes before its children, so it has its number.
            let number = match numbers.get(parent as usize) {
                Some(&number) => number,
                None => {
                    count += 1;
                    count
                }
            };
            debug_assert!(parent as usize <= run);
            numbers.push(number);
        }
        count
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

/// Makes one set of the sets of `a` and `b`. Returns whether they were different sets.
#[inline(always)]
pub(super) fn join(parent: &mut [u32], area: &mut [u32], a: u32, b: u32) -> bool {
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
