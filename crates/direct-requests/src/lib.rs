//! Requests to AWS services that do not pass through the SDK's machinery, which is most of what a request costs: for each, it
//! assembles its configuration, its interceptors and its endpoint again, and derives the key of the day.
//!
//! The SDK makes the first request, and an interceptor learns from it, if it succeeds, where requests go and with which headers,
//! credentials, connections and limits. Further ones differ from it in their body, their target and their signature. After a
//! failure the SDK makes the requests again until one succeeds, so that whatever has changed is learned anew. If its requests keep
//! succeeding where those after them fail, it makes all.
//!
//! ```
//! use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
//! use direct_requests::{Direct, Unanswered};
//!
//! /// `None` if the SDK is to make the request.
//! async fn receive(direct: &Direct, mut request: HttpRequest) -> Option<Result<HttpResponse, Unanswered>> {
//!     let route = direct.route()?;
//!     request.headers_mut().insert("x-amz-target", "AmazonSQS.ReceiveMessage");
//!     let response = route.send(request, None).await;
//!     match &response {
//!         Ok(response) if response.status().is_success() => direct.succeeded(),
//!         _ => direct.failed(),
//!     }
//!     Some(response)
//! }
//!
//! let direct = Direct::default();
//! let config = aws_sdk_sqs::Config::builder().interceptor(direct.learning());
//! # drop(config);
//! assert!(!direct.is_ready(), "nothing has been learned yet");
//! ```

mod direct;
mod route;
mod sigv4;

pub use direct::{Direct, FAILURES};
pub use route::{Route, Unanswered};
