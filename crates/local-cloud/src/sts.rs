//! STS: `GetCallerIdentity`, with which tools check their credentials.

use axum::response::Response;
use http::StatusCode;
use uuid::Uuid;

use crate::call::Call;
use crate::reply;

pub(crate) fn answer(call: &Call, account_id: &str) -> Response {
    if call.operation != "GetCallerIdentity" {
        return call.unknown_operation();
    }
    reply::xml(
        StatusCode::OK,
        format!(
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\
             <GetCallerIdentityResult><Arn>arn:aws:iam::{account_id}:user/local</Arn><UserId>LOCAL</UserId>\
             <Account>{account_id}</Account></GetCallerIdentityResult>\
             <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></GetCallerIdentityResponse>",
            Uuid::new_v4()
        ),
    )
}
