"""Drains an SQS queue as a service written with boto3 and OpenTelemetry would."""

import itertools
import os
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import boto3
import orjson
import telemetry
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from opentelemetry.propagators.aws import AwsXRayPropagator
from opentelemetry.semconv._incubating.attributes import aws_attributes as aws
from opentelemetry.semconv._incubating.attributes import messaging_attributes as messaging
from opentelemetry.trace import SpanKind, StatusCode

BATCH = 10
WAIT_S = 3
APPLIED = "applied"
RETRY = "retry"


class Handler:
    """Continues the trace of each event and writes one log line."""

    def __init__(self, url, provider, log, warm_up):
        queue = url.rsplit("/", 1)[-1]
        self._tracer = provider.get_tracer(telemetry.SERVICE)
        self._propagator = AwsXRayPropagator()
        self._log = log
        self._name = f"process {queue}"
        self._source = {
            messaging.MESSAGING_SYSTEM: messaging.MessagingSystemValues.AWS_SQS.value,
            messaging.MESSAGING_OPERATION_NAME: "process",
            messaging.MESSAGING_OPERATION_TYPE: messaging.MessagingOperationTypeValues.PROCESS.value,
            messaging.MESSAGING_DESTINATION_NAME: queue,
            aws.AWS_SQS_QUEUE_URL: url,
        }
        self._warm_up = warm_up
        self._handled = itertools.count(1)

    def handle(self, message, received_at):
        """Returns whether the message was handled and is to be deleted."""
        event_type, metadata, data, outcome = None, {}, {}, APPLIED
        try:
            event = orjson.loads(message["Body"])
            event_type, detail = event["detail-type"], event["detail"]
            metadata, data = detail["metadata"], detail["data"]
        except (ValueError, KeyError, TypeError):
            outcome = RETRY
        context = self._propagator.extract({"X-Amzn-Trace-Id": metadata.get("trace", "")})
        with self._tracer.start_as_current_span(self._name, context, SpanKind.CONSUMER) as span:
            if span.is_recording():
                span.set_attributes(
                    self._source
                    | {
                        messaging.MESSAGING_MESSAGE_ID: message["MessageId"],
                        messaging.MESSAGING_MESSAGE_BODY_SIZE: len(message["Body"]),
                        messaging.MESSAGING_MESSAGE_CONVERSATION_ID: metadata.get("correlation_id", ""),
                        "event_id": metadata.get("event_id", ""),
                        "event_type": event_type or "",
                        "outcome": outcome,
                    }
                )
                if outcome is RETRY:
                    span.set_status(StatusCode.ERROR, "unreadable event")
            trace = f"{span.get_span_context().trace_id:032x}"
            attributes = message["Attributes"]
            (self._log.info if outcome is APPLIED else self._log.warning)(
                "event",
                event_type=event_type,
                event_id=metadata.get("event_id"),
                correlation_id=metadata.get("correlation_id"),
                customer_number=data.get("customer_number"),
                message_id=message["MessageId"],
                attempt=int(attributes["ApproximateReceiveCount"]),
                waiting_ms=max(0, int(received_at * 1000) - int(attributes["SentTimestamp"])),
                processing_ms=int((time.time() - received_at) * 1000),
                outcome=outcome,
                trace_id=f"1-{trace[:8]}-{trace[8:]}",
            )
        # `next` on a counter is atomic.
        if next(self._handled) == self._warm_up:
            print("warm", file=sys.stderr, flush=True)
        return outcome is APPLIED


def poll(sqs, url, handler, workers):
    """Receives, handles and deletes, one batch at a time."""
    while True:
        try:
            messages = sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=BATCH,
                WaitTimeSeconds=WAIT_S,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            received_at = time.time()
            handled = workers.map(handler.handle, messages, itertools.repeat(received_at))
            done = [message["ReceiptHandle"] for message, ok in zip(messages, handled) if ok]
            if done:
                entries = [{"Id": str(place), "ReceiptHandle": handle} for place, handle in enumerate(done)]
                for failed in sqs.delete_message_batch(QueueUrl=url, Entries=entries).get("Failed", []):
                    print("delete:", failed["Code"], file=sys.stderr)
        except (BotoCoreError, ClientError) as error:
            print(error, file=sys.stderr)
            time.sleep(1)


def main():
    url = os.environ["QUEUE_URL"]
    pollers = int(os.environ.get("CONSUMER_MAX_POLLERS", "4"))
    concurrency = int(os.environ.get("CONSUMER_CONCURRENCY", "32"))
    # A connection for each poller; a client may be shared by threads.
    configuration = Config(region_name=os.environ["AWS_REGION"], max_pool_connections=pollers, tcp_keepalive=True)
    sqs = boto3.client("sqs", config=configuration)
    log = telemetry.logger(os.environ.get("LOG") != "off")
    handler = Handler(url, telemetry.tracer_provider(), log, int(os.environ.get("WARM_UP", "0")))
    workers = ThreadPoolExecutor(concurrency)
    threads = [threading.Thread(target=poll, args=(sqs, url, handler, workers)) for _ in range(pollers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


main()
