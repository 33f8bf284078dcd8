//! SES: rustack's v1, and of v2 what sends mail and verifies who sends it.

mod mail;
mod v2;

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use rustack_ses_core::config::SesConfig;
use rustack_ses_core::handler::RustackSesHandler;
use rustack_ses_core::provider::RustackSes;
use rustack_ses_core::retrospection::SentEmail;
use rustack_ses_http::dispatch::SesHandler as _;
use rustack_ses_http::response::error_to_response;
use rustack_ses_model::operations::SesOperation;
use tokio::sync::Mutex;
use uuid::Uuid;

pub(crate) use self::mail::Mail;
use self::mail::Sent;
pub(crate) use self::v2::{bare_address, operation as operation_v2};
use crate::Settings;
use crate::gateway::{Call, unknown_operation};

pub(crate) struct Ses {
    engine: Arc<RustackSes>,
    handler: RustackSesHandler,
    sent: Sent,
    /// One sending at a time, so that what is collected after it is what it sent.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Ses {
    /// Without the mails: they hold people's names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ses").finish_non_exhaustive()
    }
}

impl Ses {
    pub(crate) fn new(settings: &Settings) -> Self {
        let engine = Arc::new(RustackSes::new(SesConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            default_account_id: settings.account_id.clone(),
            require_verified_identity: true,
            ..SesConfig::default()
        }));
        Self {
            handler: RustackSesHandler::new(Arc::clone(&engine)),
            engine,
            sent: Sent::default(),
            turn: Mutex::default(),
        }
    }

    /// Every mail sent, oldest first.
    pub(crate) fn sent(&self) -> Vec<Mail> {
        self.sent.all()
    }

    pub(crate) fn forget_sent(&self) {
        self.sent.forget();
    }

    pub(crate) async fn answer(&self, call: &Call) -> Response {
        let Some(operation) = SesOperation::from_name(&call.operation) else {
            return unknown_operation(call);
        };
        let _turn = self.turn.lock().await;
        let result = self.handler.handle_operation(operation, call.body.clone()).await;
        self.collect(|_| {});
        match result {
            Ok(response) => response.map(Body::new),
            Err(error) => error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new),
        }
    }

    /// Takes what the engine has sent out of its store, which has no order, into ours. `add` completes a mail.
    fn collect(&self, add: impl Fn(&mut Mail)) {
        let store = self.engine.email_store();
        for email in store.query(None, None) {
            store.remove(&email.id);
            let mut mail = Mail::from(email);
            add(&mut mail);
            self.sent.keep(mail);
        }
    }
}

impl From<SentEmail> for Mail {
    fn from(email: SentEmail) -> Self {
        let (text, html) = email.body.map_or((None, None), |body| (body.text_part, body.html_part));
        Self {
            message_id: email.id,
            timestamp: email.timestamp,
            from: email.source,
            to: email.destination.to_addresses,
            cc: email.destination.cc_addresses,
            bcc: email.destination.bcc_addresses,
            reply_to: Vec::new(),
            subject: email.subject,
            text,
            html,
            raw: email.raw_data,
            tags: email.tags.into_iter().map(|tag| (tag.name, tag.value)).collect(),
            headers: BTreeMap::new(),
        }
    }
}
