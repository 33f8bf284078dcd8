//! The suite on an emulator that we did not write, with the resources that the templates created there: how a run finds
//! it, and which assertions it leaves out. `tests/foreign/suite.py` starts such a run.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use service_runtime::Environment;

/// The path under which ministack lists the mails that its SES has accepted.
pub(crate) const MAIL: &str = "/_ministack/ses/messages";

/// An emulator for this run.
pub(crate) struct Foreign {
    endpoint: String,
    left_out: PathBuf,
}

impl Foreign {
    /// Returns the emulator at `FOOSTORE_TEST_ENDPOINT`; assertions left out are written to `FOOSTORE_TEST_LEFT_OUT`.
    pub(crate) fn of_the_run() -> Option<Self> {
        let environment = Environment::from_process();
        let endpoint = environment.get("FOOSTORE_TEST_ENDPOINT")?.to_owned();
        let left_out = environment.get("FOOSTORE_TEST_LEFT_OUT").expect("FOOSTORE_TEST_LEFT_OUT").into();
        Some(Self { endpoint, left_out })
    }

    /// Returns the options for `foostore up`.
    pub(crate) fn options(&self) -> [&str; 3] {
        ["--endpoint-url", &self.endpoint, "--no-provision"]
    }

    /// Records that `assertion` was left out.
    pub(crate) fn left_out(&self, assertion: &str, why: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.left_out).unwrap();
        writeln!(file, "{assertion}: {why}").unwrap();
    }
}

/// Returns the mails of all accounts, of which there is one.
pub(crate) fn mails(answer: &Value) -> Vec<Value> {
    let accounts = answer["messages"].as_object().expect("messages by account");
    accounts.values().flat_map(|mails| mails.as_array().unwrap().clone()).collect()
}
