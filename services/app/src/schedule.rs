//! When a push is repeated.

use std::time::Duration;

use rand::{Rng, RngExt as _};

const fn minutes(minutes: u64) -> Duration {
    Duration::from_secs(minutes * 60)
}

const fn hours(hours: u64) -> Duration {
    minutes(hours * 60)
}

/// The pauses between attempts, as
/// [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md#deliverability-and-reliability)
/// has them: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h. SQS hides a message for 12 hours at most, so the last
/// three are split, with an attempt at each split.
const PAUSES: [Duration; 13] = [
    Duration::from_secs(5),
    minutes(5),
    minutes(30),
    hours(2),
    hours(5),
    hours(10),
    hours(7),
    hours(7),
    hours(10),
    hours(10),
    hours(8),
    hours(8),
    hours(8),
];

/// The age after which a message is not tried again. The last attempt is due after 75 h 35 min.
pub(crate) const LAST_ATTEMPT_AFTER: Duration = hours(75);

/// A pause grows by up to a tenth, so that messages that failed together are not repeated together.
const JITTER: f64 = 0.1;

/// Returns the pause after an attempt that began `elapsed` after the first one.
///
/// The place in the schedule follows from the time, and not from a count: a message is also received again when its
/// process was killed or released it.
pub(crate) fn pause(elapsed: Duration, rng: &mut impl Rng) -> Duration {
    let mut due = Duration::ZERO;
    for pause in PAUSES {
        due += pause;
        // The clocks of SQS and of this host may differ, so an attempt slightly before its time counts as that one.
        if elapsed + pause / 10 < due {
            return due.saturating_sub(elapsed).min(pause).mul_f64(1.0 + rng.random_range(0.0..JITTER));
        }
    }
    PAUSES[PAUSES.len() - 1]
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand::rngs::StdRng;

    use super::*;

    /// Returns when the attempts are made, each of which takes `takes`.
    fn attempts(takes: Duration, rng: &mut StdRng) -> Vec<Duration> {
        let (mut attempts, mut now) = (Vec::new(), Duration::ZERO);
        while now <= LAST_ATTEMPT_AFTER {
            attempts.push(now);
            now += takes + pause(now, rng);
        }
        attempts.push(now);
        attempts
    }

    #[test]
    fn attempts_are_those_of_the_specification_and_those_that_split_its_longest_pauses() {
        for seed in 0..100 {
            let mut rng = StdRng::seed_from_u64(seed);
            let attempts = attempts(Duration::from_secs(1), &mut rng);
            assert_eq!(attempts.len(), PAUSES.len() + 1, "{attempts:?}");
            let specified = [0, 5, 305, 2_105, 9_305, 27_305, 63_305, 113_705, 185_705, 272_105];
            for seconds in specified {
                let due = Duration::from_secs(seconds);
                let near = |attempt: &&Duration| **attempt >= due && **attempt < due + due / 8 + minutes(1);
                assert!(attempts.iter().any(|attempt| near(&attempt)), "{due:?}: {attempts:?}");
            }
            for pair in attempts.windows(2) {
                assert!(
                    pair[1].saturating_sub(pair[0]) < hours(11) + minutes(1),
                    "more than SQS allows: {pair:?}"
                );
            }
        }
    }

    #[test]
    fn an_attempt_that_takes_long_or_comes_early_or_late_keeps_to_the_schedule() {
        let mut rng = StdRng::seed_from_u64(7);
        let mut after = |seconds: u64| pause(Duration::from_secs(seconds), &mut rng).as_secs();
        assert_eq!(after(0), 5);
        assert!((276..=330).contains(&after(20)), "after a timeout of 15 s");
        assert!((1_800..=1_980).contains(&after(300)), "five seconds early");
        assert!((1_700..=1_980).contains(&after(310)));
        assert!(after(400_000) > 0);
    }

    #[test]
    fn the_last_attempt_is_the_one_at_which_a_message_is_given_up() {
        let last: Duration = PAUSES.iter().sum();
        let before: Duration = PAUSES[..PAUSES.len() - 1].iter().sum();
        assert!(last > LAST_ATTEMPT_AFTER && before.mul_f64(1.0 + JITTER) < LAST_ATTEMPT_AFTER);
    }
}
