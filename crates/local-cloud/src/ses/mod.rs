//! SES: rustack's v1, and the part of v2 that sends mail and manages identities.

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

pub(crate) use self::mail::{Mail, Sent};
pub(crate) use self::v2::bare_address;
use crate::call::Call;
use crate::reply::Format;
use crate::settings::Settings;

pub(crate) struct Ses {
    engine: Arc<RustackSes>,
    handler: RustackSesHandler,
    sent: Sent,
    /// Held while a mail is sent, so that what is collected afterwards is that mail.
    turn: Mutex<()>,
}

impl std::fmt::Debug for Ses {
    /// Leaves out the mails, which contain names and addresses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ses").finish_non_exhaustive()
    }
}

impl Ses {
    pub(crate) fn new(settings: &Settings, sent: Sent) -> Self {
        let engine = Arc::new(RustackSes::new(SesConfig {
            skip_signature_validation: true,
            default_region: settings.region.clone(),
            default_account_id: settings.account_id.clone(),
            require_verified_identity: true,
            ..SesConfig::default()
        }));
        Self { handler: RustackSesHandler::new(Arc::clone(&engine)), engine, sent, turn: Mutex::default() }
    }

    /// Returns every mail sent, oldest first.
    pub(crate) fn sent(&self) -> Vec<Arc<Mail>> {
        self.sent.all()
    }

    pub(crate) fn forget_sent(&self) {
        self.sent.forget();
    }

    pub(crate) async fn answer(&self, call: &Call, format: Format<'_>) -> Response {
        let Some(operation) = SesOperation::from_name(&call.operation) else {
            return format.error(call.not_supported());
        };
        let _turn = self.turn.lock().await;
        let result = self.handler.handle_operation(operation, call.body.clone()).await;
        self.collect(|_| {});
        match result {
            Ok(response) => response.map(Body::new),
            Err(error) => error_to_response(&error, &Uuid::new_v4().to_string()).map(Body::new),
        }
    }

    /// Moves sent mails from the engine's store, which has no order, to [`Sent`]. `add` completes each mail.
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
