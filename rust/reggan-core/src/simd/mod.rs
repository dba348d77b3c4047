//! Instruction sets: a set of operations on words of 64 bits, an implementation of it for each instruction
//! set, and the one place that chooses among them.
//!
//! A kernel is written once, generic over [`Simd`], and compiled once for each instruction set. A value of a
//! `Simd` type is the proof that this machine has its instructions.

#![allow(unsafe_code, reason = "intrinsics, behind the proof that the machine has them")]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
#[cfg(target_arch = "aarch64")]
mod neon;
mod scalar;

use std::sync::OnceLock;

use half::f16;
pub(crate) use scalar::Scalar;

use crate::Error;

/// The operations of one instruction set. All sets give the same results.
pub(crate) trait Simd: Copy {
    /// `LANES` words.
    type Words: Copy;
    const LANES: usize;

    /// Runs a kernel compiled for this instruction set.
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output;

    /// The words `words[at..at + LANES]`.
    fn load(self, words: &[u64], at: usize) -> Self::Words;
    /// Writes to `words[at..at + LANES]`.
    fn store(self, values: Self::Words, words: &mut [u64], at: usize);
    fn splat(self, value: u64) -> Self::Words;
    fn and(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// `a & !b`
    fn and_not(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn or(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn xor(self, a: Self::Words, b: Self::Words) -> Self::Words;
    /// Wrapping, as all arithmetic here.
    fn add(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn sub(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn shift_left<const N: u32>(self, a: Self::Words) -> Self::Words;
    fn shift_right<const N: u32>(self, a: Self::Words) -> Self::Words;
    /// The ones in each word.
    fn count_ones(self, a: Self::Words) -> Self::Words;
    /// Bit i is set if word i is not 0.
    fn nonzero(self, a: Self::Words) -> u32;
    /// Each word plus all words before it.
    fn prefix_sum(self, a: Self::Words) -> Self::Words;
    /// The last word in every place.
    fn broadcast_last(self, a: Self::Words) -> Self::Words;
    /// Writes the words whose bit is set in `chosen`, in order, to `words[at..]`, and anything to the rest of
    /// `words[at..at + LANES]`.
    fn compress(self, values: Self::Words, chosen: u32, words: &mut [u64], at: usize);

    /// Which of 64 pixels are `<= limit`, pixel 0 in the lowest bit, and not 0 if one is NaN. The limit is not
    /// NaN.
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64);
    /// As [`Simd::at_most_f32`].
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64);
    /// As [`Simd::at_most_f32`].
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64);
    /// As [`Simd::at_most_f32`], without NaN.
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64;
}

/// A computation that can be compiled for any instruction set. `run` must be `#[inline(always)]`, and so must
/// what it calls, to be compiled for the one it runs on.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set that this machine has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Level(Set);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Set {
    Scalar,
    #[cfg(target_arch = "aarch64")]
    Neon,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

/// Every name of an instruction set, on any machine, each better than those before it.
const NAMES: [&str; 4] = ["scalar", "neon", "avx2", "avx512"];

/// The variable of the environment that keeps from using the better instruction sets.
pub const SIMD_VARIABLE: &str = "REGGAN_SIMD";

impl Level {
    /// Those that this machine has, from the plainest to the best.
    pub fn available() -> Vec<Self> {
        let mut sets = vec![Self(Set::Scalar)];
        #[cfg(target_arch = "aarch64")]
        if neon::Neon::detect().is_some() {
            sets.push(Self(Set::Neon));
        }
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::Avx2::detect().is_some() {
                sets.push(Self(Set::Avx2));
            }
            if avx512::Avx512::detect().is_some() {
                sets.push(Self(Set::Avx512));
            }
        }
        sets
    }

    /// The best that this machine has and that the environment variable `REGGAN_SIMD`, read once, allows.
    pub fn chosen() -> Result<Self, Error> {
        static CHOSEN: OnceLock<Result<Level, Error>> = OnceLock::new();
        CHOSEN.get_or_init(|| Self::at_most(std::env::var_os(SIMD_VARIABLE).as_deref())).clone()
    }

    fn at_most(wanted: Option<&std::ffi::OsStr>) -> Result<Self, Error> {
        let position = match wanted {
            None => NAMES.len() - 1,
            Some(name) => NAMES.iter().position(|known| name == *known).ok_or_else(|| {
                Error::invalid(format!("{SIMD_VARIABLE} is {name:?}, but must be one of {NAMES:?}"))
            })?,
        };
        let allowed = |level: &Self| NAMES[..=position].contains(&level.name());
        Ok(Self::available().into_iter().rfind(allowed).unwrap_or(Self(Set::Scalar)))
    }

    /// Its name, as in `REGGAN_SIMD`.
    pub fn name(self) -> &'static str {
        match self.0 {
            Set::Scalar => "scalar",
            #[cfg(target_arch = "aarch64")]
            Set::Neon => "neon",
            #[cfg(target_arch = "x86_64")]
            Set::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Set::Avx512 => "avx512",
        }
    }

    /// Runs a kernel with this instruction set.
    #[inline]
    pub(crate) fn run<K: Kernel>(self, kernel: K) -> K::Output {
        match self.0 {
            Set::Scalar => Scalar.vectorize(kernel),
            #[cfg(target_arch = "aarch64")]
            // SAFETY: a level is only made where its set was detected.
            Set::Neon => unsafe { neon::Neon::new_unchecked() }.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level is only made where its set was detected.
            Set::Avx2 => unsafe { avx2::Avx2::new_unchecked() }.vectorize(kernel),
            #[cfg(target_arch = "x86_64")]
            // SAFETY: a level is only made where its set was detected.
            Set::Avx512 => unsafe { avx512::Avx512::new_unchecked() }.vectorize(kernel),
        }
    }
}
