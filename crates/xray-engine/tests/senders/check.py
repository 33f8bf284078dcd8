"""Has SDKs of other languages send traces to an engine, and reads them back with boto3.

Usage: check.py JAVASCRIPT GO
JAVASCRIPT is the directory of JavaScript's packages, GO the compiled sender. Run it by with_engine.py. What is sent is in
scenario.json; what must be read, in reading.py, is the same for every sender.
"""

import json
import os
import pathlib
import subprocess
import sys
import time
from urllib.parse import urlsplit

import boto3

from daemon import Daemon
from reading import Sent, check

HERE = pathlib.Path(__file__).parent
SCENARIO = HERE / "scenario.json"
RULE = {
    "RuleName": "senders", "Priority": 1, "FixedRate": 1.0, "ReservoirSize": 0, "ServiceName": "*", "ServiceType": "*",
    "Host": "*", "HTTPMethod": "*", "URLPath": "*", "ResourceARN": "*", "Version": 1,
}


def send(command, sender, **environment):
    """Runs a sender, and returns the ids of the traces it sent."""
    start = f"{time.time() - 10:.3f}"
    done = subprocess.run([*command, sender, start], env={**os.environ, **environment}, capture_output=True, text=True)
    # A failed export is logged and not an error.
    assert done.returncode == 0 and not done.stderr, f"{sender}: {done.stderr}"
    return json.loads(done.stdout)


def send_by_daemon(xray, sender):
    # Without a rule, the SDK would sample by its own.
    xray.create_sampling_rule(SamplingRule=RULE)
    api = urlsplit(os.environ["AWS_ENDPOINT_URL_XRAY"]).netloc
    with Daemon(xray) as daemon:
        address = f"tcp:{api} udp:{daemon.address}"
        traces = send([sys.executable, HERE / "python/xray_sdk.py"], sender, AWS_XRAY_DAEMON_ADDRESS=address)
    assert daemon.unprocessed == [], daemon.unprocessed
    return traces


def main(javascript, go):
    xray = boto3.client("xray")
    send_javascript = ["node", HERE / "javascript/send.mjs", pathlib.Path(javascript).resolve()]
    senders = {
        "python": lambda sender: send([sys.executable, HERE / "python/send.py"], sender),
        "javascript": lambda sender: send([*send_javascript, "proto"], sender),
        "javascript-json": lambda sender: send([*send_javascript, "http"], sender),
        "go-grpc": lambda sender: send([go, SCENARIO], sender),
        "xray-sdk": lambda sender: send_by_daemon(xray, sender),
    }
    scenario = json.loads(SCENARIO.read_text())
    # All are sent before any is read, so that reading has to tell them apart.
    sent = [Sent(xray, scenario, name, by(name)) for name, by in senders.items()]
    for each in sent:
        print(f"{each.sender}: {len(each.traces)} traces, {check(each)} filter expressions: ok")


if __name__ == "__main__":
    main(*sys.argv[1:])
