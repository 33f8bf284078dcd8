"""Runs the layer on an emulator that we did not write, with the resources that CloudFormation creates from deploy/.

Usage: suite.py FOOSTORE_BINARY END_TO_END_TESTS
Runs the end-to-end tests, each on a separate emulator, then compares what local provisioning creates with what
the templates create, and deploys with the command line. Prints what was deployed, and every assertion that was left out.
"""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import compare
import deploying
import emulator
import shim
import stacks

HERE = pathlib.Path(__file__).parent
FIXTURE = HERE.parents[1] / "crates" / "local-cloud" / "fixtures" / "pipe.json"
TEST_LIMIT_S = 300
RUN = [
    "collector::trace::every_event_leaves_the_same_connected_trace_through_the_collector",
    "faults::a_thousand_events_twice_while_services_are_killed",
    "poison::a_malformed_message_is_dead_lettered_and_blocks_nothing",
    "traces::every_event_leaves_one_connected_trace",
]
# Tests that do not run here, by the beginning of their names. A new test goes into one of the two lists.
LEFT_OUT = {
    "architecture::": "reads the source and calls no AWS",
    "archive::": "reads objects by the AWS account of the local cloud, and needs faults on demand",
    "bounces::": "needs the events that SES publishes, which ministack does not",
    "chaos::": "starts a separate layer, and needs faults on demand",
    "ci::": "reads the steps of CI",
    "circles::": "reads the source and calls no AWS",
    "collector::every_component_": "compares the collector's configuration with its distribution",
    "collector::deployed::": "needs faults on demand; compares the metrics with what the alarms in deploy/ read",
    "collector::metrics::": "covers the services' metrics and their conversion by the collector",
    "collector::the_": "covers the collector's configuration and its build",
    "collector::roads::": "needs faults on demand; compares two ways to X-Ray, which is the local cloud's in both runs",
    "collector::what_compose_adds_": "covers where the collector sends spans besides X-Ray",
    "commands::": "runs the commands in documents, which use the local cloud",
    "compose::": "reads docker compose's files",
    "dead_letters::": "compares traces and queues after redrives, and reads the mail of the local cloud",
    "discounts::": "searches the local X-Ray by annotation",
    "dashboards::": "covers Grafana's queries to Prometheus",
    "erasure::": "needs faults on demand",
    "faults::a_bus_that_throttles_": "needs faults on demand",
    "faults::messages_delivered_twice_": "needs faults on demand",
    "hanging::": "needs faults on demand",
    "headers::": "covers how ingest reads headers, and the way behind it is the same for all",
    "killed::": "needs faults on demand, and looks at every trace of the local X-Ray",
    "collector::away::": "counts spans, and compares no AWS",
    "collector::killed::": "needs faults on demand",
    "poison::messages_too_large_": "needs SQS's limit of message sizes",
    "load::": "is about the command line, and measures nothing of AWS",
    "logs::": "is about the command line, and its answers from CloudWatch Logs are scripted",
    "mails::": "needs faults on demand, and the order and tags of mails as the local cloud keeps them",
    "metrics::": "is about the command line, and reads the metrics that the local cloud keeps",
    "misconfigured::": "needs faults on demand, and SNS's subscriptions as the local cloud keeps them",
    "pushes::": "needs the receiver of webhooks and faults on demand",
    "replay::": "reads the local cloud's mails, and covers ingest's signatures and membership's marker",
    "replayed::": "is about the command line, and searches the local X-Ray by annotation",
    "restart::": "restarts the local cloud",
    "rewards::": "reads the logs and the dead-letter queue of redemptions that wait, and adds a rule to the bus",
    "runs::": "is about the command line, and reads the mail of the local cloud",
    "sampling::": "is about the sampling rules of X-Ray, which is the local cloud's in both runs",
    "schemas::": "is about the command line, and needs faults on demand",
    "soak::": "measures the local cloud",
    "roles::": "needs the local cloud's record of who called what, and faults on demand",
    "outbox::": "is about the command line",
    "thirty::": "measures services beside the layer",
    "traces::the_tree_": "needs faults on demand",
    "wallet::": "needs the receiver of pushes to phones and faults on demand",
    "xray_commands::": "is about the command line and the local X-Ray",
    "telemetry_docs::": "compares a document with the source and a run with faults on demand",
    "new_service::": "is about a service made by the command line, and needs faults on demand",
}
# Properties that no test covers here.
NOT_SHOWN = {
    "native trace headers over EventBridge and SNS": "ministack drops them; between our services metadata.trace decides",
}


def main(foostore, tests):
    check_shim()
    tests = pathlib.Path(tests).resolve()
    check_lists(tests)
    failed = [test for test in RUN if not passes(test, tests)]
    failed += compare.run(foostore)
    deploying.run(foostore)
    for what, why in [*((f"{start}*", why) for start, why in LEFT_OUT.items()), *NOT_SHOWN.items()]:
        print(f"left out on the foreign emulator: {what}: {why}")
    if failed:
        raise SystemExit(f"failed on the foreign emulator: {', '.join(failed)}")


def check_shim():
    """Checks that the shim converts records as the local cloud's Pipe does: both use the same fixture."""
    fixture = json.loads(FIXTURE.read_text())
    pipe = shim.Pipe(fixture["pipe"], fixture["pipe"]["Source"], fixture["pipe"]["Target"])
    for case in fixture["cases"]:
        event = pipe.event(case["record"])
        made = event and {
            "source": event["Source"],
            "detail-type": event["DetailType"],
            "detail": json.loads(event["Detail"]),
        }
        assert made == case["event"], (case["what"], made)


def check_lists(tests):
    listed = subprocess.run([tests, "--list", "--format", "terse"], check=True, capture_output=True, text=True).stdout
    names = [line.removesuffix(": test") for line in listed.splitlines() if line.endswith(": test")]
    unknown = [name for name in names if name not in RUN and not name.startswith(tuple(LEFT_OUT))]
    gone = [name for name in RUN if name not in names]
    gone += [start for start in LEFT_OUT if not any(name.startswith(start) for name in names)]
    if unknown or gone:
        raise SystemExit(f"{__file__} does not list {unknown}, and lists {gone}, which do not exist")


def passes(test, tests):
    """Runs one test, and prints what it left out."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory, emulator.running() as aws:
        deployed, left_out = stacks.deploy(aws)
        if test == RUN[0]:
            print("deployed: " + ", ".join(f"{kind} {number}" for kind, number in sorted(deployed.items())))
            print("not deployed: " + ", ".join(f"{kind} {number}" for kind, number in sorted(left_out.items())))
        omissions = pathlib.Path(directory, "left-out")
        environment = {"FOOSTORE_TEST_ENDPOINT": aws.url, "FOOSTORE_TEST_LEFT_OUT": str(omissions)}
        with shim_running(aws) as pipes:
            code, output = ended([tests, "--exact", test], environment)
            passed = code == 0 and pipes.poll() is None
        skipped = passed and "skipped: " in output
        verdict = "skipped" if skipped else "ok" if passed else "FAILED"
        print(f"{verdict}: {test} ({time.monotonic() - started:.0f} s)", flush=True)
        if skipped or not passed:
            print(output)
        for omission in sorted(set(omissions.read_text().splitlines())) if omissions.exists() else []:
            print(f"left out on the foreign emulator: {omission}")
        return passed


def ended(command, environment):
    """Runs a test, or kills it and its children if it takes too long. Returns its exit code and output."""
    test = subprocess.Popen(
        command,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        output, _ = test.communicate(timeout=TEST_LIMIT_S)
    except subprocess.TimeoutExpired:
        os.killpg(test.pid, signal.SIGKILL)
        output = test.communicate()[0] + f"\nended after {TEST_LIMIT_S} s"
    return test.returncode, output


@contextlib.contextmanager
def shim_running(aws):
    """Starts the shim, and stops it."""
    pipes = subprocess.Popen([sys.executable, HERE / "shim.py", aws.url], stdout=subprocess.PIPE, text=True)
    try:
        for line in pipes.stdout:
            if line == "ready\n":
                break
        yield pipes
    finally:
        pipes.kill()
        pipes.wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
