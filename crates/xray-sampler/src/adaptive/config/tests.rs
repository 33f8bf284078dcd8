use super::{AdaptiveSampling, InvalidAdaptiveSampling};

fn read(yaml: &str) -> Result<AdaptiveSampling, InvalidAdaptiveSampling> {
    yaml.parse()
}

#[test]
fn aws_example_is_read() {
    let config = read(
        r#"
version: 1.0
anomalyConditions:
  - errorCodeRegex: "^5\\d\\d$"
    operations: ["POST /v1"]
    highLatencyMs: 300
    usage: both
  - errorCodeRegex: "^429$"
    usage: sampling-boost
  - highLatencyMs: 1000
    usage: anomaly-trace-capture
anomalyCaptureLimit: { anomalyTracesPerSecond: 3 }
"#,
    )
    .unwrap();
    assert_eq!(config.traces_per_second, 3);
    let (conditions, for_boost) = (config.for_capture.unwrap(), config.for_boost.unwrap());
    assert_eq!((conditions.len(), for_boost.len()), (2, 2));
    assert!(for_boost[1].status.is_some() && conditions[0] == for_boost[0]);
    assert_eq!(conditions[0].slower_than.unwrap().as_millis(), 300);
    assert_eq!(conditions[0].operations.as_deref(), Some(&["POST /v1".to_owned()][..]));
    assert!(conditions[0].status.is_some() && conditions[1].status.is_none());
}

#[test]
fn everything_but_the_version_has_a_default() {
    let config = read("version: 1.0").unwrap();
    assert_eq!((config.for_capture, config.for_boost, config.traces_per_second), (None, None, 1));
    assert_eq!(read("{version: 1.5, anomalyConditions: []}").unwrap().for_capture, Some(Vec::new()));
    assert_eq!(read("version: 1").unwrap(), read(r#"{"version": 1.0}"#).unwrap(), "JSON is YAML");
}

#[test]
fn what_would_have_no_effect_is_refused_with_the_reason() {
    for (yaml, reason) in [
        ("", "version"),
        ("anomalyConditions: []", "version"),
        ("version: 2.0", "expected version 1.0"),
        ("version: 0.9", "expected version 1.0"),
        ("{version: 1.0, anomalyCondition: []}", "anomalyCondition"),
        ("{version: 1.0, anomalyConditions: [{usage: both}]}", "errorCodeRegex or highLatencyMs"),
        ("{version: 1.0, anomalyConditions: [{highLatencyMs: fast}]}", "YAML"),
        ("{version: 1.0, anomalyConditions: [{highLatencyMs: 1, usage: never}]}", "never"),
        ("{version: 1.0, anomalyConditions: [{errorCodeRegex: '('}]}", "errorCodeRegex"),
        ("{version: 1.0, anomalyCaptureLimit: {anomalyTracesPerSecond: -1}}", "YAML"),
        (&format!("{{version: 1.0, anomalyConditions: [{}]}}", "{highLatencyMs: 1},".repeat(101)), "at most"),
        (&" ".repeat(65_537), "at most"),
    ] {
        let message = read(yaml).unwrap_err().to_string();
        assert!(message.contains(reason) && !message.contains('\n'), "{yaml:.60}: {message}");
    }
}
