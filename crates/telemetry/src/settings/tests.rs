use super::*;

fn read(pairs: &[(&str, &str)]) -> Result<OtelSettings, Vec<InvalidSetting>> {
    OtelSettings::read(|name| {
        pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    })
}

#[test]
fn defaults_are_the_specifications_with_x_rays_sampler() {
    let settings = read(&[("OTEL_SERVICE_NAME", "")]).unwrap();
    assert_eq!(settings, OtelSettings::default());
    assert_eq!(settings.sampler, SamplerSetting::XRay(RulesSetting::default()));
    assert_eq!(settings.traces_endpoint.as_deref(), Some("http://localhost:4318/v1/traces"));
}

#[test]
fn a_signals_own_endpoint_is_taken_whole() {
    let settings = read(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:9/otlp"),
    ])
    .unwrap();
    assert_eq!(settings.traces_endpoint.as_deref(), Some("http://127.0.0.1:9/otlp"));
    assert_eq!(settings.metrics_endpoint.as_deref(), Some("http://collector:4318/v1/metrics"));
}

#[test]
fn exporting_can_be_turned_off_in_whole_or_by_signal() {
    let none = read(&[("OTEL_SDK_DISABLED", "true")]).unwrap();
    assert!(none.traces_endpoint.is_none() && none.metrics_endpoint.is_none());
    let traces = read(&[("OTEL_METRICS_EXPORTER", "none")]).unwrap();
    assert!(traces.traces_endpoint.is_some() && traces.metrics_endpoint.is_none());
}

#[test]
fn samplers_batches_and_attributes_are_read() {
    let settings = read(&[
        ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
        ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "500"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "LowMemory"),
        ("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION", "base2_exponential_bucket_histogram"),
        ("OTEL_RESOURCE_ATTRIBUTES", "team=loyalty%20layer, cell=a=b,"),
        ("ECS_CONTAINER_METADATA_URI_V4", "http://169.254.170.2/v4/1"),
    ])
    .unwrap();
    assert_eq!(settings.sampler, SamplerSetting::ParentBasedRatio(0.25));
    assert_eq!(settings.schedule_delay, Duration::from_millis(200));
    assert_eq!(settings.max_queue_size, 64);
    assert_eq!(settings.metric_interval, Duration::from_millis(500));
    assert_eq!(settings.metric_temporality, Temporality::LowMemory);
    assert_eq!(settings.histograms, HistogramSetting::Exponential);
    let attributes = [("team".to_owned(), "loyalty layer".to_owned()), ("cell".to_owned(), "a=b".to_owned())];
    assert_eq!(settings.resource_attributes, attributes);
    assert!(settings.on_ecs);
}

#[test]
fn the_source_of_rules_is_read_from_the_samplers_argument() {
    let rules =
        |argument| match read(&[("OTEL_TRACES_SAMPLER", "xray"), ("OTEL_TRACES_SAMPLER_ARG", argument)]) {
            Ok(OtelSettings { sampler: SamplerSetting::XRay(rules), .. }) => Ok(rules),
            Ok(other) => panic!("{other:?}"),
            Err(problems) => {
                assert_eq!(problems.len(), 1, "{problems:?}");
                Err(problems[0].to_string())
            }
        };
    assert_eq!(rules(""), Ok(RulesSetting::default()));
    let both = rules("endpoint=http://collector:2000,polling_interval=60").unwrap();
    assert_eq!((&*both.endpoint, both.interval.as_secs()), ("http://collector:2000", 60));
    let one = rules(" polling_interval = 1 ,").unwrap();
    assert_eq!((&*one.endpoint, one.interval.as_secs()), ("http://localhost:2000", 1));
    for (wrong, fix) in [
        ("endpoint=localhost:2000", "http://localhost:2000"),
        ("endpoint=https://collector:2000", "http://localhost:2000"),
        ("endpoint=", "http://localhost:2000"),
        ("polling_interval=0", "a number of seconds from 1 to 1800"),
        ("polling_interval=1801", "a number of seconds from 1 to 1800"),
        ("polling_interval=5m", "a number of seconds from 1 to 1800"),
        ("interval=5", "endpoint=http://localhost:2000,polling_interval=300"),
        ("0.05", "endpoint=http://localhost:2000,polling_interval=300"),
    ] {
        let message = rules(wrong).unwrap_err();
        assert!(message.starts_with("OTEL_TRACES_SAMPLER_ARG: ") && message.contains(fix), "{message}");
    }
}

#[test]
fn adaptive_sampling_is_read_from_yaml_or_a_file_and_needs_the_sampler_xray() {
    const ADAPTIVE: &str = "AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG";
    const YAML: &str = "{version: 1.0, anomalyCaptureLimit: {anomalyTracesPerSecond: 7}}";
    let adaptive = |pairs: &[(&str, &str)]| match read(pairs) {
        Ok(OtelSettings { sampler: SamplerSetting::XRay(rules), .. }) => Ok(rules.adaptive),
        Ok(other) => panic!("{other:?}"),
        Err(problems) => Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")),
    };
    let expected = Some(YAML.parse().unwrap());
    assert_eq!(adaptive(&[]), Ok(None));
    assert_eq!(adaptive(&[(ADAPTIVE, YAML)]), Ok(expected.clone()));
    let file = std::env::temp_dir().join(format!("adaptive-sampling-{}.yaml", std::process::id()));
    std::fs::write(&file, YAML).unwrap();
    assert_eq!(adaptive(&[(ADAPTIVE, file.to_str().unwrap())]), Ok(expected));
    std::fs::remove_file(&file).unwrap();
    let wrong = adaptive(&[(ADAPTIVE, file.to_str().unwrap())]).unwrap_err();
    assert!(wrong.starts_with("AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG: expected YAML"), "{wrong}");
    let other = adaptive(&[(ADAPTIVE, YAML), ("OTEL_TRACES_SAMPLER", "always_on")]).unwrap_err();
    assert_eq!(other, "AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG: needs OTEL_TRACES_SAMPLER=xray");
}

#[test]
fn every_wrong_variable_is_named_once() {
    let problems = read(&[
        ("OTEL_TRACES_SAMPLER", "traceidratio"),
        ("OTEL_TRACES_SAMPLER_ARG", "2"),
        ("OTEL_BSP_SCHEDULE_DELAY", "0"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
        ("OTEL_RESOURCE_ATTRIBUTES", "novalue"),
        ("OTEL_TRACES_EXPORTER", "zipkin"),
    ])
    .unwrap_err();
    let mut names: Vec<_> = problems.iter().map(|problem| problem.variable).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "OTEL_BSP_SCHEDULE_DELAY",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "OTEL_RESOURCE_ATTRIBUTES",
            "OTEL_TRACES_EXPORTER",
            "OTEL_TRACES_SAMPLER_ARG"
        ]
    );
}

#[test]
fn a_log_filter_is_checked() {
    assert!(Settings::check_log_filter("info,membership=debug").is_ok());
    assert!(Settings::check_log_filter("info,==").is_err());
}
