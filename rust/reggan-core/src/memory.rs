//! Fallible allocation for memory that grows with the input: a failure is an [`Error::OutOfMemory`]. The
//! growth methods of the standard library abort the process, and the caller's interpreter with it, so
//! clippy.toml forbids them elsewhere.

#![allow(clippy::disallowed_methods, reason = "this module reserves the memory first")]

use crate::Error;

/// Growth that leaves the vector unchanged if memory cannot be allocated.
pub(crate) trait TryGrow<T> {
    /// Reserves room for `additional` more elements. Adding them allocates no memory.
    fn try_reserve_room(&mut self, additional: usize) -> Result<(), Error>;

    fn try_push(&mut self, value: T) -> Result<(), Error>;

    fn try_extend<I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>>(
        &mut self,
        values: I,
    ) -> Result<(), Error>;

    fn try_resize(&mut self, len: usize, value: T) -> Result<(), Error>
    where
        T: Clone;
}

impl<T> TryGrow<T> for Vec<T> {
    #[inline(always)]
    fn try_reserve_room(&mut self, additional: usize) -> Result<(), Error> {
        if additional > self.capacity() - self.len() { grow(self, additional) } else { Ok(()) }
    }

    #[inline(always)]
    fn try_push(&mut self, value: T) -> Result<(), Error> {
        if self.len() == self.capacity() {
            grow(self, 1)?;
        }
        self.push(value);
        Ok(())
    }

    #[inline(always)]
    fn try_extend<I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>>(
        &mut self,
        values: I,
    ) -> Result<(), Error> {
        let values = values.into_iter();
        self.try_reserve_room(values.len())?;
        self.extend(values);
        Ok(())
    }

    #[inline(always)]
    fn try_resize(&mut self, len: usize, value: T) -> Result<(), Error>
    where
        T: Clone,
    {
        self.try_reserve_room(len.saturating_sub(self.len()))?;
        self.resize(len, value);
        Ok(())
    }
}

/// `len` copies of a value.
pub(crate) fn try_filled<T: Clone>(len: usize, value: T) -> Result<Vec<T>, Error> {
    let mut values = Vec::new();
    values.try_resize(len, value)?;
    Ok(values)
}

pub(crate) fn try_collect<T, I: IntoIterator<Item = T, IntoIter: ExactSizeIterator>>(
    values: I,
) -> Result<Vec<T>, Error> {
    let mut collected = Vec::new();
    collected.try_extend(values)?;
    Ok(collected)
}

#[cold]
#[inline(never)]
fn grow<T>(values: &mut Vec<T>, additional: usize) -> Result<(), Error> {
    let wanted = values.len().saturating_add(additional).saturating_mul(size_of::<T>());
    values.try_reserve(additional).map_err(|_| Error::OutOfMemory { bytes: wanted })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_beyond_any_memory_is_an_error_and_loses_nothing() {
        let most = isize::MAX as usize;
        let mut values = vec![1_u32, 2];
        let error = Err(Error::OutOfMemory { bytes: usize::MAX });
        assert_eq!(values.try_resize(most, 0), error);
        assert_eq!(values.try_reserve_room(most), error);
        assert_eq!(values.try_extend((0..most).map(|_| 0)), error);
        assert_eq!(try_filled(most, 0_u64), Err(Error::OutOfMemory { bytes: usize::MAX }));
        assert_eq!(try_collect((0..most).map(|_| 0_u64)), Err(Error::OutOfMemory { bytes: usize::MAX }));
        assert_eq!(values, [1, 2]);
    }

    #[test]
    fn growth_is_that_of_a_vector() {
        let mut values = try_filled(2, 7).unwrap();
        values.try_push(8).unwrap();
        values.try_extend([9, 10]).unwrap();
        assert_eq!(values, [7, 7, 8, 9, 10]);
        values.try_resize(6, 1).unwrap();
        values.try_reserve_room(100).unwrap();
        assert!(values.capacity() >= 106);
        values.try_resize(1, 0).unwrap();
        assert_eq!(values, [7]);
        assert_eq!(try_collect(0..3).unwrap(), [0, 1, 2]);
    }
}
