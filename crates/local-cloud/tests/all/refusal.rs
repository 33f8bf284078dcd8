//! What a service refused, and why.

use std::fmt::Debug;

use aws_sdk_sns::error::ProvideErrorMetadata;

/// Returns code and message of the error.
pub(crate) fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, E>) -> (String, String) {
    let error = result.unwrap_err();
    let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
    (text(error.code()), text(error.message()))
}

#[track_caller]
pub(crate) fn assert_refused<T: Debug, E: ProvideErrorMetadata + Debug>(
    result: Result<T, E>,
    code: &str,
    message: &str,
) {
    let (actual_code, actual_message) = refusal(result);
    assert_eq!((&*actual_code, &*actual_message), (code, message));
}
