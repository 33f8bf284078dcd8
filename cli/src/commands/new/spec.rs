//! What the new service is to be, checked.

use crate::failure::Failure;
use crate::layer;

/// Words that cannot be a crate's name although they look like one.
const RESERVED: [&str; 12] =
    ["contracts", "test", "core", "std", "alloc", "self", "super", "crate", "type", "match", "move", "use"];

/// The longest name: the longest resource name it becomes part of still fits DynamoDB, SQS and IAM.
const MAX_NAME: usize = 20;

/// What the new service is to be.
#[derive(Debug)]
pub(super) struct Spec {
    pub(super) name: String,
    pub(super) consumes: Vec<String>,
    pub(super) table: bool,
    pub(super) emits: Vec<String>,
}

impl Spec {
    /// Checks the words of the command line against the services that there are.
    pub(super) fn new(
        name: String,
        consumes: Vec<String>,
        table: bool,
        emits: Vec<String>,
    ) -> Result<Self, Failure> {
        if !is_service_name(&name) {
            return Err(Failure::usage(format!(
                "{name:?} cannot be a service's name: expected up to {MAX_NAME} lower-case letters, digits and hyphens, \
                 a letter first and no word of Rust"
            )));
        }
        if layer::find(&name).is_some() {
            return Err(Failure::usage(format!("there is a service {name} already")));
        }
        let emitted = layer::emitted();
        for event in &consumes {
            if !emitted.contains(&event.as_str()) {
                return Err(Failure::usage(format!(
                    "no service emits {event}; emitted are {}",
                    emitted.join(", ")
                )));
            }
        }
        for event in &emits {
            if emitted.contains(&event.as_str()) {
                return Err(Failure::usage(format!("{event} is emitted already, by another service")));
            }
            if !is_event_name(event) {
                return Err(Failure::usage(format!(
                    "{event:?} cannot be an event's name: expected a word such as PointsEarned"
                )));
            }
        }
        for events in [&consumes, &emits] {
            if let Some(twice) =
                events.iter().enumerate().find(|(index, event)| events[..*index].contains(event))
            {
                return Err(Failure::usage(format!("{} is named twice", twice.1)));
            }
        }
        Ok(Self { name, consumes, table, emits })
    }

    /// The name as Rust code spells it: `email_digest`.
    pub(super) fn module(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The name as an environment variable spells it: `EMAIL_DIGEST`.
    pub(super) fn variable(&self) -> String {
        self.module().to_ascii_uppercase()
    }

    /// The name of the type that handles the events: `EmailDigest`.
    pub(super) fn handler(&self) -> String {
        let parts = self.name.split('-');
        let capitalized = parts.map(|part| part[..1].to_ascii_uppercase() + &part[1..]);
        capitalized.collect()
    }
}

fn is_service_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && !RESERVED.contains(&name)
        && name.split('-').all(|part| {
            part.starts_with(|first: char| first.is_ascii_lowercase())
                && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

fn is_event_name(name: &str) -> bool {
    name.len() <= 64
        && name.starts_with(|first: char| first.is_ascii_uppercase())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && name.bytes().any(|byte| byte.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, consumes: &[&str], emits: &[&str]) -> Result<Spec, String> {
        let owned = |events: &[&str]| events.iter().map(|event| (*event).to_owned()).collect();
        Spec::new(name.to_owned(), owned(consumes), true, owned(emits)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_follow_the_place_they_stand_in() {
        let spec = spec("sun-dial", &["MemberRenamed"], &["ShadowMoved"]).unwrap();
        assert_eq!(
            (spec.module(), spec.variable(), spec.handler()),
            ("sun_dial".into(), "SUN_DIAL".into(), "SunDial".into())
        );
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for name in
            ["", "Sundial", "sun_dial", "-sundial", "sundial-", "1st", "contracts", "type", &"r".repeat(21)]
        {
            assert!(
                spec(name, &["MemberRenamed"], &[]).unwrap_err().contains("cannot be a service's name"),
                "{name}"
            );
        }
        assert_eq!(spec("email", &["MemberRenamed"], &[]).unwrap_err(), "there is a service email already");
        let unknown = spec("sundial", &["ShadowMoved"], &[]).unwrap_err();
        assert!(
            unknown.starts_with("no service emits ShadowMoved; emitted are CustomerEnrolled, "),
            "{unknown}"
        );
        assert!(
            spec("sundial", &["MemberRenamed"], &["MemberErased"]).unwrap_err().contains("emitted already")
        );
        assert!(
            spec("sundial", &["MemberRenamed"], &["shadow"])
                .unwrap_err()
                .contains("cannot be an event's name")
        );
        assert!(
            spec("sundial", &["MemberRenamed", "MemberRenamed"], &[]).unwrap_err().contains("named twice")
        );
    }
}
