//! The account of a scenario: what is lost, what is wrong, and what happened twice.

use jiff::{SignedDuration, Timestamp};

use super::facts::Accepted;

/// How long before the end of a process a provider may have accepted a call that the process had not recorded yet.
const BEFORE_RECORD: SignedDuration = SignedDuration::from_secs(5);

/// A time in which a service may have been unable to record what a provider had accepted: from the moment that its process
/// was killed or stopped to the moment that it went on.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) service: String,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

/// A mail or push that its provider accepted twice.
#[derive(Clone, Debug)]
pub(super) struct Doubled {
    /// The service that sent it.
    pub(super) service: &'static str,
    pub(super) what: String,
    pub(super) first: Accepted,
    pub(super) second: Accepted,
}

impl Doubled {
    /// Whether the first one was accepted just before the service was killed or stopped, and the other one after that.
    fn is_within(&self, window: &Window) -> bool {
        let recorded_by = self.first.at.saturating_add(BEFORE_RECORD).unwrap_or(Timestamp::MAX);
        self.service == window.service
            && recorded_by >= window.from
            && self.first.at <= window.to
            && self.second.at >= window.from
    }
}

/// What the books find.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// What must have happened and has not.
    pub(super) lost: Vec<String>,
    /// What is not as it must be.
    pub(super) wrong: Vec<String>,
    pub(super) doubled: Vec<Doubled>,
}

impl Account {
    /// Records that something is lost, unless it `happened`.
    pub(super) fn expect(&mut self, happened: bool, what: impl FnOnce() -> String) {
        if !happened {
            self.lost.push(what());
        }
    }

    /// Records that something is wrong, unless it is `right`.
    pub(super) fn check(&mut self, right: bool, what: impl FnOnce() -> String) {
        if !right {
            self.wrong.push(what());
        }
    }

    /// Records that `count` of something is lost or too much, unless it is one.
    pub(super) fn expect_one(&mut self, count: usize, what: impl Fn() -> String) {
        self.expect(count > 0, &what);
        self.check(count < 2, || format!("{} {count} times", what()));
    }

    /// Whether nothing is missing.
    pub(super) fn is_settled(&self) -> bool {
        self.lost.is_empty() && self.wrong.is_empty()
    }

    /// Returns what happened twice although no answer was lost: neither in a window, nor among the `lost_answers` of the
    /// mail provider, which does not say which mails they belong to.
    pub(super) fn unexplained(&self, windows: &[Window], lost_answers: u64) -> Vec<&Doubled> {
        let mut answers = lost_answers;
        let mut unexplained = Vec::new();
        for doubled in &self.doubled {
            if doubled.first.answer_lost || windows.iter().any(|window| doubled.is_within(window)) {
                continue;
            }
            if doubled.service == email::NAME && answers > 0 {
                answers -= 1;
                continue;
            }
            unexplained.push(doubled);
        }
        unexplained
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(second: i64, answer_lost: bool) -> Accepted {
        Accepted {
            customer: String::new(),
            event_id: None,
            to: String::new(),
            at: Timestamp::from_second(second).unwrap(),
            answer_lost,
        }
    }

    fn doubled(service: &'static str, first: i64, second: i64) -> Account {
        let (first, second) = (accepted(first, false), accepted(second, false));
        let doubled = Doubled { service, what: String::new(), first, second };
        Account { doubled: vec![doubled], ..Account::default() }
    }

    #[test]
    fn a_second_mail_is_explained_by_a_kill_between_the_first_and_its_record() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let window = |service: &str| [Window { service: service.to_owned(), from: at(100), to: at(101) }];
        let unexplained = |account: Account, windows: &[Window]| account.unexplained(windows, 0).len();
        assert_eq!(unexplained(doubled("email", 99, 130), &window("email")), 0);
        assert_eq!(unexplained(doubled("email", 99, 130), &window("notifier")), 1);
        assert_eq!(unexplained(doubled("email", 90, 130), &window("email")), 1, "long recorded");
        assert_eq!(unexplained(doubled("email", 98, 99), &window("email")), 1, "before the kill");
        assert_eq!(unexplained(doubled("email", 102, 130), &window("email")), 1, "after the kill");
    }

    #[test]
    fn a_lost_answer_explains_one_mail_and_a_push_names_its_own() {
        assert!(doubled("email", 1, 2).unexplained(&[], 1).is_empty());
        assert_eq!(doubled("app", 1, 2).unexplained(&[], 1).len(), 1);
        let mut account = doubled("app", 1, 2);
        account.doubled[0].first.answer_lost = true;
        assert!(account.unexplained(&[], 0).is_empty());
    }
}
