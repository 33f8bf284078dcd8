//! What a check has found.

use serde::Serialize;

use super::assumptions::{self, Assumption};
use crate::failure::Failure;

/// What is to be said of an assumption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// It was seen to be so.
    Holds,
    /// It was seen to be otherwise.
    DoesNotHold,
    /// Nothing was seen that would tell.
    CouldNotBeTold,
}

impl Verdict {
    /// As people read it.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Holds => "holds",
            Self::DoesNotHold => "does not hold",
            Self::CouldNotBeTold => "could not be told",
        }
    }

    /// [`Self::Holds`] if so, else [`Self::DoesNotHold`].
    pub(super) fn of(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::DoesNotHold }
    }
}

/// What was seen, and what follows from it for one assumption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    /// Name of the assumption.
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    /// What was seen, or why nothing was.
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

    pub(super) fn could_not_be_told(name: &'static str, why: impl Into<String>) -> Self {
        Self::new(name, Verdict::CouldNotBeTold, why)
    }

    /// A check's finding, in which an error means that nothing could be told.
    pub(super) fn from_result(name: &'static str, result: anyhow::Result<Self>) -> Self {
        result.unwrap_or_else(|error| Self::could_not_be_told(name, format!("{error:#}")))
    }

    /// The assumption it is about.
    pub(super) fn assumption(&self) -> Option<&'static Assumption> {
        assumptions::ALL.iter().find(|assumption| assumption.name == self.name)
    }
}

/// Success if all hold. Else exit code 1 if one was seen not to hold, and 69 if some could not be told.
pub(super) fn conclude(findings: &[Finding]) -> Result<(), Failure> {
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    let (otherwise, untold) = (count(Verdict::DoesNotHold), count(Verdict::CouldNotBeTold));
    let all = findings.len();
    match (otherwise, untold) {
        (0, 0) => Ok(()),
        (0, _) => Err(Failure::unavailable(format!("{untold} of {all} assumptions could not be told"))),
        (_, 0) => Err(Failure::refused(format!("{otherwise} of {all} assumptions do not hold"))),
        _ => Err(Failure::refused(format!(
            "{otherwise} of {all} assumptions do not hold, {untold} could not be told"
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
    fn the_exit_code_tells_what_was_seen() {
        use Verdict::{CouldNotBeTold, DoesNotHold, Holds};
        assert_eq!(code(&[Holds, Holds]), None);
        assert_eq!(code(&[Holds, CouldNotBeTold]), Some(UNAVAILABLE));
        assert_eq!(code(&[Holds, DoesNotHold]), Some(REFUSED));
        assert_eq!(code(&[CouldNotBeTold, DoesNotHold]), Some(REFUSED));
    }

    #[test]
    fn an_error_is_a_reason() {
        let error = anyhow::anyhow!("inner").context("outer");
        let finding = Finding::from_result(assumptions::BUS_ROOT, Err(error));
        assert_eq!(finding, Finding::could_not_be_told(assumptions::BUS_ROOT, "outer: inner"));
    }
}
