//! Counter-based random streams: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
//! 2011).
//!
//! A stream is named by (seed, index, object). The key is the seed's (low, high) 32-bit halves; the counter
//! is (block, object, low half of index, high half of index), and `block` counts from 0. Each block gives
//! four words, which are used in order. Object 0 is what is drawn for an image as a whole; object 1 + i is
//! its i-th shape.
//!
//! - [`Stream::uniform01`] takes one word: `word * 2^-32`.
//! - [`Stream::uniform`] is `low + (high - low) * uniform01`, drawn also when both ends are equal.
//! - [`Stream::integer`] takes one word: `low + (word * (high - low + 1) >> 32)`, both ends included.

/// Changes whenever the same seed and index no longer give the same image.
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
    /// The stream of an object of the image `index`.
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

    /// The first four words of the streams of `N` objects from `first` on: word by word, those of all objects.
    #[inline(always)]
    pub(crate) fn first_words<const N: usize>(seed: u64, index: u64, first: u32) -> [[u32; N]; 4] {
        let [low, high] = halves(index);
        let mut objects = [first; N];
        for (position, object) in objects.iter_mut().enumerate() {
            *object = first.wrapping_add(position as u32);
        }
        philox_lanes([[0; N], objects, [low; N], [high; N]], halves(seed))
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

/// The number in [0, 1) that a word stands for.
#[inline(always)]
pub(crate) fn fraction(word: u32) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 32) as f64;
    f64::from(word) * SCALE
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
