//! The reference implementation of every operation in plain Rust, one word at a time.

use half::f16;

use super::{Kernel, Simd};

#[derive(Clone, Copy)]
pub(crate) struct Scalar;

impl Simd for Scalar {
    type Words = u64;
    const LANES: usize = 1;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        fn run<K: Kernel>(simd: Scalar, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        run(self, kernel)
    }

    #[inline(always)]
    fn load(self, words: &[u64], at: usize) -> u64 {
        words[at]
    }

    #[inline(always)]
    fn store(self, value: u64, words: &mut [u64], at: usize) {
        words[at] = value;
    }

    #[inline(always)]
    fn splat(self, value: u64) -> u64 {
        value
    }

    #[inline(always)]
    fn and(self, a: u64, b: u64) -> u64 {
        a & b
    }

    #[inline(always)]
    fn and_not(self, a: u64, b: u64) -> u64 {
        a & !b
    }

    #[inline(always)]
    fn or(self, a: u64, b: u64) -> u64 {
        a | b
    }

    #[inline(always)]
    fn xor(self, a: u64, b: u64) -> u64 {
        a ^ b
    }

    #[inline(always)]
    fn add(self, a: u64, b: u64) -> u64 {
        a.wrapping_add(b)
    }

    #[inline(always)]
    fn sub(self, a: u64, b: u64) -> u64 {
        a.wrapping_sub(b)
    }

    #[inline(always)]
    fn shift_left<const N: u32>(self, a: u64) -> u64 {
        a << N
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self, a: u64) -> u64 {
        a >> N
    }

    #[inline(always)]
    fn shift_left_by(self, a: u64, bits: u32) -> u64 {
        a << bits
    }

    #[inline(always)]
    fn shift_right_by(self, a: u64, bits: u32) -> u64 {
        a >> bits
    }

    #[inline(always)]
    fn count_ones(self, a: u64) -> u64 {
        a.count_ones().into()
    }

    #[inline(always)]
    fn nonzero(self, a: u64) -> u32 {
        u32::from(a != 0)
    }

    #[inline(always)]
    fn prefix_sum(self, a: u64) -> u64 {
        a
    }

    #[inline(always)]
    fn broadcast_last(self, a: u64) -> u64 {
        a
    }

    #[inline(always)]
    fn compress(self, value: u64, _chosen: u32, words: &mut [u64], at: usize) {
        words[at] = value;
    }

    #[inline(always)]
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64) {
        // Each half is collected in 32-bit lanes, which are as wide as the pixels.
        let (low, high) = pixels.split_at(32);
        let [mut low_bits, mut high_bits, mut nan] = [0_u32; 3];
        for (bit, (&low, &high)) in low.iter().zip(high).enumerate() {
            low_bits |= if low <= limit { 1 << bit } else { 0 };
            high_bits |= if high <= limit { 1 << bit } else { 0 };
            nan |= u32::from(low.is_nan() | high.is_nan());
        }
        (u64::from(high_bits) << 32 | u64::from(low_bits), nan.into())
    }

    #[inline(always)]
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64) {
        let [mut bits, mut nan] = [0_u64; 2];
        for (bit, &pixel) in pixels.iter().enumerate() {
            bits |= if pixel <= limit { 1 << bit } else { 0 };
            nan |= u64::from(pixel.is_nan());
        }
        (bits, nan)
    }

    #[inline(always)]
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64) {
        let limit = f16_key(limit);
        let nan = pixels.iter().fold(0, |nan, pixel| nan | u16::from(pixel.to_bits() & 0x7fff > 0x7c00));
        (gather(pixels.map(|pixel| f16_key(pixel) <= limit)), nan.into())
    }

    #[inline(always)]
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64 {
        gather(pixels.map(|pixel| pixel <= limit))
    }

    type Floats = f32;
    const FLOATS: usize = 1;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn load_f32(self, floats: &[f32], at: usize) -> f32 {
        floats[at]
    }

    #[inline(always)]
    fn load_strided_f32<const N: usize>(self, floats: &[f32], at: usize, stride: usize) -> [f32; N] {
        std::array::from_fn(|place| floats[at + place * stride])
    }

    #[inline(always)]
    fn store_f32(self, value: f32, floats: &mut [f32], at: usize) {
        floats[at] = value;
    }

    #[inline(always)]
    fn store_strided_f32<const N: usize>(
        self,
        values: [f32; N],
        floats: &mut [f32],
        at: usize,
        stride: usize,
    ) {
        for (place, value) in values.into_iter().enumerate() {
            floats[at + place * stride] = value;
        }
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> f32 {
        value
    }

    #[inline(always)]
    fn add_f32(self, a: f32, b: f32) -> f32 {
        a + b
    }

    #[inline(always)]
    fn mul_f32(self, a: f32, b: f32) -> f32 {
        a * b
    }

    #[inline(always)]
    fn fma_f32(self, a: f32, b: f32, c: f32) -> f32 {
        a.mul_add(b, c)
    }

    #[inline(always)]
    fn add_lookups<const N: usize>(self, sum: f32, tables: &[[f32; 16]; N], bits: u32) -> f32 {
        tables.iter().enumerate().fold(sum, |sum, (position, table)| {
            let entry = bits >> (4 * position) & 15;
            sum + table[entry as usize]
        })
    }

    #[inline(always)]
    fn transpose(self, from: &[f32], _from_stride: usize, to: &mut [f32], _to_stride: usize) {
        to[0] = from[0];
    }
}

/// An integer that sorts like the number: negative numbers count down by magnitude.
#[inline(always)]
pub(super) fn f16_key(pixel: f16) -> i16 {
    let bits = pixel.to_bits() as i16;
    bits ^ (bits >> 15 & 0x7fff)
}

#[inline(always)]
fn gather(flags: [bool; 64]) -> u64 {
    // Eight bytes of 0 or 1, times this, have their bits in order in the top byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let bytes = flags.map(u8::from);
    let eights = bytes.as_chunks::<8>().0.iter().enumerate();
    eights.fold(0, |word, (position, &eight)| {
        let bits = u64::from_le_bytes(eight).wrapping_mul(GATHER) >> 56;
        word | bits << (8 * position)
    })
}
