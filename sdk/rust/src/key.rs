//! What follows from the key of a question: ids that are the same in every process that asks it.

use crate::e2e::SecretKeys;
use sha2::{Digest as _, Sha256};
use std::fmt::Write as _;
use uuid::Uuid;

/// Spacing of the times that ids of sessions carry. The hub takes ids whose time is within 24 hours of its own; the
/// nearest multiple is at most 18 hours away, which leaves 6 hours for clocks that differ.
const SPACING: u64 = 36 * 60 * 60 * 1000;
/// How many spacings back a question is searched for: a week and a little more.
const BACK: u64 = 5;

/// The key of a question of one agent.
pub(crate) struct QuestionKey {
    digest: [u8; 32],
}

impl QuestionKey {
    /// Of an agent that does not encrypt: others can derive the same ids.
    pub(crate) fn open(agent: Uuid, session: Option<Uuid>, key: &str) -> Self {
        Self { digest: Sha256::digest(input(agent, session, key)).into() }
    }

    /// Of an agent that encrypts: only the holder of its keys can derive the ids, so that no one else can open the
    /// session first.
    pub(crate) fn secret(keys: &SecretKeys, agent: Uuid, session: Option<Uuid>, key: &str) -> Self {
        Self { digest: keys.derive(&input(agent, session, key)) }
    }

    /// The `Idempotency-Key` of the request that asks.
    pub(crate) fn idempotency_key(&self) -> String {
        format!("question-{}", self.mark())
    }

    /// What marks the question among others.
    pub(crate) fn mark(&self) -> String {
        self.digest[..16].iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The id of a session to open at `now` (milliseconds since 1970).
    pub(crate) fn session(&self, now: i64) -> Uuid {
        self.session_of(nearest(now))
    }

    /// The ids that a session of this key may have at `now`, likeliest first.
    pub(crate) fn sessions(&self, now: i64) -> impl Iterator<Item = Uuid> {
        let nearest = nearest(now);
        // The next one: of a process whose clock is ahead.
        let others = (1..=BACK).map(move |back| nearest.saturating_sub(back));
        std::iter::once(nearest).chain([nearest + 1]).chain(others).map(|slot| self.session_of(slot))
    }

    fn session_of(&self, slot: u64) -> Uuid {
        let mut random = [0; 10];
        random.copy_from_slice(&self.digest[16..26]);
        uuid::Builder::from_unix_timestamp_millis(slot * SPACING, &random).into_uuid()
    }
}

fn input(agent: Uuid, session: Option<Uuid>, key: &str) -> Vec<u8> {
    let mut input = b"hiloop-sdk question\0".to_vec();
    input.extend(agent.as_bytes());
    input.extend(session.unwrap_or_default().as_bytes());
    input.extend(key.as_bytes());
    input
}

/// The number of the multiple of [`SPACING`] that is nearest to `now`.
fn nearest(now: i64) -> u64 {
    (u64::try_from(now).unwrap_or_default() + SPACING / 2) / SPACING
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 60 * 60 * 1000;
    const NOW: i64 = 1_774_432_200_000;

    fn key(agent: u128, session: Option<u128>, key: &str) -> QuestionKey {
        QuestionKey::open(Uuid::from_u128(agent), session.map(Uuid::from_u128), key)
    }

    #[test]
    fn the_same_key_gives_the_same_ids() {
        let (one, two) = (key(1, None, "deploy"), key(1, None, "deploy"));
        assert_eq!(one.session(NOW), two.session(NOW));
        assert_eq!(one.idempotency_key(), two.idempotency_key());
    }

    #[test]
    fn another_agent_session_or_key_gives_others() {
        let ids: std::collections::HashSet<String> =
            [key(1, None, "a"), key(2, None, "a"), key(1, Some(1), "a"), key(1, None, "b")]
                .iter()
                .map(QuestionKey::mark)
                .collect();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn ids_of_an_agent_that_encrypts_follow_from_its_keys() {
        let (agent, one, two) = (Uuid::from_u128(1), SecretKeys::generate(), SecretKeys::generate());
        let mark = |keys: &SecretKeys| QuestionKey::secret(keys, agent, None, "deploy").mark();
        assert_eq!(mark(&one), mark(&one.clone()));
        assert_ne!(mark(&one), mark(&two));
        assert_ne!(mark(&one), key(1, None, "deploy").mark());
    }

    #[test]
    fn the_derivation_is_that_of_the_other_languages() {
        // HMAC-SHA256 under 32 zero bytes, of the words, the agent 0…01, no session, and "deploy-4.2".
        let keys = SecretKeys::from_text(&"A".repeat(86)).expect("64 zero bytes");
        let key = QuestionKey::secret(&keys, Uuid::from_u128(1), None, "deploy-4.2");
        assert_eq!(key.mark(), "7ce761863692f82a95660478206109b1");
    }

    #[test]
    fn ids_of_sessions_are_of_version_7_and_within_a_day() {
        let key = key(1, None, "deploy");
        for hours in 0..100 {
            let now = NOW + hours * HOUR;
            let id = key.session(now);
            assert_eq!(id.get_version_num(), 7);
            let time = i64::try_from(id.as_u128() >> 80).expect("milliseconds");
            assert!((time - now).abs() <= 18 * HOUR, "{hours}");
        }
    }

    #[test]
    fn a_session_is_found_for_a_week() {
        let key = key(1, None, "deploy");
        let opened = key.session(NOW);
        for hours in -12..=7 * 24 {
            assert!(key.sessions(NOW + hours * HOUR).any(|id| id == opened), "{hours}");
        }
    }
}
