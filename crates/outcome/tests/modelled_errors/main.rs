//! Sends every error that the SDK models, for every operation that the services call, through the code that makes the
//! call, and compares the results with the table in docs/aws-errors.md. A new version of the SDK with a new error
//! changes the table.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod aws;
mod model;
mod users;

use std::fmt::Write as _;
use std::path::Path;

use crate::users::OPERATIONS;

const HEAD: &str = "# How AWS errors are classified

Every error in the SDK's model, for every operation that the services call. The test
`crates/outcome/tests/modelled_errors` verifies this table: it fails each call with the error and status 400, and
records how the calling code classifies it.

- **throttled**, **unavailable**: the message is retried, and the circuit opens when most messages fail.
- **misconfigured**: no message can succeed. The circuit opens at once; nothing is dead-lettered.
- **rejected**: the message itself is at fault, or the brake intervenes ([reliability.md](reliability.md)).
- **contended**: the message is retried; it concerns one customer's items, so no circuit counts it.

Errors outside the model follow the same rules: first the status (429, 5xx, 401 to 404, redirects), then the parts of
the code; the rest are rejected.

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
        panic!("the table has changed; to accept it: cp {} {}", wanted.display(), file.display());
    }
}

#[tokio::test(start_paused = true)]
async fn errors_outside_the_model_never_condemn_a_message_at_once() {
    for operation in OPERATIONS {
        for code in ["SomethingNew", "TopicPolicyNotAuthorizedFault", "KMSKeyGone"] {
            let becomes = users::call(operation, code).await;
            let expected = if code == "SomethingNew" { "rejected" } else { "misconfigured" };
            assert_eq!(becomes, expected, "{} {code}", operation.name);
        }
    }
}
