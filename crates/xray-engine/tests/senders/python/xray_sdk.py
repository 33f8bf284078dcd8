"""Sends orders with AWS's X-Ray SDK for Python, as an application does that has the X-Ray daemon beside it.

Usage: xray_sdk.py SENDER START
The daemon's addresses are in AWS_XRAY_DAEMON_ADDRESS. SENDER is put before the names of services. Calls of AWS are made with
boto3, which the SDK instruments, and answered by botocore's stub. START is ignored: the SDK takes the time itself. Prints
the ids of the traces.
"""

import json
import pathlib
import sys
import time

import boto3
from aws_xray_sdk.core import patch, xray_recorder
from aws_xray_sdk.core.models import http
from botocore.stub import Stubber

SCENARIO = json.loads(pathlib.Path(__file__).parent.with_name("scenario.json").read_text())
AGE = SCENARIO["spans"]["process"]["from"] - SCENARIO["spans"]["send"]["to"]


def wait_for_rules():
    """Waits until the SDK's sampler has fetched rules, which it does on a thread of its own."""
    deadline = time.monotonic() + 20
    # It returns the name of the rule; without one, whether the local rules sample.
    while not isinstance(xray_recorder.sampler.should_trace(), str):
        assert time.monotonic() < deadline, "waited 20s for sampling rules"
        time.sleep(0.01)


def stubbed(name, operation, response):
    client = boto3.client(name, region_name="eu-central-1")
    stubber = Stubber(client)
    stubber.add_response(operation, {"ResponseMetadata": {"HTTPStatusCode": 200, "RequestId": "id"}, **response})
    stubber.activate()
    return client


def describe(segment, request, status):
    """Describes the HTTP request that a segment answers."""
    attributes = SCENARIO["spans"][request]["attributes"]
    url = f"{attributes['url.scheme']}://{attributes['server.address']}{attributes['url.path']}"
    segment.put_http_meta(http.URL, url)
    segment.put_http_meta(http.METHOD, attributes["http.request.method"])
    segment.put_http_meta(http.STATUS, status)
    if client := attributes.get("client.address"):
        segment.put_http_meta(http.CLIENT_IP, client)
        segment.put_http_meta(http.USER_AGENT, attributes["user_agent.original"])


def order(sender):
    """Takes an order, which a worker handles later. Returns the ids of its trace and of the subsegment that sent the message."""
    attributes = SCENARIO["spans"]["order"]["attributes"]
    table = stubbed("dynamodb", "put_item", {})
    queue = stubbed("sqs", "send_message", {"MessageId": "m"})
    with xray_recorder.in_segment(f"{sender}-shop") as segment:
        describe(segment, "order", 200)
        segment.set_user(f"alice-{sender}")
        for key in attributes["aws.xray.annotations"]:
            segment.put_annotation(key, attributes[key])
        table.put_item(TableName="orders", Item={"id": {"S": "A-17"}})
        queue.send_message(QueueUrl=SCENARIO["spans"]["send"]["attributes"]["aws.queue_url"], MessageBody="A-17")
        message = segment.subsegments[-1]
    process = xray_recorder.begin_segment(f"{sender}-worker", traceid=segment.trace_id, parent_id=message.id, sampling=1)
    process.start_time = message.end_time + AGE
    process.put_annotation("attempt", 1)
    xray_recorder.end_segment(process.start_time + 0.375)
    return segment.trace_id


def failure(sender):
    """Fails to charge a card."""
    try:
        with xray_recorder.in_segment(f"{sender}-shop") as segment:
            describe(segment, "failure", 500)
            with xray_recorder.in_subsegment("charge card"):
                raise ValueError(SCENARIO["exception"])
    except ValueError:
        return segment.trace_id


def main(sender, _start):
    xray_recorder.configure(service=sender, sampling=True, context_missing="RUNTIME_ERROR")
    patch(("botocore",))
    wait_for_rules()
    traces = {"order": order(sender), "failure": failure(sender)}
    print(json.dumps({name: trace.replace("-", "")[1:] for name, trace in traces.items()}))


if __name__ == "__main__":
    main(*sys.argv[1:])
