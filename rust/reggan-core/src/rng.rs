//! Counter-based random streams: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
//!
//! A stream is named by (seed, index, object). The key is the seed's (low, high) 32-bit halves; the counter is
//! (block, object, low half of index, high half of index), and `block` counts from 0. Each block gives four words,
//! which are used in order. Object 0 is what is drawn for an image as a whole; object 1 + i is its i-th shape.
//!
//! - [`Stream::uniform01`] takes two words, the low one first: `((high << 32 | low) >> 11) * 2^-53`.
//! - [`Stream::uniform`] is `low + (high - low) * uniform01`, drawn also when both ends are equal.
//! - [`Stream::integer`] takes one word: `low + (word * (high - low + 1) >> 32)`, both ends included.

/// Changes whenever the same seed and index no longer give the same image.
pub const STREAM_VERSION: u32 = 1;

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
    pub fn word(&mut self) -> u32 {
        if self.used == 4 {
            self.words = philox(self.counter, self.key);
            self.counter[0] = self.counter[0].wrapping_add(1);
            self.used = 0;
        }
        self.used += 1;
        self.words[self.used - 1]
    }

    /// Uniform in [0, 1), with 53 bits.
    pub fn uniform01(&mut self) -> f64 {
        const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
        let low = u64::from(self.word());
        let high = u64::from(self.word());
        ((high << 32 | low) >> 11) as f64 * SCALE
    }

    /// Uniform in [low, high).
    pub fn uniform(&mut self, (low, high): (f64, f64)) -> f64 {
        low + (high - low) * self.uniform01()
    }

    /// Uniform in low..=high.
    pub fn integer(&mut self, (low, high): (u32, u32)) -> u32 {
        let choices = u64::from(high - low) + 1;
        low + (u64::from(self.word()) * choices >> 32) as u32
    }
}

fn halves(value: u64) -> [u32; 2] {
    [value as u32, (value >> 32) as u32]
}

fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..ROUNDS {
        let [low0, high0] = halves(u64::from(MULTIPLIERS[0]) * u64::from(counter[0]));
        let [low1, high1] = halves(u64::from(MULTIPLIERS[1]) * u64::from(counter[2]));
        counter = [high1 ^ counter[1] ^ key[0], low1, high0 ^ counter[3] ^ key[1], low0];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}
