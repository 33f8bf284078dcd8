//! The announcements of a change.

use handlers::Effect;

use crate::domain::{Account, Announcement};

/// Announces what is visible of the change from `before` to `after`.
pub(crate) fn announce(effect: Effect, before: &Account, after: &Account) -> Effect {
    after.announcements_since(before).iter().fold(effect, |effect, announcement| match announcement {
        Announcement::Changed(event) => effect.announce(event),
        Announcement::Ascended(event) => effect.announce(event),
        Announcement::Descended(event) => effect.announce(event),
    })
}
