//! One attempt at a call, without the SDK.

use std::any::TypeId;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{Error, Input, Output};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, Metadata, OrchestratorError};
use aws_smithy_runtime_api::client::result::{ConnectorError, SdkError};
use aws_smithy_runtime_api::client::ser_de::{
    DeserializeResponse as _, SerializeRequest as _, SharedRequestSerializer, SharedResponseDeserializer,
};
use aws_smithy_types::config_bag::{ConfigBag, FrozenLayer};
use direct_requests::{Route, Unanswered};
use telemetry::context;

use super::operation::Operation;
use crate::ErrorClass;
use crate::failure::Failure;

/// How the SDK writes the requests of an operation and reads the responses.
#[derive(Debug)]
pub(super) struct Codec {
    operation: TypeId,
    layer: FrozenLayer,
}

/// What became of an attempt.
pub(super) enum Attempt<T> {
    /// It was not made.
    Unmade,
    /// The service did what it was asked to.
    Done(T, HttpResponse),
    /// It did not, or did not say.
    Failed(Failed),
}

/// An attempt without an output.
pub(super) struct Failed {
    pub(super) failure: Failure,
    cause: Cause,
}

/// The parts of the SDK's error.
enum Cause {
    Refused(Error, HttpResponse),
    Response(BoxError, HttpResponse),
    Connection(ConnectorError),
    Timeout(BoxError),
}

impl Codec {
    pub(super) fn of<O: Operation>() -> Option<Self> {
        Some(Self { operation: TypeId::of::<O>(), layer: O::layer()? })
    }

    /// Returns the names of the operation and its service.
    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.layer.load::<Metadata>()
    }

    pub(super) fn is_for<O: Operation>(&self) -> bool {
        self.operation == TypeId::of::<O>()
    }

    /// Sends the request for `input` on `route`, with the header of its trace.
    pub(super) async fn attempt<O: Operation>(
        &self,
        route: &Route,
        input: Input,
        header: Option<String>,
    ) -> Attempt<O::Output> {
        let mut config = ConfigBag::base();
        let serializer = self.layer.load::<SharedRequestSerializer>();
        let deserializer = self.layer.load::<SharedResponseDeserializer>();
        let (Some(serializer), Some(deserializer)) = (serializer, deserializer) else {
            return Attempt::Unmade;
        };
        let Ok(mut request) = serializer.serialize_input(input, &mut config) else { return Attempt::Unmade };
        if let Some(header) = header
            && request.headers_mut().try_insert(context::XRAY_HEADER, header).is_err()
        {
            return Attempt::Unmade;
        }
        match route.send(request, None).await {
            Ok(response) => {
                let read = deserializer.deserialize_nonstreaming_with_config(&response, &config);
                match read.map(Output::downcast::<O::Output>) {
                    Ok(Ok(output)) => Attempt::Done(output, response),
                    Ok(Err(_)) => Attempt::Failed(Failed::read(OrchestratorError::other(Unread), response)),
                    Err(error) => Attempt::Failed(Failed::read(error, response)),
                }
            }
            Err(Unanswered::Unmade) => Attempt::Unmade,
            Err(error) => Attempt::Failed(Failed::unanswered(error)),
        }
    }
}

impl Failed {
    fn read(error: OrchestratorError<Error>, response: HttpResponse) -> Self {
        let failure = Failure::of(&error, Some(&response));
        let mut refused = None;
        let other = error.map_operation_error(|error| {
            refused = Some(error);
            Unread
        });
        let cause = match refused {
            Some(error) => Cause::Refused(error, response),
            None => Cause::Response(other.into(), response),
        };
        Self { failure, cause }
    }

    fn unanswered(error: Unanswered) -> Self {
        match error {
            Unanswered::Connection(error) => {
                Self { failure: Failure::unsent(&error), cause: Cause::Connection(error) }
            }
            Unanswered::Response(error, response) => {
                Self { failure: Failure::unreadable(), cause: Cause::Response(error, *response) }
            }
            error => Self { failure: Failure::timeout(), cause: Cause::Timeout(error.into()) },
        }
    }

    pub(super) fn response(&self) -> Option<&HttpResponse> {
        match &self.cause {
            Cause::Refused(_, response) | Cause::Response(_, response) => Some(response),
            Cause::Connection(_) | Cause::Timeout(_) => None,
        }
    }

    /// Whether the service refused what the request asks for, so that it would refuse it again.
    pub(super) fn is_final(&self) -> bool {
        self.refused_as() == Some(ErrorClass::Rejected)
    }

    /// Whether the SDK's request could fare better: one that is signed otherwise, with other headers, to another place. A service
    /// that is busy or does not answer says nothing about the request.
    pub(super) fn may_be_due_to_the_request(&self) -> bool {
        match self.cause {
            Cause::Refused(..) => self.refused_as() == Some(ErrorClass::Misconfigured),
            Cause::Response(..) => true,
            Cause::Connection(_) | Cause::Timeout(_) => false,
        }
    }

    fn refused_as(&self) -> Option<ErrorClass> {
        let Cause::Refused(_, response) = &self.cause else { return None };
        Some(ErrorClass::of(&self.failure.code, Some(response.status().as_u16()), None))
    }

    /// Returns what the SDK would have returned.
    pub(super) fn into_error<E: std::error::Error + Send + Sync + 'static>(
        self,
    ) -> SdkError<E, HttpResponse> {
        match self.cause {
            Cause::Refused(error, response) => match error.downcast::<E>() {
                Ok(error) => SdkError::service_error(error, response),
                Err(_) => SdkError::response_error(Unread, response),
            },
            Cause::Response(error, response) => SdkError::response_error(error, response),
            Cause::Connection(error) => SdkError::dispatch_failure(error),
            Cause::Timeout(error) => SdkError::timeout_error(error),
        }
    }
}

/// A response that is not one of the operation.
#[derive(Debug, thiserror::Error)]
#[error("the response is not one of the operation")]
pub(super) struct Unread;
