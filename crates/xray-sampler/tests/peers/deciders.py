"""Processes that decide about requests, a line of JSON each."""

import json
import subprocess
import threading
import time

# Without rules, one a second is sampled, and 5 % by their trace ids. This is none of them: neither the second half, by which
# ours decides, nor the exclusive disjunction of the quarters, by which JavaScript's does, is small.
NEVER = "ffffffff00000000ffffffffffffffff"
PROBE = {"probe": "yes"}


class Decider:
    """A process with samplers of services, from the compiled example `decide` or from decide.mjs."""

    def __init__(self, command):
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.stdin.close()
        self._process.wait(30)

    def decide(self, requests):
        """Returns the decision about each request. Both ends read while they write, so that neither pipe fills up."""
        def write():
            self._process.stdin.writelines(json.dumps(request) + "\n" for request in requests)
            self._process.stdin.flush()

        writer = threading.Thread(target=write)
        writer.start()
        decisions = [json.loads(self._process.stdout.readline()) for _ in requests]
        writer.join()
        return decisions

    def wait_for_rules(self, resources):
        """Waits until the samplers of services have rules, of which one samples whatever has the attribute `probe`."""
        deadline = time.monotonic() + 20
        for resource in resources:
            probes = [{"resource": resource, "attributes": PROBE, "trace_id": NEVER}] * 5
            while not all(decision["sampled"] for decision in self.decide(probes)):
                assert time.monotonic() < deadline, "waited 20s for sampling rules"
                time.sleep(0.01)
