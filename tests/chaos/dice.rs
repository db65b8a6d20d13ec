//! Deterministic random choices: each depends on the seed of the run, the client, and the number of its earlier choices.
//! So a seed repeats the choices of a run, regardless of delays, refusals and retries.

use rand::{SeedableRng, rngs::StdRng};

/// The purpose of a choice, so that the sequences are independent.
#[derive(Clone, Copy)]
enum For {
    Operation,
    Retries,
}

/// The choices of one client, reader or fault maker.
#[derive(Clone)]
pub struct Dice {
    seed: u64,
    pub who: u64,
}

impl Dice {
    pub fn new(seed: u64, who: u64) -> Self {
        Self { seed, who }
    }

    /// The `number`th operation.
    pub fn operation(&self, number: u64) -> StdRng {
        self.of(number, For::Operation)
    }

    /// The target nodes and the delays of retries.
    pub fn retries(&self, number: u64) -> StdRng {
        self.of(number, For::Retries)
    }

    fn of(&self, number: u64, what: For) -> StdRng {
        let parts = [self.seed, self.who, number, what as u64];
        let mut seed = [0; 32];
        for (place, part) in seed.chunks_exact_mut(8).zip(parts) {
            place.copy_from_slice(&part.to_le_bytes());
        }
        StdRng::from_seed(seed)
    }
}
