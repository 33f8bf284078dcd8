//! What the operations of the control plane work on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_models::{Model, Service};

use crate::control::{Control, ControlError, GroupKey, Place};
use crate::filter::FilterExpression;
use crate::settings::Settings;
use crate::store::{StoreError, TraceStore};

/// The name under which the store keeps the configuration.
const CONTROL: &str = "control";

/// The configuration of an account, and what a request needs beside it.
#[derive(Debug)]
pub(crate) struct Plane {
    /// None if the table cannot be read, which a test of `aws-models` rules out.
    model: Option<Model>,
    place: Place,
    settings: Arc<Settings>,
    store: TraceStore,
    control: Mutex<Control>,
}

impl Plane {
    /// Returns the plane with what was configured before.
    pub(crate) fn new(store: TraceStore, settings: Arc<Settings>) -> Result<Self, StoreError> {
        let model = Model::of(Service::XRay)
            .inspect_err(|error| tracing::error!(%error, "the model of X-Ray cannot be read"))
            .ok();
        let place = Place::new(settings.region.clone(), settings.account_id.clone());
        let control = store.kept(CONTROL)?.map(|text| serde_json::from_str(&text));
        let control = control.transpose().unwrap_or_else(|error| {
            tracing::warn!(%error, "what X-Ray was configured to cannot be read: starting with its defaults");
            None
        });
        let control = Mutex::new(control.unwrap_or_default());
        Ok(Self { model, place, settings, store, control })
    }

    pub(super) fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    pub(super) fn store(&self) -> &TraceStore {
        &self.store
    }

    pub(super) fn page_size(&self) -> usize {
        self.settings.page_size
    }

    /// Returns the filter of the group that a query names.
    pub(super) fn filter(&self, group: &GroupKey) -> Result<FilterExpression, ControlError> {
        self.control().groups.filter(group, &self.place)
    }

    /// Replaces the groups in an expression by their own expressions.
    pub(super) fn resolve(&self, filter: FilterExpression) -> Result<FilterExpression, ControlError> {
        self.control().groups.resolve(filter, &self.place)
    }

    /// Keeps what is configured for the next start.
    pub(super) fn save(&self) -> Result<(), StoreError> {
        match serde_json::to_string(&*self.control()) {
            Ok(text) => self.store.keep(CONTROL, &text),
            Err(error) => {
                tracing::warn!(%error, "what X-Ray is configured to cannot be written");
                Ok(())
            }
        }
    }

    /// Locks the configuration. A method that panics leaves nothing half changed.
    pub(super) fn control(&self) -> MutexGuard<'_, Control> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
