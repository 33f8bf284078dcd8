//! The stack of what a service keeps: queues, tables, Pipes, buckets, keys, secrets, log lines and images.
//!
//! It is separate from the service's, so that it cannot fail for want of an image or a healthy task, and no rollback of a
//! deployment touches what is kept.

use serde_json::json;
use topology::ServiceResources;

use crate::context::Context;
use crate::template::{Template, reference};
use crate::{RenderError, capacity, data, images, logs, messaging, storage};

/// Renders the template of the stack of a service's data.
pub(crate) fn template(context: &Context<'_>, service: &ServiceResources) -> Result<Template, RenderError> {
    let name = &service.service;
    let mut template = Template::new(format!(
        "{} {name}-data: what {name} receives and keeps, its log lines and images. Needs the stack foundation",
        context.application()
    ));
    if !service.tables.is_empty() {
        template.parameter(
            "DeletionProtection",
            json!({
                "Type": "String",
                "AllowedValues": ["true", "false"],
                "Default": "false",
                "Description": "Whether AWS refuses to delete tables. Only once the stack exists: if its creation fails, \
                                a protected table would block the rollback",
            }),
        );
        capacity::add_parameters(&mut template, context, service);
    }
    storage::add_parameters(&mut template, context, service);
    logs::add_parameter(&mut template);
    let key = || context.left_by_other_stack("key-arn");
    logs::add_group(&mut template, context, &format!("services/{name}"), key());
    for pipe in context.pipes(service) {
        let id = data::log_group_id(context, pipe);
        logs::add_pipe_group(&mut template, context, id, context.logical(&pipe.name), key());
    }
    images::add_repository(&mut template, context, name, key());
    messaging::add(&mut template, context, service);
    messaging::add_configuration_set(&mut template, context, service);
    data::add(&mut template, context, service)?;
    capacity::add(&mut template, context, service);
    storage::add(&mut template, context, service)?;
    add_secrets(&mut template, context, service);
    Ok(template)
}

/// Adds the secrets of a service; a value is generated once and can be replaced.
fn add_secrets(template: &mut Template, context: &Context<'_>, service: &ServiceResources) {
    for variable in &service.secrets {
        let logical = Context::secret(&service.service, variable);
        let id = crate::template::logical_id(&variable.to_lowercase().replace('_', "-"));
        // A path: a name that ends in a hyphen and six characters, such as -secret, is taken for a complete ARN where it is
        // the end of a partial one (https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html).
        template.keep(
            &id,
            "AWS::SecretsManager::Secret",
            json!({
                "Name": crate::template::sub(context.path(&logical).trim_start_matches('/')),
                "Description": format!("{variable} of {}", service.service),
                "GenerateSecretString": {"PasswordLength": 64, "ExcludePunctuation": true},
                "KmsKeyId": context.left_by_other_stack("key-arn"),
            }),
        );
        context.leave_for_other_stacks(template, &logical, reference(&id));
    }
}
