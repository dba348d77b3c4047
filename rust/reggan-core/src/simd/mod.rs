//! Instruction sets: a trait of operations on 64-bit words and floats, its implementation for each
//! instruction set, and the choice among them.
//!
//! A kernel is written once, generic over [`Simd`], and compiled for each instruction set. A value of a
//! `Simd` type proves that this machine supports its instructions.

#![allow(unsafe_code, reason = "intrinsics; each type proves that the machine supports them")]

/// An operation without access to memory, as a method body.
macro_rules! op {
    ($operation:expr) => {
        // SAFETY: `self` proves that the machine has the instruction.
        unsafe { $operation }
    };
}

/// A type whose values prove that the machine supports these features.
macro_rules! proof {
    ($name:ident, $detected:ident, $($feature:tt),+) => {
        #[derive(Clone, Copy)]
        pub(super) struct $name(());

        impl $name {
            pub(super) fn detect() -> Option<Self> {
                let found = true $(&& $detected!($feature))+;
                found.then_some(Self(()))
            }

            /// # Safety
            /// `detect` must have returned a value on this machine.
            pub(super) unsafe fn new_unchecked() -> Self {
                Self(())
            }
        }
    };
}

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
    /// Wraps on overflow, as all arithmetic here.
    fn add(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn sub(self, a: Self::Words, b: Self::Words) -> Self::Words;
    fn shift_left<const N: u32>(self, a: Self::Words) -> Self::Words;
    fn shift_right<const N: u32>(self, a: Self::Words) -> Self::Words;
    /// Shifts by fewer than 64 bits.
    fn shift_left_by(self, a: Self::Words, bits: u32) -> Self::Words;
    /// Shifts by fewer than 64 bits.
    fn shift_right_by(self, a: Self::Words, bits: u32) -> Self::Words;
    /// The number of ones in each word.
    fn count_ones(self, a: Self::Words) -> Self::Words;
    /// Bit i is set if word i is not 0.
    fn nonzero(self, a: Self::Words) -> u32;
    /// Each word plus all words before it.
    fn prefix_sum(self, a: Self::Words) -> Self::Words;
    /// The last word in every lane.
    fn broadcast_last(self, a: Self::Words) -> Self::Words;
    /// Writes the words whose bits are set in `chosen` to `words[at..]`, in order. The rest of
    /// `words[at..at + LANES]` is unspecified.
    fn compress(self, values: Self::Words, chosen: u32, words: &mut [u64], at: usize);

    /// Which of 64 pixels are `<= limit`, pixel 0 in the lowest bit, and a nonzero number if any of them is
    /// NaN. With NaN, the bits are unspecified. The limit must not be NaN or -0.0.
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64);
    /// As [`Simd::at_most_f32`].
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64);
    /// As [`Simd::at_most_f32`].
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64);
    /// As [`Simd::at_most_f32`], but without NaN.
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64;

    /// `FLOATS` floats, at most 16.
    type Floats: Copy;
    const FLOATS: usize;
    /// Number of vector registers.
    const REGISTERS: usize;

    /// The floats `floats[at..at + FLOATS]`.
    fn load_f32(self, floats: &[f32], at: usize) -> Self::Floats;
    /// Loads from `N` places, `stride` floats apart.
    fn load_strided_f32<const N: usize>(self, floats: &[f32], at: usize, stride: usize) -> [Self::Floats; N];
    /// Writes to `floats[at..at + FLOATS]`.
    fn store_f32(self, values: Self::Floats, floats: &mut [f32], at: usize);
    /// Writes to `N` places, `stride` floats apart.
    fn store_strided_f32<const N: usize>(
        self,
        values: [Self::Floats; N],
        floats: &mut [f32],
        at: usize,
        stride: usize,
    );
    fn splat_f32(self, value: f32) -> Self::Floats;
    fn add_f32(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    fn mul_f32(self, a: Self::Floats, b: Self::Floats) -> Self::Floats;
    /// `a * b + c`, rounded once.
    fn fma_f32(self, a: Self::Floats, b: Self::Floats, c: Self::Floats) -> Self::Floats;
    /// Adds table entries to each float: for float i and table t, the entry whose index is the four bits of
    /// `bits` from bit `i + 4 * t` on. There are at most four tables.
    fn add_lookups<const N: usize>(
        self,
        sums: Self::Floats,
        tables: &[[f32; 16]; N],
        bits: u32,
    ) -> Self::Floats;
    /// Transposes a block of `FLOATS` x `FLOATS`: writes `from[y * from_stride + x]` to
    /// `to[x * to_stride + y]`.
    fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize);
}

/// A computation that can be compiled for any instruction set. `run` and everything it calls must be
/// `#[inline(always)]`, or it is not compiled for the instruction set that it runs on.
pub(crate) trait Kernel {
    type Output;
    fn run<S: Simd>(self, simd: S) -> Self::Output;
}

/// An instruction set that this machine supports.
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

/// The names of all instruction sets on any machine, from the slowest to the fastest.
const NAMES: [&str; 4] = ["scalar", "neon", "avx2", "avx512"];

/// The environment variable that limits the choice of instruction sets.
pub const SIMD_VARIABLE: &str = "REGGAN_SIMD";

impl Level {
    /// The instruction sets of this machine, from the slowest to the fastest.
    #[allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "a few elements, for any input")]
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

    /// The fastest instruction set that this machine supports and that the environment variable `REGGAN_SIMD`
    /// allows. The variable is read once.
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

    /// The name, as in `REGGAN_SIMD`.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Stream;

    fn words(number: u64) -> [u64; 16] {
        let mut stream = Stream::new(5, number, 0);
        std::array::from_fn(|position| {
            let word = u64::from(stream.word()) << 32 | u64::from(stream.word());
            match (number as usize + position) % 5 {
                0 => 0,
                1 => word & u64::from(stream.word()),
                2 => u64::MAX,
                _ => word,
            }
        })
    }

    /// Applies every operation on words and writes the results one after another.
    struct Words(u64);

    impl Kernel for Words {
        type Output = Vec<u64>;

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Vec<u64> {
            let (first, second) = (words(self.0), words(self.0 + 1));
            let mut result = Vec::new();
            let mut put = |values: S::Words| {
                let mut out = [0; 9];
                simd.store(values, &mut out, 1);
                result.extend_from_slice(&out[1..=S::LANES]);
            };
            for at in (0..8).step_by(S::LANES) {
                let (a, b) = (simd.load(&first, at), simd.load(&second, at));
                put(simd.and(a, b));
                put(simd.and_not(a, b));
                put(simd.or(a, b));
                put(simd.xor(a, b));
                put(simd.add(a, b));
                put(simd.sub(a, b));
                put(simd.shift_left::<1>(a));
                put(simd.shift_right::<1>(a));
                put(simd.shift_left::<48>(a));
                put(simd.shift_right::<63>(a));
                put(simd.shift_left_by(a, self.0 as u32 % 64));
                put(simd.shift_right_by(a, self.0 as u32 % 64));
                put(simd.count_ones(a));
                put(simd.splat(first[0]));
                for lane in 0..S::LANES {
                    // Operations that depend on the number of lanes are compared with the words themselves.
                    let upto = first[at..=at + lane].iter().fold(0_u64, |sum, word| sum.wrapping_add(*word));
                    let mut out = [0; 8];
                    simd.store(simd.prefix_sum(a), &mut out, 0);
                    assert_eq!(out[lane], upto);
                    simd.store(simd.broadcast_last(a), &mut out, 0);
                    assert_eq!(out[lane], first[at + S::LANES - 1]);
                    assert_eq!(simd.nonzero(a) >> lane & 1, u32::from(first[at + lane] != 0));
                }
                for chosen in 0..1_u32 << S::LANES {
                    let mut out = [0; 10];
                    simd.compress(a, chosen, &mut out, 2);
                    let lanes = (0..S::LANES).filter(|lane| chosen >> lane & 1 == 1);
                    let expected: Vec<_> = lanes.map(|lane| first[at + lane]).collect();
                    assert_eq!(out[2..][..expected.len()], expected);
                }
            }
            // Reorders the results by word, so that they do not depend on the number of lanes.
            let operations = 14;
            let block = operations * S::LANES;
            (0..8 * operations)
                .map(|position| {
                    let (operation, word) = (position / 8, position % 8);
                    result[word / S::LANES * block + operation * S::LANES + word % S::LANES]
                })
                .collect()
        }
    }

    #[test]
    fn operations_on_words_match_the_scalar_ones() {
        for number in 0..200 {
            let expected = Scalar.vectorize(Words(number));
            for level in Level::available() {
                assert_eq!(level.run(Words(number)), expected, "{}", level.name());
            }
        }
    }

    struct Comparisons<'a> {
        floats: &'a [f32; 64],
        limit: f32,
    }

    impl Kernel for Comparisons<'_> {
        type Output = [(u64, bool); 4];

        #[inline(always)]
        fn run<S: Simd>(self, simd: S) -> Self::Output {
            let Self { floats, limit } = self;
            let is_nan = |(bits, nan): (u64, u64)| if nan == 0 { (bits, false) } else { (0, true) };
            let byte = |value: f32| (value.abs() * 100.0) as u8;
            [
                is_nan(simd.at_most_f32(floats, limit)),
                is_nan(simd.at_most_f64(&floats.map(f64::from), limit.into())),
                is_nan(simd.at_most_f16(&floats.map(f16::from_f32), f16::from_f32(limit))),
                (simd.at_most_u8(&floats.map(byte), byte(limit)), false),
            ]
        }
    }

    #[test]
    fn comparisons_match_the_scalar_ones() {
        let special =
            [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, -f32::NAN, 1e-7, -1e-7, 70_000.0, 2.55];
        for number in 0..500 {
            let mut stream = Stream::new(6, number, 0);
            let mut floats: [f32; 64] = std::array::from_fn(|_| (4.0 * stream.uniform01() - 2.0) as f32);
            let limit = match number % 8 {
                kind @ 0..=3 => special[kind as usize],
                4 => floats[stream.integer((0, 63)) as usize],
                _ => (4.0 * stream.uniform01() - 2.0) as f32,
            };
            for _ in 0..number % 4 {
                floats[stream.integer((0, 63)) as usize] = special[stream.integer((0, 9)) as usize];
            }
            let expected = Scalar.vectorize(Comparisons { floats: &floats, limit });
            for level in Level::available() {
                let found = level.run(Comparisons { floats: &floats, limit });
                assert_eq!(found, expected, "{}: {floats:?} <= {limit}", level.name());
            }
        }
    }

    #[test]
    fn the_variable_sets_an_upper_limit() {
        let name = |wanted: Option<&str>| Level::at_most(wanted.map(AsRef::as_ref)).map(Level::name);
        let available: Vec<_> = Level::available().into_iter().map(Level::name).collect();
        assert_eq!(available[0], "scalar");
        assert_eq!(name(None), Ok(available[available.len() - 1]));
        assert_eq!(name(Some("scalar")), Ok("scalar"));
        for wanted in NAMES {
            let chosen = name(Some(wanted)).expect("a name");
            assert!(available.contains(&chosen));
            if available.contains(&wanted) {
                assert_eq!(chosen, wanted);
            }
        }
        assert!(matches!(name(Some("sse9")), Err(Error::Invalid(_))));
    }
}
