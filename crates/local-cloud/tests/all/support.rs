//! A separate cloud for each test, and clients that send any HTTP trace header.

use std::future::Future;
use std::time::Duration;

use aws_sdk_sqs::types::{Message, MessageSystemAttributeName, QueueAttributeName};
use local_cloud::{LocalCloud, Settings};

pub(crate) const HEADER: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
pub(crate) const OTHER_HEADER: &str =
    "Root=1-6759e988-bd862e3fe1be46a994272793;Parent=63995c3f42cd8ad8;Sampled=0;Lineage=a:1";
pub(crate) const ACCOUNT: &str = "000000000000";

pub(crate) struct Cloud {
    pub(crate) local: LocalCloud,
    pub(crate) sdk: aws_types::SdkConfig,
    pub(crate) sqs: aws_sdk_sqs::Client,
    pub(crate) sns: aws_sdk_sns::Client,
    pub(crate) events: aws_sdk_eventbridge::Client,
    pub(crate) dynamodb: aws_sdk_dynamodb::Client,
    pub(crate) ses: aws_sdk_sesv2::Client,
    pub(crate) pipes: aws_sdk_pipes::Client,
    pub(crate) s3: aws_sdk_s3::Client,
    pub(crate) kms: aws_sdk_kms::Client,
    pub(crate) http: reqwest::Client,
}

pub(crate) async fn cloud() -> Cloud {
    cloud_of("eu-central-1", ACCOUNT).await
}

pub(crate) async fn cloud_of(region: &str, account_id: &str) -> Cloud {
    let settings =
        Settings { region: region.to_owned(), account_id: account_id.to_owned(), ..Settings::default() };
    cloud_with(settings).await
}

/// Starts a cloud with these settings, on ports assigned by the system.
pub(crate) async fn cloud_with(settings: Settings) -> Cloud {
    let any = "127.0.0.1:0".parse().unwrap();
    let region = settings.region.clone();
    let settings = Settings { address: any, otlp_address: any, ..settings };
    let local = local_cloud::start(settings).await.unwrap();
    let sdk = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::latest())
        .region(aws_types::region::Region::new(region))
        .endpoint_url(local.endpoint_url())
        .credentials_provider(aws_sdk_sqs::config::SharedCredentialsProvider::new(
            aws_credential_types::Credentials::for_tests(),
        ))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .sleep_impl(aws_smithy_async::rt::sleep::SharedAsyncSleep::new(
            aws_smithy_async::rt::sleep::TokioSleep::new(),
        ))
        .time_source(aws_smithy_async::time::SystemTimeSource::new())
        .build();
    Cloud {
        sqs: aws_sdk_sqs::Client::new(&sdk),
        sns: aws_sdk_sns::Client::new(&sdk),
        events: aws_sdk_eventbridge::Client::new(&sdk),
        dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
        ses: aws_sdk_sesv2::Client::new(&sdk),
        pipes: aws_sdk_pipes::Client::new(&sdk),
        s3: aws_sdk_s3::Client::new(&sdk),
        kms: aws_sdk_kms::Client::new(&sdk),
        http: reqwest::Client::new(),
        local,
        sdk,
    }
}

impl Cloud {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.local.endpoint_url())
    }

    /// Creates a queue and returns its URL.
    pub(crate) async fn queue(&self, name: &str) -> String {
        self.sqs.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap()
    }

    /// Creates a queue whose messages go to `<name>-dead` after the given number of receives; returns both URLs.
    pub(crate) async fn queue_with_dead_letters(&self, name: &str, receives: u32) -> (String, String) {
        let dead_name = format!("{name}-dead");
        let dead = self.queue(&dead_name).await;
        let policy = format!(
            r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":"{receives}"}}"#,
            queue_arn(&dead_name)
        );
        let queue = self
            .sqs
            .create_queue()
            .queue_name(name)
            .attributes(QueueAttributeName::RedrivePolicy, policy)
            .send()
            .await
            .unwrap()
            .queue_url
            .unwrap();
        (queue, dead)
    }

    /// Returns the next message of a queue with all its attributes, waiting for up to five seconds.
    pub(crate) async fn receive(&self, queue_url: &str) -> Message {
        self.receive_within(queue_url, 5).await.expect("a message within five seconds")
    }

    pub(crate) async fn receive_within(&self, queue_url: &str, seconds: i32) -> Option<Message> {
        self.sqs
            .receive_message()
            .queue_url(queue_url)
            .wait_time_seconds(seconds)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .unwrap()
            .messages
            .unwrap_or_default()
            .pop()
    }

    pub(crate) async fn depth(&self, queue_url: &str) -> u64 {
        let output = self
            .sqs
            .get_queue_attributes()
            .queue_url(queue_url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .send()
            .await
            .unwrap();
        output.attributes.unwrap()[&QueueAttributeName::ApproximateNumberOfMessages].parse().unwrap()
    }

    pub(crate) async fn fault(&self, fault: serde_json::Value) {
        let response = self.http.post(self.url("/_local/faults")).json(&fault).send().await.unwrap();
        assert_eq!(response.status(), 201);
    }

    pub(crate) async fn mail(&self) -> Vec<serde_json::Value> {
        self.http.get(self.url("/_local/mail")).send().await.unwrap().json().await.unwrap()
    }
}

pub(crate) fn queue_arn(name: &str) -> String {
    format!("arn:aws:sqs:eu-central-1:{ACCOUNT}:{name}")
}

pub(crate) fn trace_header(message: &Message) -> Option<&str> {
    message.attributes.as_ref()?.get(&MessageSystemAttributeName::AwsTraceHeader).map(String::as_str)
}

pub(crate) fn body(message: &Message) -> serde_json::Value {
    serde_json::from_str(message.body().unwrap()).unwrap()
}

/// Waits until the condition holds; fails after ten seconds.
pub(crate) async fn until<F, Fut>(what: &str, mut holds: F)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = bool>,
{
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .unwrap_or_else(|_| panic!("not within ten seconds: {what}"));
}

/// Adds the header that an instrumented client puts on its HTTP requests; for `customize().mutate_request(…)`.
#[macro_export]
macro_rules! with_http_header {
    ($call:expr, $header:expr) => {
        $call.customize().mutate_request(|request| {
            request.headers_mut().insert("x-amzn-trace-id", $header);
        })
    };
}
