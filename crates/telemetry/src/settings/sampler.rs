//! The sampler: `OTEL_TRACES_SAMPLER` and `OTEL_TRACES_SAMPLER_ARG`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use xray_sampler::{AdaptiveSampling, InvalidAdaptiveSampling};

use super::reader::{Reader, is_plain_http};

const SAMPLER: &str = "OTEL_TRACES_SAMPLER";
const ARGUMENT: &str = "OTEL_TRACES_SAMPLER_ARG";
const ADAPTIVE: &str = "AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG";

/// The longest file with a configuration that is read, in bytes. The configuration itself has a lower limit.
const MAX_FILE: u64 = 1024 * 1024;

/// The longest interval between fetching rules, in seconds, which is the limit of
/// [`Poller::with_interval`](xray_sampler::Poller::with_interval).
const MAX_INTERVAL_S: u64 = 1_800;

/// How the decision to record a trace is made.
#[derive(Clone, Debug, PartialEq)]
pub enum SamplerSetting {
    /// `xray` (the default): the parent decides; X-Ray's sampling rules decide about traces that begin here.
    XRay(RulesSetting),
    /// `always_on`: all, whatever the parent decided.
    AlwaysOn,
    /// `always_off`: none.
    AlwaysOff,
    /// `traceidratio`: this share, whatever the parent decided.
    Ratio(f64),
    /// `parentbased_always_on`: the parent decides; all traces that begin here.
    ParentBasedAlwaysOn,
    /// `parentbased_always_off`: the parent decides; no trace that begins here.
    ParentBasedAlwaysOff,
    /// `parentbased_traceidratio`: the parent decides; this share of traces that begin here.
    ParentBasedRatio(f64),
}

impl Default for SamplerSetting {
    fn default() -> Self {
        Self::XRay(RulesSetting::default())
    }
}

/// Where X-Ray's sampling rules are fetched, and how often. The argument of `xray` is
/// `endpoint=http://localhost:2000,polling_interval=300`, as in AWS's distributions of OpenTelemetry
/// (<https://aws-otel.github.io/docs/getting-started/remote-sampling>). Either part may be absent.
#[derive(Clone, Debug, PartialEq)]
pub struct RulesSetting {
    /// The address of the collector's extension `awsproxy`, which signs the calls.
    pub endpoint: String,
    /// The interval between fetching rules, from one second to half an hour.
    pub interval: Duration,
    /// `AWS_XRAY_ADAPTIVE_SAMPLING_CONFIG`, YAML or the path of a file with it: which traces are exported although no
    /// rule sampled them. Nothing is held for that by default.
    pub adaptive: Option<AdaptiveSampling>,
}

impl Default for RulesSetting {
    fn default() -> Self {
        let endpoint = "http://localhost:2000".to_owned();
        Self { endpoint, interval: Duration::from_mins(5), adaptive: None }
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    pub(super) fn sampler(&mut self) -> SamplerSetting {
        let sampler = self.named_sampler();
        if !matches!(sampler, SamplerSetting::XRay(_)) && self.get(ADAPTIVE).is_some() {
            self.problem(ADAPTIVE, format!("needs {SAMPLER}=xray"));
        }
        sampler
    }

    fn named_sampler(&mut self) -> SamplerSetting {
        match self.get(SAMPLER).as_deref() {
            None | Some("xray" | "parentbased_xray") => SamplerSetting::XRay(self.rules()),
            Some("always_on") => SamplerSetting::AlwaysOn,
            Some("always_off") => SamplerSetting::AlwaysOff,
            Some("traceidratio") => SamplerSetting::Ratio(self.ratio()),
            Some("parentbased_always_on") => SamplerSetting::ParentBasedAlwaysOn,
            Some("parentbased_always_off") => SamplerSetting::ParentBasedAlwaysOff,
            Some("parentbased_traceidratio") => SamplerSetting::ParentBasedRatio(self.ratio()),
            Some(_) => {
                self.problem(
                    SAMPLER,
                    "expected xray, always_on, always_off, traceidratio, parentbased_always_on, \
                     parentbased_always_off or parentbased_traceidratio",
                );
                SamplerSetting::default()
            }
        }
    }

    fn ratio(&mut self) -> f64 {
        let ratio = self.parse::<f64>(ARGUMENT, "a share between 0 and 1").unwrap_or(1.0);
        if !(0.0..=1.0).contains(&ratio) {
            self.problem(ARGUMENT, "expected a share between 0 and 1");
        }
        ratio
    }

    fn rules(&mut self) -> RulesSetting {
        let mut rules = RulesSetting { adaptive: self.adaptive_sampling(), ..RulesSetting::default() };
        let Some(argument) = self.get(ARGUMENT) else { return rules };
        for pair in argument.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            if let Err(problem) = rules.set(pair) {
                self.problem(ARGUMENT, problem);
                break;
            }
        }
        rules
    }
}

impl<F: Fn(&str) -> Option<String>> Reader<F> {
    fn adaptive_sampling(&mut self) -> Option<AdaptiveSampling> {
        let setting = self.get(ADAPTIVE)?;
        // As in AWS's distributions: what exists is a path.
        let yaml = if Path::new(&setting).is_file() { read(&setting) } else { Ok(setting) };
        let read =
            yaml.and_then(|yaml| yaml.parse().map_err(|error: InvalidAdaptiveSampling| error.to_string()));
        read.map_err(|problem| self.problem(ADAPTIVE, problem)).ok()
    }
}

fn read(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(MAX_FILE).read_to_string(&mut text));
    read.map(|_| text).map_err(|error| format!("the file cannot be read: {error}"))
}

impl RulesSetting {
    /// Sets one part of the argument, or returns what is wrong with it.
    fn set(&mut self, pair: &str) -> Result<(), String> {
        match pair.split_once('=').map(|(key, value)| (key.trim(), value.trim())) {
            Some(("endpoint", address)) if is_plain_http(address) => address.clone_into(&mut self.endpoint),
            Some(("endpoint", _)) => {
                let expected =
                    "expected endpoint= with an address such as http://localhost:2000 (plain http)";
                return Err(expected.to_owned());
            }
            Some(("polling_interval", seconds)) => match seconds.parse() {
                Ok(seconds @ 1..=MAX_INTERVAL_S) => self.interval = Duration::from_secs(seconds),
                _ => {
                    return Err(format!(
                        "expected polling_interval= with a number of seconds from 1 to {MAX_INTERVAL_S}"
                    ));
                }
            },
            _ => {
                let expected =
                    "expected endpoint=http://localhost:2000,polling_interval=300 for the sampler xray";
                return Err(expected.to_owned());
            }
        }
        Ok(())
    }
}
