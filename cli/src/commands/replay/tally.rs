//! What became of the events of a period.

use std::collections::BTreeMap;

use serde_json::json;

use super::args::ReplayArgs;
use super::publish::Ended;
use crate::failure::Failure;
use crate::stdio::{print, remark};

/// Counts of events.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By type.
    replayed: BTreeMap<String, u64>,
    erased: u64,
    repeated: u64,
    other_sources: u64,
    unreadable: u64,
}

impl Tally {
    pub(super) fn add(&mut self, ended: Ended) {
        match ended {
            Ended::Replayed(event_type) => *self.replayed.entry(event_type).or_default() += 1,
            Ended::Erased => self.erased += 1,
            Ended::Unreadable => self.unreadable += 1,
        }
    }

    /// Counts an event that another service announced.
    pub(super) fn other_source(&mut self) {
        self.other_sources += 1;
    }

    /// Counts a line of an event that was counted before.
    pub(super) fn repeated(&mut self) {
        self.repeated += 1;
    }

    /// Prints it.
    pub(super) fn print(&self, args: &ReplayArgs) -> anyhow::Result<()> {
        if args.json {
            let counts = json!({
                "from": args.from, "to": args.to, "dry_run": args.dry_run, "silent": args.force,
                "replayed": self.replayed,
                "skipped": {
                    "erased": self.erased, "repeated": self.repeated, "other_sources": self.other_sources,
                    "unreadable": self.unreadable,
                },
            });
            return Ok(print(&counts.to_string())?);
        }
        let state = if args.dry_run { "to replay" } else { "replayed" };
        for (event_type, number) in &self.replayed {
            print(&format!("{event_type}  {number} {state}"))?;
        }
        let skipped = [
            (self.erased, "of erased customers"),
            (self.repeated, "stored more than once"),
            (self.other_sources, "of other sources"),
            (self.unreadable, "that cannot be decrypted"),
        ];
        let skipped: Vec<_> = skipped
            .into_iter()
            .filter(|(number, _)| *number > 0)
            .map(|(number, what)| format!("{number} {what}"))
            .collect();
        if !skipped.is_empty() {
            remark(&format!("skipped: {}", skipped.join(", ")));
        }
        Ok(())
    }

    /// Returns whether the replay succeeded.
    ///
    /// # Errors
    /// When there was nothing to replay, or an event could not be decrypted.
    pub(super) fn result(&self) -> anyhow::Result<()> {
        match (self.unreadable, self.replayed.is_empty()) {
            (0, false) => Ok(()),
            (0, true) => Err(Failure::refused("nothing to replay").into()),
            (unreadable, _) => {
                Err(Failure::refused(format!("{unreadable} events cannot be decrypted")).into())
            }
        }
    }
}
