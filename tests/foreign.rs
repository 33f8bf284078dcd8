//! The suite on an emulator that is not written by us, with the resources that the templates made there: how a run is told
//! of it, and what it then cannot show. `tests/foreign/suite.py` starts such a run.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;
use service_runtime::Environment;

/// Where ministack tells what its SES was given.
pub(crate) const MAIL: &str = "/_ministack/ses/messages";

/// An emulator for this run.
pub(crate) struct Foreign {
    endpoint: String,
    left_out: PathBuf,
}

impl Foreign {
    /// The one that `FOOSTORE_TEST_ENDPOINT` names; what is left out goes to the file `FOOSTORE_TEST_LEFT_OUT`.
    pub(crate) fn of_the_run() -> Option<Self> {
        let environment = Environment::from_process();
        let endpoint = environment.get("FOOSTORE_TEST_ENDPOINT")?.to_owned();
        let left_out = environment.get("FOOSTORE_TEST_LEFT_OUT").expect("FOOSTORE_TEST_LEFT_OUT").into();
        Some(Self { endpoint, left_out })
    }

    /// What `foostore up` is told.
    pub(crate) fn options(&self) -> [&str; 3] {
        ["--endpoint-url", &self.endpoint, "--no-provision"]
    }

    /// Writes down that `assertion` was not made.
    pub(crate) fn left_out(&self, assertion: &str, why: &str) {
        let mut file = std::fs::OpenOptions::new().create(true).append(true).open(&self.left_out).unwrap();
        writeln!(file, "{assertion}: {why}").unwrap();
    }
}

/// The mails of all accounts; there is one.
pub(crate) fn mails(answer: &Value) -> Vec<Value> {
    let accounts = answer["messages"].as_object().expect("messages by account");
    accounts.values().flat_map(|mails| mails.as_array().unwrap().clone()).collect()
}
