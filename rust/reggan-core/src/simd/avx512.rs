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
    "fma",
    "popcnt"
);

impl Simd for Avx512 {
    type Words = __m512i;
    const LANES: usize = 8;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,bmi1,bmi2,fma,popcnt")]
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
    fn shift_left_by(self, a: __m512i, bits: u32) -> __m512i {
        op!(_mm512_sll_epi64(a, _mm_cvtsi32_si128(bits as i32)))
    }

    #[inline(always)]
    fn shift_right_by(self, a: __m512i, bits: u32) -> __m512i {
        op!(_mm512_srl_epi64(a, _mm_cvtsi32_si128(bits as i32)))
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
        // Compresses in a register, since compressing into memory is slow on some machines.
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

    type Floats = __m512;
    const FLOATS: usize = 16;
    const REGISTERS: usize = 32;

    #[inline(always)]
    fn load_f32(self, floats: &[f32], at: usize) -> __m512 {
        let floats = &floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds sixteen floats; the load needs no alignment.
        unsafe { _mm512_loadu_ps(floats.as_ptr()) }
    }

    #[inline(always)]
    fn load_strided_f32<const N: usize>(self, floats: &[f32], at: usize, stride: usize) -> [__m512; N] {
        let floats = &floats[at..][..(N - 1) * stride + Self::FLOATS];
        // A loop is compiled for this instruction set; `std::array::from_fn` is not.
        let mut rows = [self.splat_f32(0.0); N];
        for (place, row) in rows.iter_mut().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            *row = unsafe { _mm512_loadu_ps(floats.as_ptr().add(place * stride)) };
        }
        rows
    }

    #[inline(always)]
    fn store_f32(self, values: __m512, floats: &mut [f32], at: usize) {
        let floats = &mut floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds sixteen floats; the store needs no alignment.
        unsafe { _mm512_storeu_ps(floats.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn store_strided_f32<const N: usize>(
        self,
        values: [__m512; N],
        floats: &mut [f32],
        at: usize,
        stride: usize,
    ) {
        let floats = &mut floats[at..][..(N - 1) * stride + Self::FLOATS];
        for (place, values) in values.into_iter().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            unsafe { _mm512_storeu_ps(floats.as_mut_ptr().add(place * stride), values) }
        }
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> __m512 {
        op!(_mm512_set1_ps(value))
    }

    #[inline(always)]
    fn add_f32(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_add_ps(a, b))
    }

    #[inline(always)]
    fn mul_f32(self, a: __m512, b: __m512) -> __m512 {
        op!(_mm512_mul_ps(a, b))
    }

    #[inline(always)]
    fn fma_f32(self, a: __m512, b: __m512, c: __m512) -> __m512 {
        op!(_mm512_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn add_lookups<const N: usize>(self, sums: __m512, tables: &[[f32; 16]; N], bits: u32) -> __m512 {
        op!({
            let lanes = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let mut bits = _mm512_srlv_epi32(_mm512_set1_epi32(bits as i32), lanes);
            let mut sums = sums;
            for table in tables {
                // The permutation uses only the lowest four bits of an index.
                let entries = _mm512_permutexvar_ps(bits, self.load_f32(table, 0));
                sums = _mm512_add_ps(sums, entries);
                bits = _mm512_srli_epi32::<4>(bits);
            }
            sums
        })
    }

    #[inline(always)]
    fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
        let mut rows: [__m512; 16] = self.load_strided_f32(from, 0, from_stride);
        op!({
            // Transposes blocks of 2 x 2 and 4 x 4 within quarters of the registers, then the quarters
            // themselves.
            for pair in rows.as_chunks_mut::<2>().0 {
                let [a, b] = *pair;
                *pair = [_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b)];
            }
            let pairs = |a, b| {
                let (a, b) = (_mm512_castps_pd(a), _mm512_castps_pd(b));
                let both = [_mm512_unpacklo_pd(a, b), _mm512_unpackhi_pd(a, b)];
                both.map(|pairs| _mm512_castpd_ps(pairs))
            };
            for four in rows.as_chunks_mut::<4>().0 {
                let ([first, second], [third, fourth]) = (pairs(four[0], four[2]), pairs(four[1], four[3]));
                *four = [first, second, third, fourth];
            }
            for x in 0..4 {
                let [a, b, c, d] = [0, 4, 8, 12].map(|y| rows[y + x]);
                let (even_ab, odd_ab) =
                    (_mm512_shuffle_f32x4::<0x88>(a, b), _mm512_shuffle_f32x4::<0xdd>(a, b));
                let (even_cd, odd_cd) =
                    (_mm512_shuffle_f32x4::<0x88>(c, d), _mm512_shuffle_f32x4::<0xdd>(c, d));
                let quarters = [
                    _mm512_shuffle_f32x4::<0x88>(even_ab, even_cd),
                    _mm512_shuffle_f32x4::<0x88>(odd_ab, odd_cd),
                    _mm512_shuffle_f32x4::<0xdd>(even_ab, even_cd),
                    _mm512_shuffle_f32x4::<0xdd>(odd_ab, odd_cd),
                ];
                for (quarter, column) in quarters.into_iter().enumerate() {
                    self.store_f32(column, to, (4 * quarter + x) * to_stride);
                }
            }
        })
    }
}
