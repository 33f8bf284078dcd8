//! Publishes a batch with one trace header, and looks at the messages that the subscription delivers.

use ::xray::TraceHeader;
use anyhow::anyhow;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::PublishBatchRequestEntry;

use super::super::assumptions::TOPIC_BATCH_HEADER;
use super::super::bench::{Bench, mark};
use super::super::finding::{Finding, Verdict};
use super::super::inbox;
use super::super::scratch::{NOTICES, TOPIC};
use super::header;
use crate::aws_failure::failed;

pub(super) async fn check(bench: &Bench) -> Vec<Finding> {
    vec![Finding::from_result(TOPIC_BATCH_HEADER, batch(bench).await)]
}

async fn batch(bench: &Bench) -> anyhow::Result<Finding> {
    let (marks, sent) = ([mark(), mark()], header::any());
    let on_request = sent.clone();
    let entries = marks
        .iter()
        .enumerate()
        .map(|(number, mark)| {
            PublishBatchRequestEntry::builder().id(number.to_string()).message(mark).build()
        })
        .collect::<Result<_, _>>()?;
    let answer = Client::new(&bench.place.config)
        .publish_batch()
        .topic_arn(bench.place.arn("sns", &bench.physical(NOTICES)))
        .set_publish_batch_request_entries(Some(entries))
        .customize()
        .mutate_request(move |request| header::put_on(request, &on_request))
        .send()
        .await
        .map_err(|error| failed("PublishBatch", error))?;
    if let Some(failed) = answer.failed().first() {
        let reason = failed.message().unwrap_or_else(|| failed.code());
        return Err(anyhow!("PublishBatch refused a message: {reason}"));
    }
    let taken = bench.inbox(TOPIC).await?.take(&[&marks[0], &marks[1]], bench.wait).await?;
    if taken.len() < marks.len() {
        let arrived = format!("{} of {} messages arrived", taken.len(), marks.len());
        return Err(anyhow!(bench.too_late(&arrived)));
    }
    Ok(on_every_message(&sent, taken.values().map(inbox::header)))
}

fn on_every_message<'a>(sent: &TraceHeader, arrived: impl Iterator<Item = Option<&'a str>>) -> Finding {
    let carried: Vec<_> = arrived.map(|arrived| header::carried(sent, arrived)).collect();
    let with = carried.iter().filter(|carried| carried.same_root).count();
    let mut seen: Vec<_> = carried.iter().map(|carried| carried.seen.as_str()).collect();
    seen.dedup();
    let seen = format!("the header's Root on {with} of {} messages ({})", carried.len(), seen.join("; "));
    Finding::new(TOPIC_BATCH_HEADER, Verdict::of(with == carried.len()), seen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_without_it_is_enough() {
        let sent = header::any();
        let text = sent.to_string();
        let on_both = on_every_message(&sent, [Some(text.as_str()), Some(text.as_str())].into_iter());
        assert_eq!(on_both.verdict, Verdict::Holds);
        assert_eq!(on_both.seen, "the header's Root on 2 of 2 messages (same Root, same Parent)");
        let on_one = on_every_message(&sent, [Some(text.as_str()), None].into_iter());
        assert_eq!(on_one.verdict, Verdict::DoesNotHold);
    }
}
