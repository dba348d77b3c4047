//! NEON: all 64-bit Arm machines.

use std::arch::aarch64::*;
use std::arch::is_aarch64_feature_detected;

use half::f16;

use super::{Kernel, Scalar, Simd};

proof!(Neon, is_aarch64_feature_detected, "neon");

impl Simd for Neon {
    type Words = uint64x2_t;
    const LANES: usize = 2;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "neon")]
        fn run<K: Kernel>(simd: Neon, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        op!(run(self, kernel))
    }

    #[inline(always)]
    fn load(self, words: &[u64], at: usize) -> uint64x2_t {
        let words = &words[at..at + Self::LANES];
        // SAFETY: the slice holds two words.
        unsafe { vld1q_u64(words.as_ptr()) }
    }

    #[inline(always)]
    fn store(self, values: uint64x2_t, words: &mut [u64], at: usize) {
        let words = &mut words[at..at + Self::LANES];
        // SAFETY: the slice holds two words.
        unsafe { vst1q_u64(words.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn splat(self, value: u64) -> uint64x2_t {
        op!(vdupq_n_u64(value))
    }

    #[inline(always)]
    fn and(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vandq_u64(a, b))
    }

    #[inline(always)]
    fn and_not(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vbicq_u64(a, b))
    }

    #[inline(always)]
    fn or(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vorrq_u64(a, b))
    }

    #[inline(always)]
    fn xor(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(veorq_u64(a, b))
    }

    #[inline(always)]
    fn add(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vaddq_u64(a, b))
    }

    #[inline(always)]
    fn sub(self, a: uint64x2_t, b: uint64x2_t) -> uint64x2_t {
        op!(vsubq_u64(a, b))
    }

    #[inline(always)]
    fn shift_left<const N: u32>(self, a: uint64x2_t) -> uint64x2_t {
        op!(vshlq_u64(a, vdupq_n_s64(N.into())))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self, a: uint64x2_t) -> uint64x2_t {
        op!(vshlq_u64(a, vdupq_n_s64(-i64::from(N))))
    }

    #[inline(always)]
    fn shift_left_by(self, a: uint64x2_t, bits: u32) -> uint64x2_t {
        op!(vshlq_u64(a, vdupq_n_s64(bits.into())))
    }

    #[inline(always)]
    fn shift_right_by(self, a: uint64x2_t, bits: u32) -> uint64x2_t {
        op!(vshlq_u64(a, vdupq_n_s64(-i64::from(bits))))
    }

    #[inline(always)]
    fn count_ones(self, a: uint64x2_t) -> uint64x2_t {
        op!(vpaddlq_u32(vpaddlq_u16(vpaddlq_u8(vcntq_u8(vreinterpretq_u8_u64(a))))))
    }

    #[inline(always)]
    fn nonzero(self, a: uint64x2_t) -> u32 {
        op!(u32::from(vgetq_lane_u64::<0>(a) != 0) | u32::from(vgetq_lane_u64::<1>(a) != 0) << 1)
    }

    #[inline(always)]
    fn prefix_sum(self, a: uint64x2_t) -> uint64x2_t {
        op!(vaddq_u64(a, vextq_u64::<1>(vdupq_n_u64(0), a)))
    }

    #[inline(always)]
    fn broadcast_last(self, a: uint64x2_t) -> uint64x2_t {
        op!(vdupq_laneq_u64::<1>(a))
    }

    #[inline(always)]
    fn compress(self, values: uint64x2_t, chosen: u32, words: &mut [u64], at: usize) {
        let second_first = chosen & 3 == 2;
        let values = op!(if second_first { vextq_u64::<1>(values, values) } else { values });
        self.store(values, words, at);
    }

    #[inline(always)]
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64) {
        let (fours, _) = pixels.as_chunks::<4>();
        // SAFETY: `self` proves that the machine has the instructions; each load is of 4 pixels.
        unsafe {
            let limit = vdupq_n_f32(limit);
            // Lane i collects the bits of pixel i of every four pixels. `number` stays all ones without NaN.
            let mut number = vdupq_n_u32(u32::MAX);
            let mut words = [0; 2];
            for (word, fours) in words.iter_mut().zip(fours.as_chunks::<8>().0) {
                let weights = [1_u32, 2, 4, 8];
                let mut bit = vld1q_u32(weights.as_ptr());
                let mut bits = vdupq_n_u32(0);
                for four in fours {
                    let four = vld1q_f32(four.as_ptr());
                    bits = vorrq_u32(bits, vandq_u32(vcleq_f32(four, limit), bit));
                    number = vandq_u32(number, vceqq_f32(four, four));
                    bit = vshlq_n_u32::<4>(bit);
                }
                *word = u64::from(vaddvq_u32(bits));
            }
            (words[0] | words[1] << 32, u64::from(vminvq_u32(number) == 0))
        }
    }

    #[inline(always)]
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64) {
        let (twos, _) = pixels.as_chunks::<2>();
        // SAFETY: `self` proves that the machine has the instructions; each load is of 2 pixels.
        unsafe {
            let limit = vdupq_n_f64(limit);
            let weights = [1_u64, 2];
            let mut bit = vld1q_u64(weights.as_ptr());
            let mut bits = vdupq_n_u64(0);
            let mut number = vdupq_n_u64(u64::MAX);
            for two in twos {
                let two = vld1q_f64(two.as_ptr());
                bits = vorrq_u64(bits, vandq_u64(vcleq_f64(two, limit), bit));
                number = vandq_u64(number, vceqq_f64(two, two));
                bit = vshlq_n_u64::<2>(bit);
            }
            (vaddvq_u64(bits), !(vgetq_lane_u64::<0>(number) & vgetq_lane_u64::<1>(number)))
        }
    }

    #[inline(always)]
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64) {
        Scalar.at_most_f16(pixels, limit)
    }

    #[inline(always)]
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64 {
        let (sixteens, _) = pixels.as_chunks::<16>();
        // SAFETY: `self` proves that the machine has the instructions; each load is of 16 pixels.
        unsafe {
            let limit = vdupq_n_u8(limit);
            let weights = [1_u8, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128];
            let weights = vld1q_u8(weights.as_ptr());
            let bits = |position: usize| {
                let sixteen = vld1q_u8(sixteens[position].as_ptr());
                vandq_u8(vcleq_u8(sixteen, limit), weights)
            };
            // Three rounds of pairwise addition leave eight bits in each byte.
            let low = vpaddq_u8(bits(0), bits(1));
            let high = vpaddq_u8(bits(2), bits(3));
            let all = vpaddq_u8(low, high);
            vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(all, all)))
        }
    }

    type Floats = float32x4_t;
    const FLOATS: usize = 4;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn load_f32(self, floats: &[f32], at: usize) -> float32x4_t {
        let floats = &floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds four floats; the load needs no alignment.
        unsafe { vld1q_f32(floats.as_ptr()) }
    }

    #[inline(always)]
    fn load_strided_f32<const N: usize>(self, floats: &[f32], at: usize, stride: usize) -> [float32x4_t; N] {
        let floats = &floats[at..][..(N - 1) * stride + Self::FLOATS];
        // A loop is compiled for this instruction set; `std::array::from_fn` is not.
        let mut rows = [self.splat_f32(0.0); N];
        for (place, row) in rows.iter_mut().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            *row = unsafe { vld1q_f32(floats.as_ptr().add(place * stride)) };
        }
        rows
    }

    #[inline(always)]
    fn store_f32(self, values: float32x4_t, floats: &mut [f32], at: usize) {
        let floats = &mut floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds four floats; the store needs no alignment.
        unsafe { vst1q_f32(floats.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn store_strided_f32<const N: usize>(
        self,
        values: [float32x4_t; N],
        floats: &mut [f32],
        at: usize,
        stride: usize,
    ) {
        let floats = &mut floats[at..][..(N - 1) * stride + Self::FLOATS];
        for (place, values) in values.into_iter().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            unsafe { vst1q_f32(floats.as_mut_ptr().add(place * stride), values) }
        }
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> float32x4_t {
        op!(vdupq_n_f32(value))
    }

    #[inline(always)]
    fn add_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        op!(vaddq_f32(a, b))
    }

    #[inline(always)]
    fn mul_f32(self, a: float32x4_t, b: float32x4_t) -> float32x4_t {
        op!(vmulq_f32(a, b))
    }

    #[inline(always)]
    fn fma_f32(self, a: float32x4_t, b: float32x4_t, c: float32x4_t) -> float32x4_t {
        op!(vfmaq_f32(c, a, b))
    }

    #[inline(always)]
    fn add_lookups<const N: usize>(
        self,
        sums: float32x4_t,
        tables: &[[f32; 16]; N],
        bits: u32,
    ) -> float32x4_t {
        let lanes = [0, -1, -2, -3];
        // SAFETY: `self` proves that the machine has the instructions; each load is of a table or of four lanes.
        unsafe {
            let mut bits = vshlq_u32(vdupq_n_u32(bits), vld1q_s32(lanes.as_ptr()));
            let mut sums = sums;
            for table in tables {
                // Entry i is bytes 4 i to 4 i + 3.
                let entry = vandq_u32(bits, vdupq_n_u32(15));
                let places = vaddq_u32(vmulq_u32(entry, vdupq_n_u32(0x0404_0404)), vdupq_n_u32(0x0302_0100));
                let bytes = vld1q_u8_x4(table.as_ptr().cast());
                let entries = vqtbl4q_u8(bytes, vreinterpretq_u8_u32(places));
                sums = vaddq_f32(sums, vreinterpretq_f32_u8(entries));
                bits = vshrq_n_u32::<4>(bits);
            }
            sums
        }
    }

    #[inline(always)]
    fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
        let [a, b, c, d] = self.load_strided_f32(from, 0, from_stride);
        op!({
            let pairs = |a, b| [vreinterpretq_f64_f32(a), vreinterpretq_f64_f32(b)];
            let ([even_ab, even_cd], [odd_ab, odd_cd]) =
                (pairs(vtrn1q_f32(a, b), vtrn1q_f32(c, d)), pairs(vtrn2q_f32(a, b), vtrn2q_f32(c, d)));
            let all = [
                vzip1q_f64(even_ab, even_cd),
                vzip1q_f64(odd_ab, odd_cd),
                vzip2q_f64(even_ab, even_cd),
                vzip2q_f64(odd_ab, odd_cd),
            ];
            for (x, column) in all.into_iter().enumerate() {
                self.store_f32(vreinterpretq_f32_f64(column), to, x * to_stride);
            }
        })
    }
}
