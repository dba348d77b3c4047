//! AVX-512 with 64-bit popcounts: Intel since Ice Lake, AMD since Zen 4.

use std::arch::x86_64::*;

use half::f16;

use super::{Kernel, Simd};

proof!(
    Avx512,
    is_x86_feature_detected,
    "avx512f",
    "avx512bw",
    "avx512dq",
    "avx512vl",
    "avx512vpopcntdq",
    "bmi1",
    "bmi2",
    "popcnt"
);

impl Simd for Avx512 {
    type Words = __m512i;
    const LANES: usize = 8;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,bmi1,bmi2,popcnt")]
        fn run<K: Kernel>(simd: Avx512, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        op!(run(self, kernel))
    }

    #[inline(always)]
    fn load(self, words: &[u64], at: usize) -> __m512i {
        let words = &words[at..at + Self::LANES];
        // SAFETY: the slice holds eight words; the load needs no alignment.
        unsafe { _mm512_loadu_epi64(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, values: __m512i, words: &mut [u64], at: usize) {
        let words = &mut words[at..at + Self::LANES];
        // SAFETY: the slice holds eight words; the store needs no alignment.
        unsafe { _mm512_storeu_epi64(words.as_mut_ptr().cast(), values) }
    }

    #[inline(always)]
    fn splat(self, value: u64) -> __m512i {
        op!(_mm512_set1_epi64(value as i64))
    }

    #[inline(always)]
    fn and(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_and_si512(a, b))
    }

    #[inline(always)]
    fn and_not(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_andnot_si512(b, a))
    }

    #[inline(always)]
    fn or(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_or_si512(a, b))
    }

    #[inline(always)]
    fn xor(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_xor_si512(a, b))
    }

    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_add_epi64(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i) -> __m512i {
        op!(_mm512_sub_epi64(a, b))
    }

    #[inline(always)]
    fn shift_left<const N: u32>(self, a: __m512i) -> __m512i {
        op!(_mm512_slli_epi64::<N>(a))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self, a: __m512i) -> __m512i {
        op!(_mm512_srli_epi64::<N>(a))
    }

    #[inline(always)]
    fn count_ones(self, a: __m512i) -> __m512i {
        op!(_mm512_popcnt_epi64(a))
    }

    #[inline(always)]
    fn nonzero(self, a: __m512i) -> u32 {
        op!(_mm512_test_epi64_mask(a, a)).into()
    }

    #[inline(always)]
    fn prefix_sum(self, a: __m512i) -> __m512i {
        op!({
            let zero = _mm512_setzero_si512();
            let a = _mm512_add_epi64(a, _mm512_alignr_epi64::<7>(a, zero));
            let a = _mm512_add_epi64(a, _mm512_alignr_epi64::<6>(a, zero));
            _mm512_add_epi64(a, _mm512_alignr_epi64::<4>(a, zero))
        })
    }

    #[inline(always)]
    fn broadcast_last(self, a: __m512i) -> __m512i {
        op!(_mm512_permutexvar_epi64(_mm512_set1_epi64(7), a))
    }

    #[inline(always)]
    fn compress(self, values: __m512i, chosen: u32, words: &mut [u64], at: usize) {
        // In a register and stored whole: compressing into memory is slow on some machines.
        let values = op!(_mm512_maskz_compress_epi64(chosen as u8, values));
        self.store(values, words, at);
    }

    #[inline(always)]
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64) {
        let (sixteens, _) = pixels.as_chunks::<16>();
        // SAFETY: `self` proves that the machine has the instructions; each load is of 16 pixels.
        unsafe {
            let load = |position: usize| _mm512_loadu_ps(sixteens[position].as_ptr());
            let limit = _mm512_set1_ps(limit);
            let bits = |pixels| u64::from(_mm512_cmp_ps_mask::<_CMP_LE_OQ>(pixels, limit));
            let [a, b, c, d] = [load(0), load(1), load(2), load(3)];
            let nan = _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(a, b) | _mm512_cmp_ps_mask::<_CMP_UNORD_Q>(c, d);
            (bits(a) | bits(b) << 16 | bits(c) << 32 | bits(d) << 48, nan.into())
        }
    }

    #[inline(always)]
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64) {
        let (eights, _) = pixels.as_chunks::<8>();
        let [mut bits, mut nan] = [0; 2];
        for (position, eight) in eights.iter().enumerate() {
            // SAFETY: `self` proves that the machine has the instructions; the load is of 8 pixels.
            unsafe {
                let eight = _mm512_loadu_pd(eight.as_ptr());
                let at_most = _mm512_cmp_pd_mask::<_CMP_LE_OQ>(eight, _mm512_set1_pd(limit));
                bits |= u64::from(at_most) << (8 * position);
                nan |= u64::from(_mm512_cmp_pd_mask::<_CMP_UNORD_Q>(eight, eight));
            }
        }
        (bits, nan)
    }

    #[inline(always)]
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64) {
        let (halves, _) = pixels.as_chunks::<32>();
        let limit = super::scalar::f16_key(limit);
        let [mut bits, mut nan] = [0; 2];
        for (position, half) in halves.iter().enumerate() {
            // SAFETY: `self` proves that the machine has the instructions; the load is of 32 pixels.
            unsafe {
                let half = _mm512_loadu_epi16(half.as_ptr().cast());
                let magnitude = _mm512_and_si512(half, _mm512_set1_epi16(0x7fff));
                let negative = _mm512_srai_epi16::<15>(half);
                let key = _mm512_xor_si512(half, _mm512_and_si512(negative, _mm512_set1_epi16(0x7fff)));
                let at_most = _mm512_cmple_epi16_mask(key, _mm512_set1_epi16(limit));
                bits |= u64::from(at_most) << (32 * position);
                nan |= u64::from(_mm512_cmpgt_epi16_mask(magnitude, _mm512_set1_epi16(0x7c00)));
            }
        }
        (bits, nan)
    }

    #[inline(always)]
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64 {
        // SAFETY: `self` proves that the machine has the instructions; the load is of 64 pixels.
        unsafe {
            let pixels = _mm512_loadu_epi8(pixels.as_ptr().cast());
            _mm512_cmple_epu8_mask(pixels, _mm512_set1_epi8(limit as i8))
        }
    }
}
