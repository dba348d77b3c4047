//! NEON: every 64-bit Arm.

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
            // The bits of the first, second, third and fourth pixel of all fours.
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
            // Three rounds of adding neighbours leave eight bits a byte.
            let low = vpaddq_u8(bits(0), bits(1));
            let high = vpaddq_u8(bits(2), bits(3));
            let all = vpaddq_u8(low, high);
            vgetq_lane_u64::<0>(vreinterpretq_u64_u8(vpaddq_u8(all, all)))
        }
    }
}
