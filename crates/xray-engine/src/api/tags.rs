//! `TagResource`, `UntagResource` and `ListTagsForResource`, for groups and sampling rules
//! (<https://docs.aws.amazon.com/xray/latest/api/API_TagResource.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use super::page::page;
use crate::control::Tag;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct TagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tags: Vec<Tag>,
}

pub(super) fn tag(call: &Call<'_>, input: &TagInput) -> Result<Value, ApiError> {
    let TagInput { resource_arn, tags } = input;
    call.plane.control().tags_mut(resource_arn, call.plane.place())?.add(tags, resource_arn)?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UntagInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    tag_keys: Vec<String>,
}

pub(super) fn untag(call: &Call<'_>, input: &UntagInput) -> Result<Value, ApiError> {
    let place = call.plane.place();
    call.plane.control().tags_mut(&input.resource_arn, place)?.remove(&input.tag_keys)?;
    Ok(json!({}))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListInput {
    #[serde(rename = "ResourceARN")]
    resource_arn: String,
    next_token: Option<String>,
}

pub(super) fn list(call: &Call<'_>, input: &ListInput) -> Result<Value, ApiError> {
    let control = call.plane.control();
    let tags = control.tags(&input.resource_arn, call.plane.place())?;
    let entries = tags.iter().map(|tag| (tag.key.clone(), json!(tag)));
    page("Tags", entries, input.next_token.as_deref(), call.plane.page_size())
}
