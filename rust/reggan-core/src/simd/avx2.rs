//! AVX2 with BMI, FMA and POPCNT: Intel since Haswell, AMD since Excavator.

use std::arch::x86_64::*;

use half::f16;

use super::{Kernel, Simd};

proof!(Avx2, is_x86_feature_detected, "avx2", "bmi1", "bmi2", "fma", "popcnt");

impl Simd for Avx2 {
    type Words = __m256i;
    const LANES: usize = 4;

    #[inline(always)]
    fn vectorize<K: Kernel>(self, kernel: K) -> K::Output {
        #[target_feature(enable = "avx2,bmi1,bmi2,fma,popcnt")]
        fn run<K: Kernel>(simd: Avx2, kernel: K) -> K::Output {
            kernel.run(simd)
        }
        op!(run(self, kernel))
    }

    #[inline(always)]
    fn load(self, words: &[u64], at: usize) -> __m256i {
        let words = &words[at..at + Self::LANES];
        // SAFETY: the slice holds four words; the load needs no alignment.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }

    #[inline(always)]
    fn store(self, values: __m256i, words: &mut [u64], at: usize) {
        let words = &mut words[at..at + Self::LANES];
        // SAFETY: the slice holds four words; the store needs no alignment.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), values) }
    }

    #[inline(always)]
    fn splat(self, value: u64) -> __m256i {
        op!(_mm256_set1_epi64x(value as i64))
    }

    #[inline(always)]
    fn and(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_and_si256(a, b))
    }

    #[inline(always)]
    fn and_not(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_andnot_si256(b, a))
    }

    #[inline(always)]
    fn or(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_or_si256(a, b))
    }

    #[inline(always)]
    fn xor(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_xor_si256(a, b))
    }

    #[inline(always)]
    fn add(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_add_epi64(a, b))
    }

    #[inline(always)]
    fn sub(self, a: __m256i, b: __m256i) -> __m256i {
        op!(_mm256_sub_epi64(a, b))
    }

    #[inline(always)]
    fn shift_left<const N: u32>(self, a: __m256i) -> __m256i {
        op!(_mm256_sll_epi64(a, _mm_cvtsi32_si128(N as i32)))
    }

    #[inline(always)]
    fn shift_right<const N: u32>(self, a: __m256i) -> __m256i {
        op!(_mm256_srl_epi64(a, _mm_cvtsi32_si128(N as i32)))
    }

    #[inline(always)]
    fn shift_left_by(self, a: __m256i, bits: u32) -> __m256i {
        op!(_mm256_sll_epi64(a, _mm_cvtsi32_si128(bits as i32)))
    }

    #[inline(always)]
    fn shift_right_by(self, a: __m256i, bits: u32) -> __m256i {
        op!(_mm256_srl_epi64(a, _mm_cvtsi32_si128(bits as i32)))
    }

    #[inline(always)]
    fn count_ones(self, a: __m256i) -> __m256i {
        // Looks up each nibble and sums the eight bytes of each word (Muła, Kurz, Lemire 2018).
        op!({
            let ones =
                _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
            let nibble = _mm256_set1_epi8(15);
            let low = _mm256_shuffle_epi8(ones, _mm256_and_si256(a, nibble));
            let high = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16::<4>(a), nibble));
            _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256())
        })
    }

    #[inline(always)]
    fn nonzero(self, a: __m256i) -> u32 {
        op!({
            let zero = _mm256_cmpeq_epi64(a, _mm256_setzero_si256());
            !_mm256_movemask_pd(_mm256_castsi256_pd(zero)) as u32 & 15
        })
    }

    #[inline(always)]
    fn prefix_sum(self, a: __m256i) -> __m256i {
        op!({
            let pairs = _mm256_add_epi64(a, _mm256_slli_si256::<8>(a));
            let low = _mm256_permute4x64_epi64::<0b0101_0101>(pairs);
            _mm256_add_epi64(pairs, _mm256_blend_epi32::<0b1111_0000>(_mm256_setzero_si256(), low))
        })
    }

    #[inline(always)]
    fn broadcast_last(self, a: __m256i) -> __m256i {
        op!(_mm256_permute4x64_epi64::<0b1111_1111>(a))
    }

    #[inline(always)]
    fn compress(self, values: __m256i, chosen: u32, words: &mut [u64], at: usize) {
        let order = self.load(&COMPRESS[chosen as usize & 15], 0);
        self.store(op!(_mm256_permutevar8x32_epi32(values, order)), words, at);
    }

    #[inline(always)]
    fn at_most_f32(self, pixels: &[f32; 64], limit: f32) -> (u64, u64) {
        let (eights, _) = pixels.as_chunks::<8>();
        let mut bits = 0;
        // SAFETY: `self` proves that the machine has the instructions; each load is of 8 pixels.
        unsafe {
            let limit = _mm256_set1_ps(limit);
            let mut nan = _mm256_setzero_ps();
            for (position, eight) in eights.iter().enumerate() {
                let eight = _mm256_loadu_ps(eight.as_ptr());
                let at_most = _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(eight, limit));
                bits |= u64::from(at_most as u32) << (8 * position);
                nan = _mm256_or_ps(nan, _mm256_cmp_ps::<_CMP_UNORD_Q>(eight, eight));
            }
            (bits, _mm256_movemask_ps(nan) as u64)
        }
    }

    #[inline(always)]
    fn at_most_f64(self, pixels: &[f64; 64], limit: f64) -> (u64, u64) {
        let (fours, _) = pixels.as_chunks::<4>();
        let mut bits = 0;
        // SAFETY: `self` proves that the machine has the instructions; each load is of 4 pixels.
        unsafe {
            let limit = _mm256_set1_pd(limit);
            let mut nan = _mm256_setzero_pd();
            for (position, four) in fours.iter().enumerate() {
                let four = _mm256_loadu_pd(four.as_ptr());
                let at_most = _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(four, limit));
                bits |= u64::from(at_most as u32) << (4 * position);
                nan = _mm256_or_pd(nan, _mm256_cmp_pd::<_CMP_UNORD_Q>(four, four));
            }
            (bits, _mm256_movemask_pd(nan) as u64)
        }
    }

    #[inline(always)]
    fn at_most_f16(self, pixels: &[f16; 64], limit: f16) -> (u64, u64) {
        let (blocks, _) = pixels.as_chunks::<32>();
        let mut bits = 0;
        // SAFETY: `self` proves that the machine has the instructions; each load is of 16 pixels.
        unsafe {
            let limit = _mm256_set1_epi16(super::scalar::f16_key(limit));
            let magnitude = _mm256_set1_epi16(0x7fff);
            let mut nan = _mm256_setzero_si256();
            for (position, block) in blocks.iter().enumerate() {
                let mut above = |pixels: &[f16]| {
                    let pixels = _mm256_loadu_si256(pixels.as_ptr().cast());
                    let size = _mm256_and_si256(pixels, magnitude);
                    nan = _mm256_or_si256(nan, _mm256_cmpgt_epi16(size, _mm256_set1_epi16(0x7c00)));
                    let negative = _mm256_and_si256(_mm256_srai_epi16::<15>(pixels), magnitude);
                    _mm256_cmpgt_epi16(_mm256_xor_si256(pixels, negative), limit)
                };
                // Packing works within halves of the register, so the middle quarters come out swapped.
                let bytes = _mm256_packs_epi16(above(&block[..16]), above(&block[16..]));
                let bytes = _mm256_permute4x64_epi64::<0b1101_1000>(bytes);
                bits |= u64::from(!_mm256_movemask_epi8(bytes) as u32) << (32 * position);
            }
            (bits, _mm256_movemask_epi8(nan) as u32 as u64)
        }
    }

    #[inline(always)]
    fn at_most_u8(self, pixels: &[u8; 64], limit: u8) -> u64 {
        let (halves, _) = pixels.as_chunks::<32>();
        // SAFETY: `self` proves that the machine has the instructions; each load is of 32 pixels.
        unsafe {
            let limit = _mm256_set1_epi8(limit as i8);
            let bits = |half: &[u8; 32]| {
                let half = _mm256_loadu_si256(half.as_ptr().cast());
                let at_most = _mm256_cmpeq_epi8(_mm256_min_epu8(half, limit), half);
                u64::from(_mm256_movemask_epi8(at_most) as u32)
            };
            bits(&halves[0]) | bits(&halves[1]) << 32
        }
    }

    type Floats = __m256;
    const FLOATS: usize = 8;
    const REGISTERS: usize = 16;

    #[inline(always)]
    fn load_f32(self, floats: &[f32], at: usize) -> __m256 {
        let floats = &floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds eight floats; the load needs no alignment.
        unsafe { _mm256_loadu_ps(floats.as_ptr()) }
    }

    #[inline(always)]
    fn load_strided_f32<const N: usize>(self, floats: &[f32], at: usize, stride: usize) -> [__m256; N] {
        let floats = &floats[at..][..(N - 1) * stride + Self::FLOATS];
        // A loop is compiled for this instruction set; `std::array::from_fn` is not.
        let mut rows = [self.splat_f32(0.0); N];
        for (place, row) in rows.iter_mut().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            *row = unsafe { _mm256_loadu_ps(floats.as_ptr().add(place * stride)) };
        }
        rows
    }

    #[inline(always)]
    fn store_f32(self, values: __m256, floats: &mut [f32], at: usize) {
        let floats = &mut floats[at..at + Self::FLOATS];
        // SAFETY: the slice holds eight floats; the store needs no alignment.
        unsafe { _mm256_storeu_ps(floats.as_mut_ptr(), values) }
    }

    #[inline(always)]
    fn store_strided_f32<const N: usize>(
        self,
        values: [__m256; N],
        floats: &mut [f32],
        at: usize,
        stride: usize,
    ) {
        let floats = &mut floats[at..][..(N - 1) * stride + Self::FLOATS];
        for (place, values) in values.into_iter().enumerate() {
            // SAFETY: the slice holds the floats of the last place, and so those of all places.
            unsafe { _mm256_storeu_ps(floats.as_mut_ptr().add(place * stride), values) }
        }
    }

    #[inline(always)]
    fn splat_f32(self, value: f32) -> __m256 {
        op!(_mm256_set1_ps(value))
    }

    #[inline(always)]
    fn add_f32(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_add_ps(a, b))
    }

    #[inline(always)]
    fn mul_f32(self, a: __m256, b: __m256) -> __m256 {
        op!(_mm256_mul_ps(a, b))
    }

    #[inline(always)]
    fn fma_f32(self, a: __m256, b: __m256, c: __m256) -> __m256 {
        op!(_mm256_fmadd_ps(a, b, c))
    }

    #[inline(always)]
    fn add_lookups<const N: usize>(self, sums: __m256, tables: &[[f32; 16]; N], bits: u32) -> __m256 {
        op!({
            let lanes = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            let mut bits = _mm256_srlv_epi32(_mm256_set1_epi32(bits as i32), lanes);
            let mut sums = sums;
            for table in tables {
                // The permutation uses only the lowest three bits of an index; the fourth selects the half of
                // the table.
                let low = _mm256_permutevar8x32_ps(self.load_f32(table, 0), bits);
                let high = _mm256_permutevar8x32_ps(self.load_f32(table, 8), bits);
                let fourth = _mm256_castsi256_ps(_mm256_slli_epi32::<28>(bits));
                sums = _mm256_add_ps(sums, _mm256_blendv_ps(low, high, fourth));
                bits = _mm256_srli_epi32::<4>(bits);
            }
            sums
        })
    }

    #[inline(always)]
    fn transpose(self, from: &[f32], from_stride: usize, to: &mut [f32], to_stride: usize) {
        let mut rows: [__m256; 8] = self.load_strided_f32(from, 0, from_stride);
        op!({
            // Transposes blocks of 2 x 2 and 4 x 4 within halves of the registers, then the halves
            // themselves.
            for pair in rows.as_chunks_mut::<2>().0 {
                let [a, b] = *pair;
                *pair = [_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b)];
            }
            let pairs = |a, b| {
                let (a, b) = (_mm256_castps_pd(a), _mm256_castps_pd(b));
                let both = [_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b)];
                both.map(|pairs| _mm256_castpd_ps(pairs))
            };
            for four in rows.as_chunks_mut::<4>().0 {
                let ([first, second], [third, fourth]) = (pairs(four[0], four[2]), pairs(four[1], four[3]));
                *four = [first, second, third, fourth];
            }
            for x in 0..4 {
                let (a, b) = (rows[x], rows[4 + x]);
                self.store_f32(_mm256_permute2f128_ps::<0x20>(a, b), to, x * to_stride);
                self.store_f32(_mm256_permute2f128_ps::<0x31>(a, b), to, (4 + x) * to_stride);
            }
        })
    }
}

/// For each set of chosen words, the order of their halves as 32-bit lanes.
const COMPRESS: [[u64; 4]; 16] = {
    let mut orders = [[0; 4]; 16];
    let mut chosen = 0;
    while chosen < 16 {
        let (mut lane, mut next) = (0_u64, 0);
        while lane < 4 {
            if chosen >> lane & 1 == 1 {
                orders[chosen][next] = ((2 * lane + 1) << 32) | (2 * lane);
                next += 1;
            }
            lane += 1;
        }
        chosen += 1;
    }
    orders
};
