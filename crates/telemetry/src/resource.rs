//! The resource that produces telemetry: service, version, environment, and on ECS the task and its container.

use opentelemetry::KeyValue;
use opentelemetry_aws::detector::EcsResourceDetector;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::resource::TelemetryResourceDetector;
use opentelemetry_semantic_conventions::attribute;

use crate::settings::Settings;

/// Builds the resource. On ECS this queries the task metadata endpoint and blocks meanwhile.
pub(crate) fn resource(settings: &Settings) -> Resource {
    let mut resource = Resource::builder_empty().with_detector(Box::new(TelemetryResourceDetector));
    if settings.otel.on_ecs {
        resource = resource.with_detector(Box::new(EcsResourceDetector));
    }
    let mut own = vec![
        KeyValue::new(attribute::SERVICE_NAME, settings.service_name.clone()),
        KeyValue::new(attribute::SERVICE_NAMESPACE, settings.application.clone()),
        KeyValue::new(attribute::SERVICE_VERSION, settings.service_version.clone()),
        KeyValue::new(attribute::DEPLOYMENT_ENVIRONMENT_NAME, settings.environment.clone()),
    ];
    if let Some(revision) = &settings.revision {
        own.push(KeyValue::new(attribute::VCS_REF_HEAD_REVISION, revision.clone()));
    }
    // The operator's settings override built-in values; OTEL_SERVICE_NAME overrides a service.name in the attributes.
    let said = settings
        .otel
        .resource_attributes
        .iter()
        .map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    resource = resource.with_attributes(own).with_attributes(said);
    if let Some(name) = &settings.otel.service_name {
        resource = resource.with_service_name(name.clone());
    }
    resource.build()
}

#[cfg(test)]
mod tests {
    use opentelemetry::{Key, Value};

    use super::*;
    use crate::hop::HopLines;
    use crate::{LogFormat, OtelSettings};

    fn value(resource: &Resource, key: &'static str) -> Option<String> {
        resource.get(&Key::from_static_str(key)).map(|value: Value| value.to_string())
    }

    #[test]
    fn it_names_the_service_its_version_and_where_it_runs() {
        let mut settings = Settings {
            application: "foostore".into(),
            environment: "prod".into(),
            service_name: "membership".into(),
            service_version: "1.2.3".into(),
            revision: Some("4f2a".into()),
            logs: LogFormat::Json,
            hop_lines: HopLines::All,
            log_filter: "info".into(),
            otel: OtelSettings::default(),
        };
        let built_in = resource(&settings);
        assert_eq!(value(&built_in, attribute::SERVICE_NAME).as_deref(), Some("membership"));
        assert_eq!(value(&built_in, attribute::SERVICE_VERSION).as_deref(), Some("1.2.3"));
        assert_eq!(value(&built_in, attribute::VCS_REF_HEAD_REVISION).as_deref(), Some("4f2a"));
        assert_eq!(value(&built_in, attribute::DEPLOYMENT_ENVIRONMENT_NAME).as_deref(), Some("prod"));

        settings.otel.resource_attributes =
            vec![("service.version".into(), "9".into()), ("service.name".into(), "other".into())];
        settings.otel.service_name = Some("said".into());
        let said = resource(&settings);
        assert_eq!(value(&said, attribute::SERVICE_NAME).as_deref(), Some("said"));
        assert_eq!(value(&said, attribute::SERVICE_VERSION).as_deref(), Some("9"));
    }
}
