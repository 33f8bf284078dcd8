//! Messages on the dead-letter queues of an environment.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::aws_failure::failed;
use crate::layer;
use crate::place::Place;

/// Returns the dead-letter queues with messages.
///
/// # Errors
/// When SQS cannot be reached or refuses a call.
pub(super) async fn read(place: &Place, environment: &str) -> anyhow::Result<Vec<String>> {
    let client = Client::new(&place.config);
    let resources = layer::resources(contracts::APPLICATION, environment)?;
    let mut found = Vec::new();
    for queue in resources.queues.iter().filter(|queue| queue.dead_letter.is_none()) {
        let messages = waiting(&client, &queue.name).await?;
        if messages > 0 {
            found.push(format!(
                "{messages} messages on {}: `foostore dead-letters list --aws --environment {environment}` shows them",
                queue.name
            ));
        }
    }
    Ok(found)
}

/// Returns the approximate number of messages; a queue that does not exist yet has none.
async fn waiting(client: &Client, name: &str) -> anyhow::Result<u64> {
    let url = match client.get_queue_url().queue_name(name).send().await {
        Ok(answer) => answer.queue_url,
        Err(error) if error.as_service_error().is_some_and(|refused| refused.is_queue_does_not_exist()) => {
            return Ok(0);
        }
        Err(error) => return Err(failed(&format!("GetQueueUrl of {name}"), error)),
    };
    let number = QueueAttributeName::ApproximateNumberOfMessages;
    let call = client.get_queue_attributes().set_queue_url(url).attribute_names(number.clone());
    let answer =
        call.send().await.map_err(|error| failed(&format!("GetQueueAttributes of {name}"), error))?;
    let number = answer.attributes().and_then(|attributes| attributes.get(&number));
    Ok(number.and_then(|number| number.parse().ok()).unwrap_or_default())
}
