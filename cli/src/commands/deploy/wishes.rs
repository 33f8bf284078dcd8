//! What the command line asks for, checked against the stacks that there are.

use std::collections::{BTreeMap, BTreeSet};

use super::parameters::Declared;
use super::stacks::{Part, Stack};
use crate::failure::Failure;

/// The parameter of every template.
const ENVIRONMENT: &str = "Environment";
/// The parameter of the templates of services.
const IMAGE_TAG: &str = "ImageTag";
/// The parameter of the templates with tables.
pub(super) const DELETION_PROTECTION: &str = "DeletionProtection";

#[derive(Debug, Clone)]
pub(super) struct Wishes {
    pub(super) environment: String,
    known: BTreeSet<String>,
    only: BTreeSet<String>,
    image_tag: Option<String>,
    parameters: BTreeMap<String, BTreeMap<String, String>>,
    protect: bool,
}

impl Wishes {
    pub(super) fn new(environment: &str, stacks: &[Stack]) -> Self {
        Self {
            environment: environment.to_owned(),
            known: stacks.iter().map(|stack| stack.part.name()).collect(),
            only: BTreeSet::new(),
            image_tag: None,
            parameters: BTreeMap::new(),
            protect: true,
        }
    }

    /// Deploys only these stacks, or all if there are none.
    ///
    /// # Errors
    /// When there is no such stack.
    pub(super) fn only(mut self, stacks: &[String]) -> Result<Self, Failure> {
        for stack in stacks {
            self.check(stack)?;
            self.only.insert(stack.clone());
        }
        Ok(self)
    }

    pub(super) fn image_tag(mut self, tag: Option<&str>) -> Self {
        self.image_tag = tag.map(str::to_owned);
        self
    }

    /// Sets parameters, each written `STACK:NAME=VALUE`.
    ///
    /// # Errors
    /// When one is written otherwise, or names another stack.
    pub(super) fn parameters(mut self, written: &[String]) -> Result<Self, Failure> {
        for one in written {
            let parts = one.split_once('=').and_then(|(name, value)| Some((name.split_once(':')?, value)));
            let Some(((stack, name), value)) = parts else {
                return Err(Failure::usage(format!("parameter {one:?} is not of the form STACK:NAME=VALUE")));
            };
            self.check(stack)?;
            self.parameters.entry(stack.to_owned()).or_default().insert(name.to_owned(), value.to_owned());
        }
        Ok(self)
    }

    /// Sets whether tables are protected from deletion once their stack exists.
    pub(super) fn protection(mut self, protect: bool) -> Self {
        self.protect = protect;
        self
    }

    fn check(&self, stack: &str) -> Result<(), Failure> {
        if self.known.contains(stack) {
            return Ok(());
        }
        let known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        Err(Failure::usage(format!("there is no stack {stack}: the stacks are {}", known.join(", "))))
    }

    pub(super) fn include(&self, part: &Part) -> bool {
        self.only.is_empty() || self.only.contains(&part.name())
    }

    /// Returns the values for a stack's template, and whether its tables are to be protected after its creation.
    ///
    /// # Errors
    /// When the template does not declare a parameter that was set.
    pub(super) fn given(
        &self,
        part: &Part,
        declared: &[Declared],
        exists: bool,
    ) -> Result<(BTreeMap<String, String>, bool), Failure> {
        let has = |name: &str| declared.iter().any(|parameter| parameter.name == name);
        let mut given = self.parameters.get(&part.name()).cloned().unwrap_or_default();
        if let Some(unknown) = given.keys().find(|name| !has(name)) {
            let known: Vec<&str> = declared.iter().map(|parameter| parameter.name.as_str()).collect();
            let stack = part.name();
            return Err(Failure::usage(format!(
                "stack {stack} has no parameter {unknown}: it has {}",
                known.join(", ")
            )));
        }
        if has(ENVIRONMENT) {
            given.insert(ENVIRONMENT.to_owned(), self.environment.clone());
        }
        if let Some(tag) = self.image_tag.as_ref().filter(|_| has(IMAGE_TAG)) {
            given.entry(IMAGE_TAG.to_owned()).or_insert_with(|| tag.clone());
        }
        if !has(DELETION_PROTECTION) {
            return Ok((given, false));
        }
        let protect = given.get(DELETION_PROTECTION).map_or(self.protect, |value| value == "true");
        // While a stack is created, protection would block the rollback.
        let now = protect && exists;
        if protect || given.contains_key(DELETION_PROTECTION) {
            given.insert(DELETION_PROTECTION.to_owned(), now.to_string());
        }
        Ok((given, protect && !exists))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::deploy::stacks::stacks;

    fn wishes() -> Wishes {
        Wishes::new("prod", &stacks("foostore", "prod", None).unwrap())
    }

    fn declared(names: &[&str]) -> Vec<Declared> {
        let one = |name: &&str| Declared { name: (*name).to_owned(), default: None, no_echo: false };
        names.iter().map(one).collect()
    }

    #[test]
    fn unknown_stacks_and_parameters_are_refused() {
        assert!(wishes().only(&["emial".to_owned()]).unwrap_err().to_string().contains("email-data"));
        assert!(wishes().parameters(&["email:Cpu".to_owned()]).is_err());
        assert!(wishes().parameters(&["Cpu=1".to_owned()]).is_err());
        let set = wishes().parameters(&["email:Cpuu=1".to_owned()]).unwrap();
        let refused = set.given(&Part::Service("email".to_owned()), &declared(&["Cpu"]), false).unwrap_err();
        assert_eq!(refused.to_string(), "stack email has no parameter Cpuu: it has Cpu");
        // A value may contain both separators.
        let set = wishes().parameters(&["ingest:CertificateArn=arn:aws:a=b".to_owned()]).unwrap();
        assert_eq!(set.parameters["ingest"]["CertificateArn"], "arn:aws:a=b");
    }

    #[test]
    fn an_image_tag_is_for_all_services_unless_one_has_another() {
        let set = wishes().image_tag(Some("a1")).parameters(&["email:ImageTag=b2".to_owned()]).unwrap();
        let tag = |part: Part, declared: &[Declared]| {
            set.given(&part, declared, true).unwrap().0.get(IMAGE_TAG).cloned()
        };
        assert_eq!(tag(Part::Service("email".to_owned()), &declared(&[IMAGE_TAG])).as_deref(), Some("b2"));
        assert_eq!(tag(Part::Service("ingest".to_owned()), &declared(&[IMAGE_TAG])).as_deref(), Some("a1"));
        assert_eq!(tag(Part::Foundation, &declared(&["VpcId"])), None);
    }

    #[test]
    fn tables_are_protected_once_their_stack_exists_unless_told_otherwise() {
        let part = Part::Data("email".to_owned());
        let declared = declared(&[DELETION_PROTECTION]);
        let protection = |wishes: Wishes, exists| {
            let (given, later) = wishes.given(&part, &declared, exists).unwrap();
            (given.get(DELETION_PROTECTION).cloned(), later)
        };
        let (yes, no) = (Some("true".to_owned()), Some("false".to_owned()));
        assert_eq!(protection(wishes(), false), (no.clone(), true));
        assert_eq!(protection(wishes(), true), (yes.clone(), false));
        assert_eq!(protection(wishes().protection(false), true), (None, false));
        let off = || wishes().parameters(&["email-data:DeletionProtection=false".to_owned()]).unwrap();
        assert_eq!(protection(off(), true), (no.clone(), false));
        assert_eq!(protection(off(), false), (no, false));
        let on = wishes().protection(false).parameters(&["email-data:DeletionProtection=true".to_owned()]);
        assert_eq!(protection(on.unwrap(), true), (yes, false));
    }
}
