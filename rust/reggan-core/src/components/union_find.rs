//! Disjoint sets of runs with their areas (Tarjan 1975; path halving; the root of a set is its first run).

/// The sets. Runs are numbered from 0 in the order in which they are added.
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
    fn root(&mut self, mut run: u32) -> u32 {
        loop {
            let parent = self.parent[run as usize];
            if parent == run {
                return run;
            }
            let grandparent = self.parent[parent as usize];
            self.parent[run as usize] = grandparent;
            run = grandparent;
        }
    }

    #[inline]
    pub(crate) fn union(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        if a != b {
            let (first, second) = (a.min(b), a.max(b));
            self.parent[second as usize] = first;
            self.area[first as usize] += self.area[second as usize];
        }
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
