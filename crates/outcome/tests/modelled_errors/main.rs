//! Every error that the SDK's model knows of, of every operation the services call, through the code that calls it: the
//! table in docs/aws-errors.md is what comes out. A new version of the SDK with a new error changes the table.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a panic is the report")]

mod aws;
mod model;
mod users;

use std::fmt::Write as _;
use std::path::Path;

use crate::users::OPERATIONS;

const HEAD: &str = "# What becomes of an error of AWS

Every error in the SDK's model, of every operation that the services call. The test `crates/outcome/tests/modelled_errors`
holds this table: it answers each call with the error, status 400, and records what its caller makes of it.

- **throttled**, **unavailable**: the message is retried, and the circuit opens when most fail.
- **misconfigured**: nobody's message would pass. The circuit opens at once; nothing is dead-lettered.
- **rejected**: the message's own fault, or the brake's affair ([reliability.md](reliability.md)).
- **contended**: the message is retried; it concerns one customer's items, so no circuit counts it.

Errors in no model go by the same rules: first the status (429, 5xx, 401 to 404, redirects), then what the code is made
of, else rejected.

| call | error | becomes |
|---|---|---|
";

#[tokio::test(start_paused = true)]
async fn every_modelled_error_becomes_what_the_document_says() {
    let mut table = HEAD.to_owned();
    for operation in OPERATIONS {
        let codes = model::codes(operation);
        assert!(!codes.is_empty(), "{} has no errors in the SDK's source", operation.name);
        for code in codes {
            let becomes = users::call(operation, &code).await;
            writeln!(table, "| {}.{} | `{code}` | {becomes} |", operation.service, operation.name).unwrap();
        }
    }
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/aws-errors.md");
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    if found != table {
        let wanted = Path::new(env!("CARGO_TARGET_TMPDIR")).join("aws-errors.md");
        std::fs::write(&wanted, table).unwrap();
        panic!("the table has changed; if it should: cp {} {}", wanted.display(), file.display());
    }
}

#[tokio::test(start_paused = true)]
async fn errors_in_no_model_are_never_the_message_s_own_fault_at_once() {
    for operation in OPERATIONS {
        for code in ["SomethingNew", "TopicPolicyNotAuthorizedFault", "KMSKeyGone"] {
            let becomes = users::call(operation, code).await;
            let expected = if code == "SomethingNew" { "rejected" } else { "misconfigured" };
            assert_eq!(becomes, expected, "{} {code}", operation.name);
        }
    }
}
