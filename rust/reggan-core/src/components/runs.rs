//! Runs: maximal sequences of ones in a row of bits.

use std::ops::Range;

use crate::Error;

/// The pixels `start..end` of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) start: u16,
    pub(crate) end: u16,
}

impl Run {
    pub(crate) fn len(self) -> u32 {
        u32::from(self.end - self.start)
    }

    pub(crate) fn columns(self) -> Range<usize> {
        self.start.into()..self.end.into()
    }
}

/// Calls `emit` for each run of a row from left to right. Stops at the first error.
#[inline(always)]
pub(crate) fn for_each_run(row: &[u64], mut emit: impl FnMut(Run) -> Result<(), Error>) -> Result<(), Error> {
    let mut start = None;
    let mut last_bit = 0;
    for (position, &word) in row.iter().enumerate() {
        // Ones where a pixel differs from its left neighbor: the starts and ends of runs, alternating.
        let mut edges = word ^ (word << 1 | last_bit);
        last_bit = word >> 63;
        while edges != 0 {
            let column = (position * 64) as u16 + edges.trailing_zeros() as u16;
            edges &= edges - 1;
            match start.take() {
                None => start = Some(column),
                Some(start) => emit(Run { start, end: column })?,
            }
        }
    }
    if let Some(start) = start {
        emit(Run { start, end: (row.len() * 64) as u16 })?;
    }
    Ok(())
}
