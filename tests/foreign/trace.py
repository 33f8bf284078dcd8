"""Reads a trace with boto3, AWS's own SDK for Python, as an engineer's script would.

Usage: trace.py FOOSTORE_BINARY
Starts the layer on ports given by the system, posts a renaming over plain HTTP, and holds the trace that
boto3 reads against what is promised. The other tests read it with the Rust SDK; this one shares no code with them.
"""

import datetime
import json
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
import uuid

import boto3

FIVE_SECONDS = 5
CUSTOMER = "420000000777"


def post(ingest, event, headers=None):
    request = urllib.request.Request(
        f"{ingest}/v1/events",
        json.dumps(event).encode(),
        {"Content-Type": "application/json", **(headers or {})},
    )
    with urllib.request.urlopen(request) as response:
        assert response.status == 202, response.status
        return json.load(response)


def flat(document, parent=None):
    """Yields the document and all its subsegments, each with its parent."""
    if parent:
        document["parent_id"] = parent
    yield document
    for subsegment in document.pop("subsegments", []):
        yield from flat(subsegment, document["id"])


def whole_trace(xray, trace_id, deadline, caller=None):
    """Returns the trace's documents once the mail is in it and no parent is missing."""
    while True:
        traces = xray.batch_get_traces(TraceIds=[trace_id])["Traces"]
        assert len(traces) <= 1, "more than one trace"
        segments = [json.loads(s["Document"]) for trace in traces for s in trace["Segments"]]
        # Inferred segments repeat the calls that they are inferred from.
        segments = [segment for segment in segments if not segment.get("inferred")]
        names = {segment["name"] for segment in segments if segment.get("type") != "subsegment"}
        documents = [part for segment in segments for part in flat(segment)]
        ids = {part["id"] for part in documents}
        sent = any(part["name"] == "SES" for part in documents)
        # A missing parent is a segment that has not arrived yet, unless it is the caller's.
        awaited = {part["parent_id"] for part in documents if part.get("parent_id")} - ids - {caller}
        if sent and not awaited:
            return documents
        assert time.monotonic() < deadline, f"only {names} after {FIVE_SECONDS} s"
        time.sleep(0.05)


def check(ingest, xray, headers, caller=None, root=None):
    event_id = None
    started = time.monotonic()
    answer = post(
        ingest,
        {
            "type": "CustomerRenamed",
            "customer_number": CUSTOMER,
            # Another one each time: what changes nothing is not mailed.
            "data": {"name": {"given": f"Ada {uuid.uuid4().hex}", "family": "Lovelace"}},
        },
        headers,
    )
    event_id, trace_id = answer["event_id"], answer["trace_id"]
    assert root is None or trace_id == root, (trace_id, root)
    documents = whole_trace(xray, trace_id, started + FIVE_SECONDS, caller)

    ids = [part["id"] for part in documents]
    assert len(ids) == len(set(ids)), "an id twice"
    roots = [part for part in documents if part.get("parent_id") in (None, caller)]
    assert [part["name"] for part in roots] == ["ingest"], roots
    for part in documents:
        parent = part.get("parent_id")
        assert parent in (None, caller) or parent in ids, f"{part['name']} has no parent in the trace"
    calls = {(part["name"], part["aws"]["operation"]) for part in documents if part.get("namespace") == "aws"}
    for call in [("EventBridge", "PutEvents"), ("DynamoDB", "TransactWriteItems"), ("SES", "SendEmail")]:
        assert call in calls, (call, calls)
    assert {("SNS", "PublishBatch"), ("SNS", "Publish")} & calls, calls
    annotations = roots[0]["annotations"]
    assert annotations["customer_number"] == CUSTOMER, annotations
    assert annotations["event_id"] == event_id, annotations
    assert annotations["event_type"] == "CustomerRenamed", annotations

    now = datetime.datetime.now(datetime.timezone.utc)
    summaries = xray.get_trace_summaries(
        StartTime=now - datetime.timedelta(minutes=5),
        EndTime=now + datetime.timedelta(minutes=1),
        FilterExpression=f'annotation.event_id = "{event_id}"',
    )["TraceSummaries"]
    assert [summary["Id"] for summary in summaries] == [trace_id], summaries
    print(f"ok: {headers or 'no context'} -> {trace_id}, {len(documents)} documents")


def main(binary):
    with tempfile.TemporaryDirectory() as logs:
        up = subprocess.Popen(
            [binary, "up", "--json", "--no-traffic", "--log-dir", logs]
            + ["--cloud-address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0", "--ingest-address", "127.0.0.1:0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        try:
            ready = json.loads(up.stdout.readline())
            xray = boto3.client(
                "xray",
                endpoint_url=ready["endpoint"],
                region_name="eu-central-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",
            )
            enrolment = {
                "type": "CustomerEnrolled",
                "customer_number": CUSTOMER,
                "data": {
                    "name": {"given": "Ada", "family": "Byron"},
                    "email": "ada@mail.example",
                    "channels": ["email"],
                },
            }
            trace_id = post(ready["ingest"], enrolment)["trace_id"]
            whole_trace(xray, trace_id, time.monotonic() + FIVE_SECONDS)

            second = f"{int(time.time()):08x}"
            own = [f"1-{second}-{number:024x}" for number in range(1, 5)]
            caller = "53995c3f42cd8ad8"
            name = "X-Amzn-Trace-Id"
            check(ready["ingest"], xray, {})
            check(ready["ingest"], xray, {name: f"Root={own[0]};Parent={caller};Sampled=1"}, caller, own[0])
            check(ready["ingest"], xray, {name: f"Root={own[1]};Sampled=?"}, None, own[1])
            check(ready["ingest"], xray, {name: f"Root={own[2]}"}, None, own[2])
            check(ready["ingest"], xray, {name: f"Self=1-{second}-0123456789abcdef01234567;Root={own[3]}"}, None, own[3])
            check(ready["ingest"], xray, {name: "rubbish"})
        finally:
            up.send_signal(signal.SIGTERM)
            assert up.wait(30) == 0, up.returncode


main(sys.argv[1])
