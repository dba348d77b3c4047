//! Counter-based random streams: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! 2011).
//!
//! A stream is identified by (seed, index, object). The key is the (low, high) 32-bit halves of the seed. The
//! counter is (block, object, low half of index, high half of index), where `block` counts from 0. Each block
//! yields four words, which are used in order. Object 0 holds the draws for an image as a whole; object 1 + i
//! is its i-th shape.
//!
//! - [`Stream::uniform01`] takes one word: `word * 2^-32`.
//! - [`Stream::uniform`] is `low + (high - low) * uniform01`, and takes a word even if both ends are equal.
//! - [`Stream::integer`] takes one word: `low + (word * (high - low + 1) >> 32)`, both ends included.
//! - [`normal`] takes one word: the standard normal quantile of `(word + 0.5) * 2^-32`.

/// Changes whenever a seed and index no longer give the same image.
pub const STREAM_VERSION: u32 = 2;

const ROUNDS: usize = 10;
const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// One stream of random words.
#[derive(Clone, Debug)]
pub struct Stream {
    key: [u32; 2],
    counter: [u32; 4],
    words: [u32; 4],
    used: usize,
}

impl Stream {
    /// The stream of an object of image `index`.
    pub fn new(seed: u64, index: u64, object: u32) -> Self {
        Self {
            key: halves(seed),
            counter: [0, object, halves(index)[0], halves(index)[1]],
            words: [0; 4],
            used: 4,
        }
    }

    /// The next word.
    #[inline]
    pub fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// The first four words of the streams of `N` objects from `first` on, as one array of `N` for each word.
    #[inline(always)]
    pub(crate) fn first_words<const N: usize>(seed: u64, index: u64, first: u32) -> [[u32; N]; 4] {
        let [low, high] = halves(index);
        let mut objects = [first; N];
        for (position, object) in objects.iter_mut().enumerate() {
            *object = first.wrapping_add(position as u32);
        }
        philox_lanes([[0; N], objects, [low; N], [high; N]], halves(seed))
    }

    /// The first words of the stream of an object.
    #[inline(always)]
    pub(crate) fn words(seed: u64, index: u64, object: u32, words: &mut [u32]) {
        const LANES: usize = 16;
        let [low, high] = halves(index);
        for (first, words) in (0_u32..).step_by(LANES).zip(words.chunks_mut(4 * LANES)) {
            let mut blocks = [first; LANES];
            for (position, block) in blocks.iter_mut().enumerate() {
                *block = first.wrapping_add(position as u32);
            }
            let drawn = philox_lanes([blocks, [object; LANES], [low; LANES], [high; LANES]], halves(seed));
            for (position, word) in words.iter_mut().enumerate() {
                *word = drawn[position % 4][position / 4];
            }
        }
    }

    /// The stream of an object after its first four words.
    pub(crate) fn after_first_words(seed: u64, index: u64, object: u32) -> Self {
        let mut stream = Self::new(seed, index, object);
        stream.counter[0] = 1;
        stream
    }

    /// Uniform in [0, 1), with 32 bits.
    #[inline]
    pub fn uniform01(&mut self) -> f64 {
        fraction(self.word())
    }

    /// Uniform in [low, high).
    #[inline]
    pub fn uniform(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.uniform01()
    }

    /// Uniform in low..=high.
    #[inline]
    pub fn integer(&mut self, (low, high): (u32, u32)) -> u32 {
        let choices = u64::from(high - low) + 1;
        low + ((u64::from(self.word()) * choices) >> 32) as u32
    }
}

/// The number in [0, 1) for a word.
#[inline(always)]
pub(crate) fn fraction(word: u32) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 32) as f64;
    f64::from(word) * SCALE
}

/// The normal deviate for a word: the quantile of `(word + 0.5) * 2^-32`. The error is about 1e-6, and 3e-3
/// beyond 5.1, which is one word in three million. All operations are correctly rounded, so every machine
/// gives the same result. There are no branches, so compilers vectorize it (Giles, "Approximating the erfinv
/// function", 2010; the logarithm is `logf` of Cephes).
#[inline(always)]
pub(crate) fn normal(word: u32) -> f32 {
    const HALF: u32 = 1 << 31;
    // Twice the distance from the nearer end of [0, 1].
    let nearer = if word < HALF { word } else { !word };
    let tail = (nearer as i32 as f32 + 0.5) * (1.0 / HALF as f32);
    let minus_log = -log(tail * (2.0 - tail));

    let near = minus_log - 2.5;
    let mut center: f32 = 2.810_226_4e-8;
    for coefficient in [
        3.432_739_4e-7,
        -3.523_387_7e-6,
        -4.391_506_5e-6,
        0.000_218_580_87,
        -0.001_253_725,
        -0.004_177_681_6,
        0.246_640_73,
        1.501_409_4,
    ] {
        center = center.mul_add(near, coefficient);
    }
    let far = minus_log.sqrt() - 3.0;
    let mut end: f32 = -0.000_200_214_26;
    for coefficient in [
        0.000_100_950_56,
        0.001_349_343_2,
        -0.003_673_428_4,
        0.005_739_507_7,
        -0.007_622_461_3,
        0.009_438_870_5,
        1.001_674,
        2.832_976_8,
    ] {
        end = end.mul_add(far, coefficient);
    }
    let deviate = (1.0 - tail) * std::f32::consts::SQRT_2 * if minus_log < 5.0 { center } else { end };
    if word < HALF { -deviate } else { deviate }
}

/// The natural logarithm for values from 2^-62 to 1.
#[inline(always)]
fn log(value: f32) -> f32 {
    // The exponent for which the mantissa is from sqrt(1/2) to sqrt(2).
    const ROOT: u32 = std::f32::consts::FRAC_1_SQRT_2.to_bits();
    let exponent = value.to_bits().wrapping_sub(ROOT) as i32 >> 23;
    let x = f32::from_bits(value.to_bits().wrapping_sub((exponent << 23) as u32)) - 1.0;
    let exponent = exponent as f32;
    let mut series: f32 = 7.037_683_6e-2;
    for coefficient in [
        -0.115_146_1,
        0.116_769_987,
        -0.124_201_41,
        0.142_493_23,
        -0.166_680_57,
        0.200_007_14,
        -0.249_999_94,
        0.333_333_3,
    ] {
        series = series.mul_add(x, coefficient);
    }
    let square = x * x;
    let low = series * x * square - 2.121_944_4e-4 * exponent - 0.5 * square;
    x + low + 0.693_359_4 * exponent
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    philox_lanes(counter.map(|word| [word]), key).map(|[word]| word)
}

/// `N` blocks at once.
#[inline(always)]
fn philox_lanes<const N: usize>(mut counter: [[u32; N]; 4], mut key: [u32; 2]) -> [[u32; N]; 4] {
    for _ in 0..ROUNDS {
        let [a, b, c, d] = counter;
        for lane in 0..N {
            let first = u64::from(MULTIPLIERS[0]) * u64::from(a[lane]);
            let second = u64::from(MULTIPLIERS[1]) * u64::from(c[lane]);
            counter[0][lane] = (second >> 32) as u32 ^ b[lane] ^ key[0];
            counter[1][lane] = second as u32;
            counter[2][lane] = (first >> 32) as u32 ^ d[lane] ^ key[1];
            counter[3][lane] = first as u32;
        }
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The known-answer vectors of Random123 1.14, `kat_vectors`, for philox4x32 with 10 rounds.
    #[test]
    fn known_answers() {
        let all = u32::MAX;
        for (counter, key, expected) in [
            ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
            ([all; 4], [all; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
            (
                [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
                [0xa409_3822, 0x299f_31d0],
                [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
            ),
        ] {
            assert_eq!(philox(counter, key), expected);
        }
    }

    #[test]
    fn streams_are_laid_out_as_documented() {
        let (seed, index, object) = (0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, 77);
        let key = [0x89ab_cdef, 0x0123_4567];
        let mut stream = Stream::new(seed, index, object);
        for block in 0..3 {
            for word in philox([block, object, 0x7654_3210, 0xfedc_ba98], key) {
                assert_eq!(stream.word(), word);
            }
        }

        let words = philox([0, object, 0x7654_3210, 0xfedc_ba98], key);
        let mut stream = Stream::new(seed, index, object);
        assert_eq!(stream.uniform01(), f64::from(words[0]) / 2_f64.powi(32));
        let second = u64::from(words[1]);
        assert_eq!(u64::from(stream.integer((10, 19))), 10 + second * 10 / (1 << 32));

        let together = Stream::first_words::<8>(seed, index, object);
        for (lane, object) in (object..object + 8).enumerate() {
            let mut alone = Stream::new(seed, index, object);
            together.iter().for_each(|word| assert_eq!(word[lane], alone.word()));
            assert_eq!(Stream::after_first_words(seed, index, object).word(), alone.word());
        }

        let mut many = [0; 333];
        Stream::words(seed, index, object, &mut many);
        let mut alone = Stream::new(seed, index, object);
        many.iter().for_each(|&word| assert_eq!(word, alone.word()));
    }

    /// Quantiles from SciPy's `ndtri`.
    #[test]
    fn deviates_are_quantiles() {
        for (word, expected) in [
            (0, -6.337_958),
            (1, -6.166_429_5),
            (1 << 10, -5.035_312_5),
            (1 << 20, -3.487_104),
            (1 << 25, -2.417_559),
            (1 << 27, -1.862_731_9),
            (1 << 30, -0.674_489_75),
            ((1 << 31) - 1, -2.918_099_4e-10),
            (1 << 31, 2.918_099_4e-10),
            (3 << 30, 0.674_489_75),
            (u32::MAX, 6.337_958),
        ] {
            let found = normal(word);
            let tolerance: f32 =
                if f32::abs(expected) < 5.1 { 2e-6 * f32::abs(expected).max(0.1) } else { 3e-3 };
            assert!((found - expected).abs() < tolerance, "{word}: {found}");
        }
        let deviates = (0..1_u32 << 20).map(|step| f64::from(normal((step << 12) + (1 << 11))));
        let (sum, squares) = deviates.fold((0.0, 0.0), |(sum, squares), z| (sum + z, squares + z * z));
        assert!(sum.abs() < 1.0 && (squares / f64::from(1 << 20) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn draws_stay_in_range() {
        let mut stream = Stream::new(1, 2, 3);
        let mut seen = [false; 8];
        for _ in 0..1000 {
            assert!((0.0..1.0).contains(&stream.uniform01()));
            assert!((-3.0..5.0).contains(&stream.uniform((-3.0, 5.0))));
            assert_eq!(stream.uniform((2.5, 2.5)), 2.5);
            seen[stream.integer((11, 18)) as usize - 11] = true;
            stream.integer((0, u32::MAX));
        }
        assert_eq!(seen, [true; 8]);
    }
}
