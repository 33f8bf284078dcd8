"""Compares how much is sampled: at a rate, and of a reservoir that X-Ray divides."""

import concurrent.futures
import contextlib
import math
import time

from deciders import Decider
from rules import create

SERVICE = {"service.name": "shares"}
RATES = {"nothing": 0.0, "a tenth": 0.1, "everything": 1.0}
DECISIONS = 5_000

RESERVOIR = 5
# Decisions a second of each process.
PACE = 25
# Processes that share one reservoir, and sample a tenth of what it leaves.
SHARING, SHARED_RATE = 4, 0.1
# Seconds since a process has had rules. It reports every ten seconds, a little more at random, since it began to fetch them.
# At the second report, X-Ray has known of every process.
BORROWING, ASSIGNED = (1.0, 8.5), (22.0, 28.5)


def bound(mean_of, rate, slack):
    """Returns how far from the mean a count may be: five standard deviations, which chance exceeds once in a million."""
    return 5 * math.sqrt(mean_of * rate * (1 - rate)) + slack


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
                within(f"{program}, {name} of {DECISIONS}", sampled, rate * DECISIONS, bound(DECISIONS, rate, 0))


def at_a_pace(decider, reservoir):
    """Decides about a request again and again, and returns when one was sampled, in seconds since there were rules."""
    decider.wait_for_rules([SERVICE])
    request = [{"resource": SERVICE, "attributes": {"reservoir": reservoir}}]
    start, number, sampled = time.monotonic(), 0, []
    while (due := number / PACE) < ASSIGNED[1]:
        time.sleep(max(0.0, start + due - time.monotonic()))
        [decision] = decider.decide(request)
        if decision["sampled"]:
            sampled.append(time.monotonic() - start)
        number += 1
    return sampled


def compare_reservoirs(xray, programs):
    """A reservoir for each program alone, and one for four processes of ours."""
    groups = {**{program: [command] for program, command in programs.items()}, "sharing": [programs["ours"]] * SHARING}
    for priority, name in enumerate(groups, 10):
        rate = SHARED_RATE if name == "sharing" else 0.0
        create(xray, f"reservoir of {name}", priority, Attributes={"reservoir": name}, ReservoirSize=RESERVOIR, FixedRate=rate)
    sampled = {}
    with contextlib.ExitStack() as stack:
        deciders = [(name, stack.enter_context(Decider(command))) for name, commands in groups.items() for command in commands]
        with concurrent.futures.ThreadPoolExecutor(len(deciders)) as threads:
            running = [(name, threads.submit(at_a_pace, decider, name)) for name, decider in deciders]
            for name, times in running:
                sampled.setdefault(name, []).extend(times.result())
    for name, processes in groups.items():
        check_window(f"{name}, borrowing", sampled[name], BORROWING, len(processes), name == "sharing", len(processes))
        check_window(f"{name}, with quotas", sampled[name], ASSIGNED, RESERVOIR, name == "sharing", len(processes))
    check_statistics(xray)


def check_window(what, times, window, per_second, has_rate, processes):
    """Checks the number sampled within a window: the reservoir's, and the rate's of the rest."""
    begin, end = window
    taken = per_second * (end - begin)
    rest = max(0.0, processes * PACE * (end - begin) - taken)
    rate = SHARED_RATE if has_rate else 0.0
    # A second's worth at each end, and in JavaScript's sampler, which begins anew with every target, one more.
    slack = 1.5 * per_second + 1
    found = sum(begin <= time < end for time in times)
    within(what, found, taken + rate * rest, bound(rest, rate, slack))


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
