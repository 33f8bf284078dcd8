//! Every series, within bounds.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::limits::{MAX_SERIES, MAX_TEXT};
use crate::read::SeriesId;
use crate::refusal::Refusal;
use crate::series::{Held, Point};
use crate::source::{Source, SourceId};

/// All that is kept.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) sources: HashMap<Arc<SourceId>, Source>,
    pub(crate) series: HashMap<(Arc<SourceId>, SeriesId), Held>,
    /// Data points that were left out.
    pub(crate) left_out: u64,
    /// The reasons already logged.
    logged: HashSet<Refusal>,
}

impl State {
    /// Notes a request of a source, if it is known. Returns it as it is known, so that its names are kept once.
    pub(crate) fn arrive(&mut self, source: SourceId, now: u64) -> Arc<SourceId> {
        let known = self.sources.get_key_value(&source).map(|(known, _)| Arc::clone(known));
        if let Some(exports) = self.sources.get_mut(&source) {
            exports.arrive(now);
        }
        known.unwrap_or_else(|| Arc::new(source))
    }

    /// Keeps a point.
    ///
    /// # Errors
    /// When there is no room for its series.
    pub(crate) fn put(
        &mut self,
        source: &Arc<SourceId>,
        id: SeriesId,
        point: Point,
        now: u64,
    ) -> Result<(), Refusal> {
        let (time, kind) = (point.time, id.kind);
        let is_full = self.series.len() >= MAX_SERIES;
        let began = match self.series.entry((Arc::clone(source), id)) {
            Entry::Occupied(mut held) => held.get_mut().update(kind, point, now),
            Entry::Vacant(_) if is_full => return Err(Refusal::TooManySeries),
            Entry::Vacant(_) if source.length() > MAX_TEXT => return Err(Refusal::TooLong),
            Entry::Vacant(place) => {
                let previous = self.sources.get(source).and_then(Source::previous);
                place.insert(Held::new(point, now, previous));
                None
            }
        };
        let exports = self.sources.entry(Arc::clone(source)).or_insert_with(|| Source::arrived(now));
        exports.measure(time, began);
        Ok(())
    }

    /// Counts a data point, and logs the first for each reason.
    pub(crate) fn leave_out(&mut self, refusal: Refusal) {
        self.left_out += 1;
        if self.logged.insert(refusal) {
            tracing::warn!(reason = %refusal, "metrics are left out of what `foostore metrics` shows");
        }
    }
}
