//! Data keys in memory: a bounded number, for a short time.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::data_key::DataKey;

/// Keys by their id. The table says which key is a customer's, so a key that was removed there is not asked for again.
#[derive(Debug)]
pub(crate) struct Cache {
    capacity: usize,
    life: Duration,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    keys: HashMap<Uuid, Arc<DataKey>>,
    /// The ids in the order of their ends, since all have the same life. A key that was removed may still be in it.
    ends: VecDeque<(Instant, Uuid)>,
}

impl Cache {
    pub(crate) fn new(capacity: usize, life: Duration) -> Self {
        Self { capacity, life, entries: Mutex::default() }
    }

    pub(crate) fn get(&self, id: Uuid) -> Option<Arc<DataKey>> {
        self.with(|entries| entries.keys.get(&id).cloned())
    }

    /// Keeps a key. The oldest gives way if there are too many.
    pub(crate) fn put(&self, key: &Arc<DataKey>) {
        let end = Instant::now() + self.life;
        self.with(|entries| {
            if entries.keys.insert(key.id(), Arc::clone(key)).is_none() {
                entries.ends.push_back((end, key.id()));
            }
            while entries.ends.len() > self.capacity {
                entries.remove_first();
            }
        });
    }

    pub(crate) fn remove(&self, id: Uuid) {
        self.with(|entries| entries.keys.remove(&id));
    }

    fn with<T>(&self, use_entries: impl FnOnce(&mut Entries) -> T) -> T {
        // Nothing panics while it holds the lock.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        while entries.ends.front().is_some_and(|(end, _)| *end <= now) {
            entries.remove_first();
        }
        use_entries(&mut entries)
    }
}

impl Entries {
    fn remove_first(&mut self) {
        if let Some((_, id)) = self.ends.pop_front() {
            self.keys.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u128) -> Arc<DataKey> {
        Arc::new(DataKey::new(Uuid::from_u128(number), &[0; 32]).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn keys_live_for_a_while_and_the_oldest_gives_way() {
        let cache = Cache::new(2, Duration::from_mins(1));
        cache.put(&key(1));
        tokio::time::advance(Duration::from_secs(30)).await;
        cache.put(&key(2));
        cache.put(&key(2));
        assert!(cache.get(Uuid::from_u128(1)).is_some() && cache.get(Uuid::from_u128(2)).is_some());
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(cache.get(Uuid::from_u128(1)).is_none() && cache.get(Uuid::from_u128(2)).is_some());
        cache.put(&key(3));
        cache.put(&key(4));
        assert!(cache.get(Uuid::from_u128(2)).is_none(), "there is room for two");
        cache.remove(Uuid::from_u128(4));
        assert!(cache.get(Uuid::from_u128(4)).is_none() && cache.get(Uuid::from_u128(3)).is_some());
    }
}
