//! `ContactPreferencesChanged` sets address, channels and language, independently of each other.

use contracts::{ContactPreferencesChanged, CustomerNumber, MemberPreferencesChanged};

use super::{Announcement, Change, Member, UpdatesMember, Version, advance};

/// Sets each field that it contains, unless something later is known.
impl UpdatesMember for ContactPreferencesChanged {
    fn customer_number(&self) -> &CustomerNumber {
        &self.customer_number
    }

    fn apply(self, member: Member, version: Version) -> Change {
        member.update(
            version,
            |profile| {
                let advanced = [
                    self.email.is_some_and(|email| advance(&mut profile.email, email, version)),
                    self.channels.is_some_and(|channels| advance(&mut profile.channels, channels, version)),
                    self.locale.is_some_and(|locale| advance(&mut profile.locale, locale, version)),
                ];
                advanced.contains(&true)
            },
            |customer_number, update| {
                Announcement::PreferencesChanged(MemberPreferencesChanged {
                    customer_number,
                    contact: update.after.clone(),
                    enrolled_at: Some(update.enrolled_at()),
                    previous_email: update.previous_email(),
                })
            },
        )
    }
}
