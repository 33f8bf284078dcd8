//! The stack of a service's data in a disposable form.

use serde_json::{Value, json};
use topology::Resources;

use super::{context, document, forget};
use crate::{RenderError, state};

/// Logical ids of the resource that must fail, and of what it waits for.
const FAILS: &str = "Fails";
const SIGNAL: &str = "NeverSent";

/// Renders the stack of a service's data as a template in JSON.
///
/// With `fails`, everything in it is retained as in production, and one more resource, which comes last, fails: it waits
/// one second for a signal that nobody sends. Otherwise everything is deleted with the stack. Either needs the stack of
/// [`Scratch::WithKey`](super::Scratch::WithKey) with the same environment.
///
/// # Errors
/// [`RenderError`] when the service is not declared, or its declarations are incomplete.
pub fn scratch_data(resources: &Resources, service: &str, fails: bool) -> Result<String, RenderError> {
    let context = context(resources)?;
    let declared = resources.services.iter().find(|one| one.service == service);
    let declared = declared.ok_or_else(|| RenderError::Undeclared(service.to_owned()))?;
    let mut template = state::template(&context, declared)?;
    if fails {
        let all: Value = template.resources.iter().map(|(id, _)| id.as_str()).collect();
        template.resource(SIGNAL, "AWS::CloudFormation::WaitConditionHandle", json!({}));
        let wait = json!({"Handle": {"Ref": SIGNAL}, "Timeout": "1"});
        template.resource(FAILS, "AWS::CloudFormation::WaitCondition", wait);
        template.with("DependsOn", all);
    } else {
        template.resources.iter_mut().for_each(|(_, resource)| forget(resource));
    }
    Ok(document(&template))
}
