//! `CreateGroup`, `UpdateGroup`, `DeleteGroup`, `GetGroup` and `GetGroups`
//! (<https://docs.aws.amazon.com/xray/latest/api/API_CreateGroup.html>).

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::ApiError;
use super::operation::Call;
use super::page::{PageInput, page};
use crate::control::{Group, GroupChange, GroupKey, Place, Tag, Tags};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateInput {
    group_name: String,
    #[serde(flatten)]
    change: GroupChange,
    tags: Option<Vec<Tag>>,
}

pub(super) fn create(call: &Call<'_>, input: &CreateInput) -> Result<Value, ApiError> {
    let tags = Tags::new(input.tags.as_deref().unwrap_or_default())?;
    let mut control = call.plane.control();
    let group = control.groups.create(&input.group_name, &input.change, tags)?;
    Ok(json!({"Group": wire(group, call.plane.place())}))
}

#[derive(Debug, Deserialize)]
pub(super) struct UpdateInput {
    #[serde(flatten)]
    key: GroupKey,
    #[serde(flatten)]
    change: GroupChange,
}

pub(super) fn update(call: &Call<'_>, input: &UpdateInput) -> Result<Value, ApiError> {
    let place = call.plane.place();
    let mut control = call.plane.control();
    let group = control.groups.update(&input.key, &input.change, place)?;
    Ok(json!({"Group": wire(group, place)}))
}

pub(super) fn delete(call: &Call<'_>, key: &GroupKey) -> Result<Value, ApiError> {
    call.plane.control().groups.delete(key, call.plane.place())?;
    Ok(json!({}))
}

pub(super) fn get(call: &Call<'_>, key: &GroupKey) -> Result<Value, ApiError> {
    let place = call.plane.place();
    Ok(json!({"Group": wire(call.plane.control().groups.find(key, place)?, place)}))
}

pub(super) fn list(call: &Call<'_>, input: &PageInput) -> Result<Value, ApiError> {
    let control = call.plane.control();
    let groups = control.groups.iter().map(|group| (group.name.clone(), wire(group, call.plane.place())));
    page("Groups", groups, input.next_token.as_deref(), call.plane.page_size())
}

fn wire(group: &Group, place: &Place) -> Value {
    let mut wire = json!({
        "GroupName": group.name,
        "GroupARN": group.arn(place),
        "InsightsConfiguration": group.insights,
    });
    if let Some(expression) = &group.filter_expression {
        wire["FilterExpression"] = expression.as_str().into();
    }
    wire
}
