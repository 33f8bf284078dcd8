//! The result of a check.

use serde::Serialize;

use super::assumptions::{self, Assumption};
use crate::failure::Failure;

/// The verdict on an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// The assumption was observed to hold.
    Holds,
    /// The assumption was observed not to hold.
    DoesNotHold,
    /// The check could not decide.
    Inconclusive,
}

impl Verdict {
    /// Returns the verdict for people.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::Inconclusive => "inconclusive",
        }
    }

    /// Returns [`Self::Holds`] or [`Self::DoesNotHold`].
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::DoesNotHold }
    }
}

/// An observation and the verdict on one assumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// The name of the assumption.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// The observation, or the reason why there is none.
    pub(super) seen: String,
}

impl Finding {
    pub(super) fn new(name: &'static str, verdict: Verdict, seen: impl Into<String>) -> Self {
        Self { name, verdict, seen: seen.into() }
    }

    pub(super) fn holds(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Verdict::Holds, seen)
    }

    pub(super) fn does_not_hold(name: &'static str, seen: impl Into<String>) -> Self {
        Self::new(name, Verdict::DoesNotHold, seen)
    }

    pub(super) fn inconclusive(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::Inconclusive, why)
    }

    /// Converts the result of a check; an error is inconclusive.
    pub(super) fn from_result(name: &'static str, result: anyhow::Result<Self>) -> Self {
        result.unwrap_or_else(|error| Self::inconclusive(name, format!("{error:#}")))
    }

    /// Returns the assumption that the finding concerns.
    pub(super) fn assumption(&self) -> Option<&'static Assumption> {
        assumptions::of_run(true).find(|assumption| assumption.name == self.name)
    }
}

/// Succeeds if all assumptions hold. Otherwise the exit code is 1 if one does not hold, and 69 if some are inconclusive.
pub(super) fn conclude(findings: &[Finding]) -> Result<(), Failure> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (otherwise, undecided) = (count(Verdict::DoesNotHold), count(Verdict::Inconclusive));
    let all = findings.len();
    match (otherwise, undecided) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::unavailable(format!("{undecided} of {all} assumptions are inconclusive"))),
        (_, 0) => Err(Failure::refused(format!("{otherwise} of {all} assumptions do not hold"))),
        _ => Err(Failure::refused(format!(
            "{otherwise} of {all} assumptions do not hold, {undecided} are inconclusive"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{REFUSED, UNAVAILABLE, code_of};

    fn code(verdicts: &[Verdict]) -> Option<u8> {
        let findings: Vec<_> =
            verdicts.iter().map(|verdict| Finding::new(assumptions::BUS_ROOT, *verdict, "")).collect();
        conclude(&findings).err().map(|failure| code_of(&failure.into()))
    }

    #[test]
    fn the_exit_code_depends_on_the_verdicts() {
        use Verdict::{DoesNotHold, Holds, Inconclusive};
        assert_eq!(code(&[Holds, Holds]), None);
        assert_eq!(code(&[Holds, Inconclusive]), Some(UNAVAILABLE));
        assert_eq!(code(&[Holds, DoesNotHold]), Some(REFUSED));
        assert_eq!(code(&[Inconclusive, DoesNotHold]), Some(REFUSED));
    }

    #[test]
    fn an_error_is_a_reason() {
        let error = anyhow::anyhow!("inner").context("outer");
        let finding = Finding::from_result(assumptions::BUS_ROOT, Err(error));
        assert_eq!(finding, Finding::inconclusive(assumptions::BUS_ROOT, "outer: inner"));
    }
}
