//! Which value each parameter of a stack gets.
//!
//! A value that differs from the default of the deployed template was set by somebody, and is kept. A value that equals it
//! was not, so the stack follows the default when a template changes it. `aws cloudformation deploy` keeps both.

use std::collections::BTreeMap;

/// A parameter that a template declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Declared {
    pub(crate) name: String,
    pub(crate) default: Option<String>,
    /// CloudFormation does not report its value.
    pub(crate) no_echo: bool,
}

/// The parameters of the stack as it is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Deployed {
    pub(crate) values: BTreeMap<String, String>,
    pub(crate) declared: Vec<Declared>,
}

/// Where the value of a parameter comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The value is given now.
    Given(String),
    /// The value was given before.
    Kept(String),
    /// The template's default applies.
    Default(String),
}

impl Choice {
    pub(crate) fn value(&self) -> &str {
        match self {
            Self::Given(value) | Self::Kept(value) | Self::Default(value) => value,
        }
    }
}

/// The values of all parameters of a template.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Choices {
    pub(crate) chosen: BTreeMap<String, Choice>,
    /// Parameters without a value.
    pub(crate) missing: Vec<String>,
}

impl Choices {
    /// Chooses for a template, with the values given now, and for a stack that exists.
    pub(crate) fn of(
        declared: &[Declared],
        given: &BTreeMap<String, String>,
        deployed: Option<&Deployed>,
    ) -> Self {
        let mut choices = Self::default();
        for parameter in declared {
            let name = &parameter.name;
            match choose(parameter, given.get(name), deployed) {
                Some(choice) => drop(choices.chosen.insert(name.clone(), choice)),
                None => choices.missing.push(name.clone()),
            }
        }
        choices
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.chosen.get(name).map(Choice::value)
    }

    /// Describes each parameter whose value follows a changed default.
    pub(crate) fn followed(&self, deployed: Option<&Deployed>) -> Vec<String> {
        let Some(deployed) = deployed else { return Vec::new() };
        let changed = self.chosen.iter().filter_map(|(name, choice)| {
            let Choice::Default(new) = choice else { return None };
            let old = deployed.values.get(name).filter(|old| *old != new)?;
            Some(format!("parameter {name} follows the template's default: {old:?} becomes {new:?}"))
        });
        changed.collect()
    }
}

fn choose(parameter: &Declared, given: Option<&String>, deployed: Option<&Deployed>) -> Option<Choice> {
    if let Some(value) = given {
        return Some(Choice::Given(value.clone()));
    }
    let default = parameter.default.clone().map(Choice::Default);
    let Some(deployed) = deployed else { return default };
    let Some(value) = deployed.values.get(&parameter.name) else { return default };
    let kept = Choice::Kept(value.clone());
    if parameter.no_echo {
        return Some(kept);
    }
    let before = deployed.declared.iter().find(|declared| declared.name == parameter.name);
    let was_default = before.is_some_and(|before| before.default.as_ref() == Some(value));
    if was_default { Some(default.unwrap_or(kept)) } else { Some(kept) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(name: &str, default: Option<&str>) -> Declared {
        Declared { name: name.to_owned(), default: default.map(str::to_owned), no_echo: false }
    }

    fn values(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_new_stack_takes_what_is_given_and_the_defaults() {
        let template = [declared("Tag", None), declared("Days", Some("30")), declared("Sender", None)];
        let choices = Choices::of(&template, &values(&[("Tag", "a1")]), None);
        assert_eq!(choices.chosen["Tag"], Choice::Given("a1".to_owned()));
        assert_eq!(choices.chosen["Days"], Choice::Default("30".to_owned()));
        assert_eq!(choices.missing, ["Sender"]);
    }

    #[test]
    fn a_changed_default_arrives_and_what_somebody_set_is_kept() {
        let deployed = Deployed {
            values: values(&[("Days", "30"), ("Tasks", "4"), ("Tag", "a1"), ("Gone", "x")]),
            declared: vec![
                declared("Days", Some("30")),
                declared("Tasks", Some("2")),
                declared("Tag", None),
                declared("Gone", Some("y")),
            ],
        };
        let template = [
            declared("Days", Some("60")),
            declared("Tasks", Some("3")),
            declared("Tag", None),
            declared("New", Some("n")),
        ];
        let choices = Choices::of(&template, &BTreeMap::new(), Some(&deployed));
        assert_eq!(choices.chosen["Days"], Choice::Default("60".to_owned()));
        assert_eq!(choices.chosen["Tasks"], Choice::Kept("4".to_owned()));
        assert_eq!(choices.chosen["Tag"], Choice::Kept("a1".to_owned()));
        assert_eq!(choices.chosen["New"], Choice::Default("n".to_owned()));
        assert!(choices.missing.is_empty() && !choices.chosen.contains_key("Gone"));
        let followed = choices.followed(Some(&deployed));
        assert_eq!(followed, [r#"parameter Days follows the template's default: "30" becomes "60""#]);
        let given = Choices::of(&template, &values(&[("Days", "7")]), Some(&deployed));
        assert_eq!(given.value("Days"), Some("7"));
    }

    #[test]
    fn a_lost_default_leaves_the_value_and_a_hidden_one_is_never_compared() {
        let hidden = Declared { no_echo: true, ..declared("Key", Some("****")) };
        let deployed = Deployed {
            values: values(&[("Days", "30"), ("Key", "****")]),
            declared: vec![declared("Days", Some("30")), hidden.clone()],
        };
        let choices = Choices::of(&[declared("Days", None), hidden], &BTreeMap::new(), Some(&deployed));
        assert_eq!(choices.chosen["Days"], Choice::Kept("30".to_owned()));
        assert_eq!(choices.chosen["Key"], Choice::Kept("****".to_owned()));
    }
}
