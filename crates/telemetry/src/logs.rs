//! The layer that writes a line for each event that passes the log filter.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use opentelemetry::Context as OtelContext;
use tracing::dispatcher::WeakDispatch;
use tracing::{Dispatch, Event, Level, Subscriber};
use tracing_opentelemetry::get_otel_context;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::Registry;

use crate::context::{self, Trace};
use crate::hop::HopLines;
use crate::log_line::{Common, Line};
use crate::log_output::Output;
use crate::settings::Settings;

/// Writes log lines to `W`. It looks up an event's trace in the whole subscriber rather than in its own filtered view,
/// so that a log filter that hides a span does not hide the trace id.
pub(crate) struct LogLines<W> {
    common: Common,
    hop_lines: HopLines,
    output: Arc<Output<W>>,
    dispatch: OnceLock<WeakDispatch>,
}

impl<W: Write> LogLines<W> {
    pub(crate) fn new(settings: &Settings, output: Arc<Output<W>>) -> Self {
        Self {
            common: Common::new(&settings.service_name, &settings.environment, settings.logs),
            hop_lines: settings.hop_lines,
            output,
            dispatch: OnceLock::new(),
        }
    }

    /// Returns the trace of the event's span: the span it names, else the current one.
    fn trace(&self, event: &Event<'_>) -> Option<Trace> {
        let of_span = || {
            let dispatch = self.dispatch.get()?.upgrade()?;
            let id = match event.parent() {
                Some(parent) => parent.clone(),
                None if event.is_contextual() => current_span(&dispatch)?,
                None => return None,
            };
            context::trace(&get_otel_context(&id, &dispatch)?)
        };
        of_span()
            .or_else(|| event.is_contextual().then(|| OtelContext::map_current(context::trace)).flatten())
    }
}

fn current_span(dispatch: &Dispatch) -> Option<tracing::span::Id> {
    dispatch.downcast_ref::<Registry>()?.current_span().id().cloned()
}

impl<S: Subscriber, W: Write + Send + 'static> Layer<S> for LogLines<W> {
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        // A layer is registered with a single subscriber, so a second registration would set the same value.
        self.dispatch.get_or_init(|| dispatch.downgrade());
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let trace = self.trace(event);
        if self.hop_lines.need_sampling(event.metadata()) && trace.is_some_and(|trace| !trace.sampled) {
            return;
        }
        let mut fields = self.common.fields();
        event.record(&mut fields);
        let line = Line {
            timestamp: jiff::Timestamp::now(),
            level: event.metadata().level().as_str(),
            target: event.metadata().target(),
            trace_id: trace.map(|trace| trace.id),
            fields,
        }
        .render(&self.common);
        self.output.write(&line, *event.metadata().level() <= Level::WARN);
    }
}

#[cfg(test)]
mod tests;
