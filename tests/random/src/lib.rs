//! Seeded randomness for tests: it chooses places of a document to change, and templates to render.
//!
//! No test draws from the operating system: seeds are fixed, so every run of the same length is the same run. Programs
//! don't depend on this crate. Invariant: the numbers follow from the seed alone.

pub mod shapes;

/// The number of rounds that a test should make: 2,000, or the number in `SEAL_FUZZ_COUNT`, which `make fuzz` sets.
pub fn rounds() -> usize {
    std::env::var("SEAL_FUZZ_COUNT")
        .map_or(2_000, |count| count.parse().expect("SEAL_FUZZ_COUNT is a number"))
}

/// SplitMix64 (Steele et al. 2014): small, seeded, good enough to pick places. It holds its state, at first the seed.
pub struct Random(pub u64);

impl Random {
    /// The next number, of all 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from 0 to `limit`, without it.
    pub fn below(&mut self, limit: usize) -> usize {
        let number = self.draw() % u64::try_from(limit).expect("a usize has at most 64 bits");
        usize::try_from(number).expect("it is below a usize")
    }
}
