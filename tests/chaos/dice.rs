//! Where chance comes from: each choice follows from the seed of the run, from who makes it, and from how many they
//! made before. So a seed repeats a run's choices, whatever was slow, refused or tried again in between.

use rand::{SeedableRng, rngs::StdRng};

/// What a choice is for, so that one doesn't shift another.
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

    /// What they do for the `number`th time.
    pub fn operation(&self, number: u64) -> StdRng {
        self.of(number, For::Operation)
    }

    /// Where they try it, and how long they wait in between: as often as it takes.
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
