//! A dead-letter queue, as its name describes it.

/// Who puts messages on a dead-letter queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The service's consumer, or SQS after too many receives.
    DeadLetter,
    /// EventBridge or SNS, which could not deliver to the service's queue.
    Undelivered,
    /// A Pipe that could not put an outbox item on the bus.
    Outbox,
}

/// A dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DeadLetterQueue {
    pub(super) kind: Kind,
    /// Its name without application and environment.
    pub(super) name: String,
    /// Its name without what every queue of its kind ends with: a service's, or a table's.
    pub(super) owner: String,
    pub(super) url: String,
}

impl DeadLetterQueue {
    /// Returns `None` for a queue that is not one of dead letters.
    pub(super) fn new(name: &str, url: &str) -> Option<Self> {
        // The longest first: every name of the first kind ends like one of the second.
        let kinds = [
            ("-outbox-dead-letter", Kind::Outbox),
            ("-dead-letter", Kind::DeadLetter),
            ("-undelivered", Kind::Undelivered),
        ];
        kinds.into_iter().find_map(|(end, kind)| {
            let owner = name.strip_suffix(end)?.to_owned();
            Some(Self { kind, name: name.to_owned(), owner, url: url.to_owned() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_tells_what_leads_to_a_queue_and_whose_it_is() {
        let of =
            |name: &str| DeadLetterQueue::new(name, "http://queue").map(|queue| (queue.kind, queue.owner));
        assert_eq!(of("email-dead-letter"), Some((Kind::DeadLetter, "email".to_owned())));
        assert_eq!(of("email-undelivered"), Some((Kind::Undelivered, "email".to_owned())));
        assert_eq!(of("members-outbox-dead-letter"), Some((Kind::Outbox, "members".to_owned())));
        assert_eq!(of("email"), None);
    }
}
