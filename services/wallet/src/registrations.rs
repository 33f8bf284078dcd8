//! Which phones have which pass, in the service's table.
//!
//! `PASS#serial` has the phones of a pass with their push tokens, and the version of the pass that they were last told of.
//! `DEVICE#id` has the passes of a phone. A registration changes both in one transaction, on the condition that neither has
//! changed since it was read.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use aws_clients::{AwsError, DynamoDb, service};
use aws_sdk_dynamodb::error::BuildError;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, TransactWriteItem, Update};
use futures_util::future::join_all;
use jiff::Timestamp;
use sqs_consumer::Failure;
use thiserror::Error;

use crate::device::{DeviceId, PushToken};
use crate::domain::serial::Serial;

const PARTITION_KEY: &str = "pk";
/// The map from a pass's phones to their push tokens.
const DEVICES: &str = "devices";
/// The set of a phone's passes.
const PASSES: &str = "passes";
/// Grows with every change of an item's registrations.
const REVISION: &str = "revision";
/// The version of the pass that its phones were told of.
const PUSHED: &str = "pushed";
/// When DynamoDB may remove an item: only if it is of nobody's any more.
pub(crate) const EXPIRES_AT: &str = "expires_at";

/// The most phones of a pass, and passes of a phone: a customer has a phone, a tablet and a watch, and a phone the cards of a
/// family.
pub(crate) const MOST: usize = 20;
/// How often a registration is tried while others change the same items.
const ROUNDS: u32 = 6;
/// The longest pause before the second round; it grows with each.
const PAUSE: Duration = Duration::from_millis(20);
/// How long registrations outlive a customer. A phone that is reached within that time shows a void pass, and its owner
/// removes it.
pub(crate) const OUTLIVES: Duration = Duration::from_hours(30 * 24);

/// The table of registrations.
#[derive(Clone, Debug)]
pub(crate) struct Registrations {
    client: DynamoDb,
    table: String,
}

/// The phones of a pass.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct OfPass {
    pub(crate) devices: BTreeMap<DeviceId, PushToken>,
    /// The version of the pass that they were told of.
    pub(crate) pushed: Option<String>,
    /// Whether they are to be forgotten, since the customer was erased.
    pub(crate) expires: bool,
    revision: Option<u64>,
}

/// The passes of a phone.
#[derive(Debug, Default)]
struct OfDevice {
    passes: BTreeSet<Serial>,
    revision: Option<u64>,
}

/// What became of a registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Registered {
    /// The phone was not registered for the pass before.
    New,
    /// It was.
    Before,
    /// The pass has too many phones, or the phone too many passes.
    TooMany,
}

/// Why registrations could not be read or changed.
#[derive(Debug, Error)]
pub(crate) enum RegistrationError {
    /// DynamoDB did not carry out the request.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// An item is no registration.
    #[error("a registration cannot be read")]
    Unreadable,
    /// Others changed the same items in every round.
    #[error("others changed the registration {ROUNDS} times")]
    Contended,
}

impl From<BuildError> for RegistrationError {
    fn from(error: BuildError) -> Self {
        AwsError::unbuildable(service::DYNAMODB, TRANSACTION, error).into()
    }
}

impl From<RegistrationError> for Failure {
    fn from(error: RegistrationError) -> Self {
        match error {
            RegistrationError::Aws(error) => error.into(),
            RegistrationError::Unreadable => Self::permanent("registration-unreadable").because(error),
            RegistrationError::Contended => Self::transient("contended").because(error),
        }
    }
}

const TRANSACTION: &str = "TransactWriteItems";

type Item = HashMap<String, AttributeValue>;

impl Registrations {
    pub(crate) fn new(client: DynamoDb, table: impl Into<String>) -> Self {
        Self { client, table: table.into() }
    }

    /// Returns the phones of a pass.
    pub(crate) async fn of_pass(&self, serial: Serial) -> Result<OfPass, RegistrationError> {
        let Some(item) = self.get(pass_key(serial)).await? else { return Ok(OfPass::default()) };
        read_pass(&item).ok_or(RegistrationError::Unreadable)
    }

    /// Returns the passes of a phone.
    pub(crate) async fn of_device(&self, device: &DeviceId) -> Result<BTreeSet<Serial>, RegistrationError> {
        Ok(self.device(device).await?.passes)
    }

    /// Registers a phone for a pass, or replaces its push token.
    pub(crate) async fn register(
        &self,
        device: &DeviceId,
        serial: Serial,
        token: &PushToken,
    ) -> Result<Registered, RegistrationError> {
        self.change(device, serial, |pass, passes| {
            if pass.devices.get(device) == Some(token) && passes.contains(&serial) {
                return (Registered::Before, false);
            }
            let before = pass.devices.insert(device.clone(), token.clone()).is_some();
            passes.insert(serial);
            match before {
                _ if pass.devices.len() > MOST || passes.len() > MOST => (Registered::TooMany, false),
                true => (Registered::Before, true),
                false => (Registered::New, true),
            }
        })
        .await
    }

    /// Ends a registration, if there is one. With `token`, only if the phone is still reached by that.
    pub(crate) async fn unregister(
        &self,
        device: &DeviceId,
        serial: Serial,
        token: Option<&PushToken>,
    ) -> Result<(), RegistrationError> {
        self.change(device, serial, |pass, passes| {
            if token.is_some_and(|token| pass.devices.get(device) != Some(token)) {
                return ((), false);
            }
            let known = pass.devices.remove(device).is_some();
            ((), passes.remove(&serial) || known)
        })
        .await
    }

    /// Records that the phones of a pass were told of a version, and whether they are to be forgotten after some time.
    pub(crate) async fn told(
        &self,
        serial: Serial,
        known: &OfPass,
        version: &str,
        forgotten_at: Option<Timestamp>,
    ) -> Result<(), RegistrationError> {
        if known.expires != forgotten_at.is_some() {
            let only = AttributeValue::Ss(vec![serial.to_string()]);
            let forget = |device| {
                // A phone with other passes stays.
                let update = self
                    .expiry(device_key(device), "", forgotten_at)
                    .condition_expression("#passes = :only")
                    .expression_attribute_names("#passes", PASSES)
                    .expression_attribute_values(":only", only.clone());
                if_it_holds(&self.client, update)
            };
            join_all(known.devices.keys().map(forget)).await.into_iter().collect::<Result<(), _>>()?;
        }
        let update = self
            .expiry(pass_key(serial), "#pushed = :version", forgotten_at)
            // The last phone may have gone meanwhile.
            .condition_expression("attribute_exists(#devices)")
            .expression_attribute_names("#devices", DEVICES)
            .expression_attribute_names("#pushed", PUSHED)
            .expression_attribute_values(":version", text(version));
        Ok(if_it_holds(&self.client, update).await?)
    }

    /// Returns the update that sets when an item expires, or that it does not, and `more`.
    fn expiry(&self, key: String, more: &str, at: Option<Timestamp>) -> UpdateItemFluentBuilder {
        let set = if at.is_some() { "#expires = :at" } else { "" };
        let sets = [more, set].into_iter().filter(|it| !it.is_empty()).collect::<Vec<_>>().join(", ");
        let set = if sets.is_empty() { sets } else { format!("SET {sets}") };
        let remove = if at.is_none() { " REMOVE #expires" } else { "" };
        self.client
            .update_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(key))
            .update_expression(format!("{set}{remove}").trim())
            .expression_attribute_names("#expires", EXPIRES_AT)
            .set_expression_attribute_values(at.map(|at| [(":at".to_owned(), number(at.as_second()))].into()))
    }

    /// Reads both items, lets `decide` change them, and writes them if it says so and neither has changed meanwhile.
    async fn change<T>(
        &self,
        device: &DeviceId,
        serial: Serial,
        decide: impl Fn(&mut OfPass, &mut BTreeSet<Serial>) -> (T, bool),
    ) -> Result<T, RegistrationError> {
        for round in 1..=ROUNDS {
            let (pass, of_device) = tokio::join!(self.of_pass(serial), self.device(device));
            let (mut pass, mut of_device) = (pass?, of_device?);
            let (answer, write) = decide(&mut pass, &mut of_device.passes);
            if !write || self.write(serial, &pass, device, &of_device).await? {
                return Ok(answer);
            }
            let pause = rand::random_range(Duration::ZERO..=PAUSE * round);
            tokio::time::sleep(pause).await;
        }
        Err(RegistrationError::Contended)
    }

    /// Returns whether it was written.
    async fn write(
        &self,
        serial: Serial,
        pass: &OfPass,
        device: &DeviceId,
        of_device: &OfDevice,
    ) -> Result<bool, RegistrationError> {
        let tokens =
            pass.devices.iter().map(|(device, token)| (device.as_str().to_owned(), text(token.as_str())));
        let devices = (!pass.devices.is_empty()).then(|| AttributeValue::M(tokens.collect()));
        let passes = of_device.passes.iter().map(ToString::to_string).collect::<Vec<_>>();
        let passes = (!passes.is_empty()).then_some(AttributeValue::Ss(passes));
        let items = vec![
            self.item(pass_key(serial), DEVICES, devices, pass.revision)?,
            self.item(device_key(device), PASSES, passes, of_device.revision)?,
        ];
        let request = self.client.transact_write_items().set_transact_items(Some(items));
        let Err(error) = Box::pin(self.client.call(request)).await else { return Ok(true) };
        if error.as_service_error().is_some_and(is_contention) {
            return Ok(false);
        }
        Err(AwsError::of(service::DYNAMODB, TRANSACTION, error).into())
    }

    /// Returns the write of an item's registrations, which removes an item without any.
    fn item(
        &self,
        key: String,
        attribute: &str,
        value: Option<AttributeValue>,
        revision: Option<u64>,
    ) -> Result<TransactWriteItem, BuildError> {
        let known = revision.unwrap_or_default();
        let Some(value) = value else {
            let delete = Delete::builder()
                .table_name(&self.table)
                .key(PARTITION_KEY, text(key))
                .condition_expression("attribute_not_exists(#revision) OR #revision = :known")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":known", number(known));
            return Ok(TransactWriteItem::builder().delete(delete.build()?).build());
        };
        let condition =
            if revision.is_some() { "#revision = :known" } else { "attribute_not_exists(#revision)" };
        let update = Update::builder()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(key))
            .condition_expression(condition)
            .update_expression("SET #value = :value, #revision = :next REMOVE #expires")
            .expression_attribute_names("#value", attribute)
            .expression_attribute_names("#revision", REVISION)
            .expression_attribute_names("#expires", EXPIRES_AT)
            .expression_attribute_values(":value", value)
            .expression_attribute_values(":next", number(known + 1));
        let update = match revision {
            Some(revision) => update.expression_attribute_values(":known", number(revision)),
            None => update,
        };
        Ok(TransactWriteItem::builder().update(update.build()?).build())
    }

    async fn device(&self, device: &DeviceId) -> Result<OfDevice, RegistrationError> {
        let Some(item) = self.get(device_key(device)).await? else { return Ok(OfDevice::default()) };
        read_device(&item).ok_or(RegistrationError::Unreadable)
    }

    async fn get(&self, key: String) -> Result<Option<Item>, AwsError> {
        let request = self
            .client
            .get_item()
            .table_name(&self.table)
            .key(PARTITION_KEY, text(key))
            .consistent_read(true);
        let answer = Box::pin(self.client.call(request))
            .await
            .map_err(|error| AwsError::of(service::DYNAMODB, "GetItem", error))?;
        Ok(answer.item)
    }
}

/// Sends an update, which changes nothing if its condition does not hold.
async fn if_it_holds(client: &DynamoDb, update: UpdateItemFluentBuilder) -> Result<(), AwsError> {
    match Box::pin(client.call(update)).await {
        Ok(_) => Ok(()),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(UpdateItemError::is_conditional_check_failed_exception) =>
        {
            Ok(())
        }
        Err(error) => Err(AwsError::of(service::DYNAMODB, "UpdateItem", error)),
    }
}

/// Whether a transaction was cancelled because others changed, or are changing, the same items.
fn is_contention(error: &TransactWriteItemsError) -> bool {
    let TransactWriteItemsError::TransactionCanceledException(cancelled) = error else { return false };
    let codes = cancelled.cancellation_reasons().iter().filter_map(|reason| reason.code());
    let mut failed = codes.filter(|code| *code != "None").peekable();
    failed.peek().is_some()
        && failed.all(|code| ["ConditionalCheckFailed", "TransactionConflict"].contains(&code))
}

fn read_pass(item: &Item) -> Option<OfPass> {
    let devices = item.get(DEVICES)?.as_m().ok()?.iter();
    let devices =
        devices.map(|(device, token)| Some((device.parse().ok()?, token.as_s().ok()?.parse().ok()?)));
    let pushed = item.get(PUSHED).map(|value| value.as_s().cloned());
    Some(OfPass {
        devices: devices.collect::<Option<_>>()?,
        pushed: pushed.transpose().ok()?,
        expires: item.contains_key(EXPIRES_AT),
        revision: Some(revision(item)?),
    })
}

fn read_device(item: &Item) -> Option<OfDevice> {
    let passes = item.get(PASSES)?.as_ss().ok()?.iter().map(|serial| serial.parse().ok());
    Some(OfDevice { passes: passes.collect::<Option<_>>()?, revision: Some(revision(item)?) })
}

fn revision(item: &Item) -> Option<u64> {
    item.get(REVISION)?.as_n().ok()?.parse().ok()
}

fn pass_key(serial: Serial) -> String {
    format!("PASS#{serial}")
}

fn device_key(device: &DeviceId) -> String {
    format!("DEVICE#{}", device.as_str())
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl Into<i128>) -> AttributeValue {
    AttributeValue::N(value.into().to_string())
}
