"""Compares how much is sampled: at a rate, and of a reservoir that X-Ray divides."""

import concurrent.futures
import contextlib
import math
import random
import time

from deciders import NEVER, Decider
from rules import create

SERVICE = {"service.name": "shares"}
RATES = {"nothing": 0.0, "a tenth": 0.1, "everything": 1.0}
DECISIONS = 5_000

RESERVOIR = 5
# Decisions a second of each process.
PACE = 25
# Processes that share one reservoir, and sample a tenth of what it leaves.
SHARING, SHARED_RATE = 4, 0.1
# A trace that ours samples at any rate but 0, by the second half of its id, as it does not sample NEVER.
ALWAYS = "ffffffff000000000000000000000001"
# Seconds since a process has had rules. It reports every ten seconds, a little more at random, since it began to fetch them.
# At the second report, X-Ray has known of every process.
BORROWING, ASSIGNED = (1.0, 8.5), (22.0, 28.5)


def within(what, found, expected, most):
    assert abs(found - expected) <= most, f"{what}: {found} sampled instead of {expected:.0f} ± {most:.0f}"
    print(f"{what}: {found} sampled, expected {expected:.0f} ± {most:.0f}")


def compare_rates(xray, programs):
    for priority, (name, rate) in enumerate(RATES.items(), 2):
        create(xray, f"rate of {name}", priority, Attributes={"rate": name}, FixedRate=rate)
    for program, command in programs.items():
        with Decider(command) as decider:
            decider.wait_for_rules([SERVICE])
            for name, rate in RATES.items():
                requests = [{"resource": SERVICE, "attributes": {"rate": name}}] * DECISIONS
                sampled = sum(decision["sampled"] for decision in decider.decide(requests))
                # Five standard deviations, which chance exceeds once in a million.
                within(f"{program}, {name} of {DECISIONS}", sampled, rate * DECISIONS, 5 * math.sqrt(DECISIONS * rate * (1 - rate)))


class Paced:
    """Decisions of one process about a request, again and again, at a pace."""

    def __init__(self, name, decider, seed):
        self.name = name
        self.decider = decider
        self.rate = SHARED_RATE if name == "sharing" else 0.0
        self.random = random.Random(seed)
        # When the reservoir sampled a trace that the rate would not have, in seconds since there were rules.
        self.from_reservoir = []

    def run(self):
        self.decider.wait_for_rules([SERVICE])
        start, number = time.monotonic(), 0
        while (due := number / PACE) < ASSIGNED[1]:
            time.sleep(max(0.0, start + due - time.monotonic()))
            by_rate = self.random.random() < self.rate
            request = {"resource": SERVICE, "attributes": {"reservoir": self.name}, "trace_id": ALWAYS if by_rate else NEVER}
            [decision] = self.decider.decide([request])
            if by_rate:
                assert decision["sampled"], "the rate samples what the reservoir leaves"
            elif decision["sampled"]:
                self.from_reservoir.append(time.monotonic() - start)
            number += 1
        return self


def compare_reservoirs(xray, programs):
    """A reservoir for each program alone, and one for four processes of ours."""
    groups = {**{program: [command] for program, command in programs.items()}, "sharing": [programs["ours"]] * SHARING}
    for priority, name in enumerate(groups, 10):
        rate = SHARED_RATE if name == "sharing" else 0.0
        create(xray, f"reservoir of {name}", priority, Attributes={"reservoir": name}, ReservoirSize=RESERVOIR, FixedRate=rate)
    with contextlib.ExitStack() as stack:
        paced = [
            Paced(name, stack.enter_context(Decider(command)), seed)
            for name, commands in groups.items() for seed, command in enumerate(commands)
        ]
        with concurrent.futures.ThreadPoolExecutor(len(paced)) as threads:
            list(threads.map(Paced.run, paced))
    for name in groups:
        processes = [each for each in paced if each.name == name]
        check_window(f"{name}, borrowing", processes, BORROWING, len(processes))
        check_window(f"{name}, with quotas", processes, ASSIGNED, RESERVOIR)
    check_statistics(xray)


def check_window(what, processes, window, per_second):
    """Checks how many traces the reservoir added to those of the rate within a window."""
    begin, end = window
    found = sum(begin <= at < end for process in processes for at in process.from_reservoir)
    # The reservoir comes first, and takes some that the rate would have sampled as well.
    expected = per_second * (end - begin) * (1 - processes[0].rate)
    # A second's worth in all at the ends and where JavaScript's sampler begins anew with a target. What remains of a division,
    # one a second, may be given to two processes or none, if they report in different intervals.
    remainder = end - begin if per_second == RESERVOIR and RESERVOIR % len(processes) else 0
    within(what, found, expected, 1.5 * per_second + 1 + remainder)


def check_statistics(xray):
    """X-Ray knows what was sampled, as far as it has been reported."""
    rows = xray.get_paginator("get_sampling_statistic_summaries").paginate().build_full_result()["SamplingStatisticSummaries"]
    rows = [row for row in rows if row["RuleName"] == "reservoir of sharing"]
    requests, sampled, borrowed = (sum(row[count] for row in rows) for count in ("RequestCount", "SampledCount", "BorrowCount"))
    # Each process has reported twice, of twenty seconds in all, the first ten without a quota, less what its start took.
    assert requests >= SHARING * PACE * 15, rows
    assert SHARING * 5 <= borrowed <= SHARING * 12, rows
    assert 0 < sampled < requests, rows
    print(f"sharing: {requests} requests reported, {sampled} sampled, {borrowed} of them borrowed")
