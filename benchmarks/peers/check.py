"""Checks that each peer does the work that the benchmark compares.

Usage: PYTHON check.py FOOSTORE_BINARY CACHE [LANGUAGE...]
PYTHON has boto3. Builds each peer into CACHE/LANGUAGE, lets it drain a queue of the local cloud, half of it sampled, and
holds what is left, its log lines and its spans against what was sent. A peer without its toolchain is skipped.
"""

import collections
import contextlib
import json
import os
import pathlib
import secrets
import subprocess
import sys
import tempfile
import time
import uuid

import boto3

HERE = pathlib.Path(__file__).parent
LANGUAGES = ["go", "node", "python", "java"]
MESSAGES = 2_000
WARM_UP = 500
NO_TOOLCHAIN = 69
LINE = ["level", "service", "event_type", "event_id", "correlation_id", "customer_number", "message_id"]
LINE += ["attempt", "waiting_ms", "processing_ms", "outcome", "trace_id"]
# Libraries differ in these two names.
EITHER = [("timestamp", "time"), ("message", "msg")]


@contextlib.contextmanager
def running(command, **options):
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(10)


def event(number):
    """Returns an event, and the header that it carries."""
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    trace = f"Root={root};Parent={secrets.token_hex(8)};Sampled={number % 2}"
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime())
    event_id = str(uuid.uuid4())
    metadata = {
        "event_id": event_id,
        "occurred_at": now,
        "published_at": now,
        "schema_version": 1,
        "correlation_id": event_id,
        "causation_id": None,
        "trace": trace,
    }
    data = {"customer_number": f"{number:012}", "balance": number, "tier": "silver", "tier_points": 1250, "revision": 7}
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "PointsBalanceChanged",
        "source": "foostore.loyalty",
        "account": "000000000000",
        "time": now[:19] + "Z",
        "region": "eu-central-1",
        "resources": [],
        "detail": {"metadata": metadata, "data": data},
    }


def send(sqs, url, events):
    for first in range(0, len(events), 10):
        entries = [
            {
                "Id": str(place),
                "MessageBody": json.dumps(event),
                "MessageSystemAttributes": {
                    "AWSTraceHeader": {"DataType": "String", "StringValue": event["detail"]["metadata"]["trace"]}
                },
            }
            for place, event in enumerate(events[first : first + 10])
        ]
        assert not sqs.send_message_batch(QueueUrl=url, Entries=entries).get("Failed")


def wait_for(what, seconds, condition):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(0.2)


def left(sqs, url):
    """Returns the number of messages in the queue, visible or in flight."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return sum(int(attributes[name]) for name in names)


def drain(command, environment, output, left_over, awaited):
    """Runs a peer until nothing is left and what it exports has arrived. Returns what it reported."""
    with tempfile.TemporaryFile("w+") as errors:
        try:
            with running(command, env=environment, stdout=output, stderr=errors):
                wait_for("an empty queue", 60, lambda: left_over() == 0)
                wait_for("the spans", 30, awaited)
        finally:
            errors.seek(0)
            reported = errors.read()
            sys.stderr.write(reported[-2_000:])
    return reported


def fields(trace):
    return dict(part.split("=") for part in trace.split(";"))


def spans(xray, headers):
    """Returns the (trace, parent, name) of each document in these traces, with how often it is there."""
    found = collections.Counter()
    ids = [header["Root"] for header in headers]
    for first in range(0, len(ids), 5):
        for trace in xray.batch_get_traces(TraceIds=ids[first : first + 5])["Traces"]:
            for segment in trace["Segments"]:
                document = json.loads(segment["Document"])
                found[document["trace_id"], document.get("parent_id"), document["name"]] += 1
    return found


def check_lines(text, events):
    lines = [json.loads(line) for line in text.splitlines()]
    assert len(lines) == len(events), f"{len(lines)} log lines for {len(events)} messages"
    sent = {event["detail"]["metadata"]["event_id"]: event for event in events}
    for line in lines:
        missing = [name for name in LINE if name not in line]
        missing += [names for names in EITHER if not any(name in line for name in names)]
        assert not missing, f"{missing} not in {line}"
        event = sent.pop(line["event_id"])
        detail = event["detail"]
        assert line["trace_id"] == fields(detail["metadata"]["trace"])["Root"], line
        assert line["customer_number"] == detail["data"]["customer_number"], line
        assert line["event_type"] == event["detail-type"], line
        assert line["attempt"] == 1 and line["outcome"] == "applied", line
        assert 0 <= line["processing_ms"] < 60_000 and 0 <= line["waiting_ms"] < 600_000, line


def check(language, cache, cloud):
    region = "eu-central-1"
    keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": region}
    sqs, xray = (boto3.client(name, endpoint_url=cloud["endpoint"], **keys) for name in ["sqs", "xray"])
    queue = f"peer-{language}"
    url = sqs.create_queue(QueueName=queue)["QueueUrl"]
    events = [event(number) for number in range(MESSAGES)]
    send(sqs, url, events)
    assert left(sqs, url) == MESSAGES
    environment = os.environ | {
        "QUEUE_URL": url,
        "AWS_ENDPOINT_URL": cloud["endpoint"],
        "AWS_REGION": region,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "OTEL_EXPORTER_OTLP_ENDPOINT": cloud["otlp"],
        "CONSUMER_MAX_POLLERS": "4",
        "CONSUMER_CONCURRENCY": "32",
        "WARM_UP": str(WARM_UP),
        "LOG": "on",
    }
    headers = [fields(event["detail"]["metadata"]["trace"]) for event in events]
    sampled = [header for header in headers if header["Sampled"] == "1"]
    expected = {(header["Root"], header["Parent"], f"process {queue}"): 1 for header in sampled}
    with tempfile.TemporaryFile("w+") as output:
        command = [HERE / language / "run", cache / language]
        arrived = lambda: len(spans(xray, sampled)) >= len(expected)
        reported = drain(command, environment, output, lambda: left(sqs, url), arrived)
        assert reported.splitlines().count("warm") == 1, reported
        output.seek(0)
        check_lines(output.read(), events)
    assert spans(xray, headers) == expected
    print(f"{language}: {MESSAGES} messages and log lines, {len(expected)} spans")


def main():
    program, cache, *languages = sys.argv[1:]
    cache = pathlib.Path(cache).resolve()
    for language in languages or LANGUAGES:
        built = subprocess.run([HERE / language / "build", cache / language], check=False)
        if built.returncode == NO_TOOLCHAIN:
            print(f"{language}: skipped")
            continue
        built.check_returncode()
        addresses = ["--address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0"]
        with running([program, "cloud", "--json", *addresses], stdout=subprocess.PIPE) as cloud:
            check(language, cache, json.loads(cloud.stdout.readline()))


main()
