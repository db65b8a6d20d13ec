//! A map that forgets what was used least recently, so that a hub can't fill the memory of a client.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most so many entries.
pub(crate) struct Bounded<K, V> {
    most: usize,
    clock: u64,
    entries: HashMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
}

impl<K: Clone + Eq + Hash, V> Bounded<K, V> {
    pub(crate) fn new(most: usize) -> Self {
        Self { most, clock: 0, entries: HashMap::new(), by_use: BTreeMap::new() }
    }

    /// The value of a key, which counts as used now.
    pub(crate) fn get(&mut self, key: &K) -> Option<&mut V> {
        self.clock += 1;
        let (used, value) = self.entries.get_mut(key)?;
        if let Some(key) = self.by_use.remove(used) {
            self.by_use.insert(self.clock, key);
        }
        *used = self.clock;
        Some(value)
    }

    /// The value of a key, without a use of it.
    pub(crate) fn peek(&self, key: &K) -> Option<&V> {
        self.entries.get(key).map(|(_, value)| value)
    }

    /// The value of a key, made where there is none.
    pub(crate) fn get_or_insert_with(&mut self, key: &K, make: impl FnOnce() -> V) -> &mut V {
        if !self.entries.contains_key(key) {
            if self.entries.len() >= self.most
                && let Some((_, oldest)) = self.by_use.pop_first()
            {
                self.entries.remove(&oldest);
            }
            self.by_use.insert(self.clock + 1, key.clone());
            self.entries.insert(key.clone(), (self.clock + 1, make()));
        }
        self.get(key).expect("it was inserted")
    }

    pub(crate) fn insert(&mut self, key: &K, value: V) {
        match self.get(key) {
            Some(before) => *before = value,
            None => {
                self.get_or_insert_with(key, || value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_entry_goes() {
        let mut map = Bounded::new(2);
        map.insert(&"a", 1);
        map.insert(&"b", 2);
        assert_eq!(map.get(&"a"), Some(&mut 1));
        map.insert(&"c", 3);
        assert_eq!((map.peek(&"a"), map.peek(&"b"), map.peek(&"c")), (Some(&1), None, Some(&3)));
        map.insert(&"a", 4);
        assert_eq!(*map.get_or_insert_with(&"a", || 5), 4);
        assert_eq!((map.entries.len(), map.by_use.len()), (2, 2));
        for number in 0..100 {
            map.get_or_insert_with(&["d", "e", "f"][number % 3], || 0);
        }
        assert_eq!((map.entries.len(), map.by_use.len()), (2, 2));
    }
}
