"""Compares the sampler with OpenTelemetry's for JavaScript: the same rules from the same X-Ray, the same requests.

Usage: compare.py DECIDE JAVASCRIPT
DECIDE is the compiled example `decide`, JAVASCRIPT the directory of JavaScript's packages. Run it by with_engine.py.

Neither program is asked which rule decided, which JavaScript's sampler could not say. Every rule has a number, and samples
all or nothing by one digit of it; after a run for each digit, the decisions about a request spell the number of its rule.
"""

import collections
import concurrent.futures
import os
import pathlib
import sys

import boto3

from deciders import Decider
from rules import create, set_rate
from scenario import DIFFERENCES, PRIORITIES, RULES, generated, same_to_both
from shares import compare_rates, compare_reservoirs

HERE = pathlib.Path(__file__).parent
NUMBERS = {name: number for number, name in enumerate([*RULES, "Default"], 1)}
DIGITS = max(NUMBERS.values()).bit_length()
REQUESTS = 600
SEED = 14


def commands(decide, javascript):
    endpoint = os.environ["AWS_ENDPOINT_URL_XRAY"]
    return {
        "ours": [decide, endpoint],
        "javascript": ["node", HERE / "javascript/decide.mjs", pathlib.Path(javascript).resolve(), endpoint],
    }


def decisions(command, services, requests):
    with Decider(command) as decider:
        decider.wait_for_rules(services)
        return decider.decide(requests)


def rules_taken(xray, programs, requests):
    """Returns for each program which rule took each request."""
    services = []
    for request in requests:
        if request["resource"] not in services:
            services.append(request["resource"])
    numbers = {program: [0] * len(requests) for program in programs}
    for digit in range(DIGITS):
        for name, number in NUMBERS.items():
            set_rate(xray, name, 1.0 if name == "probe" else float(number >> digit & 1))
        with concurrent.futures.ThreadPoolExecutor() as threads:
            decided = threads.map(lambda command: decisions(command, services, requests), programs.values())
        for program, answers in zip(programs, decided):
            for place, answer in enumerate(answers):
                numbers[program][place] |= answer["sampled"] << digit
                if answer["rule"]:
                    assert NUMBERS[answer["rule"]] >> digit & 1, f"{answer} about {requests[place]}"
    names = {number: name for name, number in NUMBERS.items()}
    return {program: [names[number] for number in found] for program, found in numbers.items()}


def compare_rules(xray, programs):
    """Both take the same rule for each request, if known differences are written out, and differ only by these if not."""
    for name, changes in RULES.items():
        create(xray, name, PRIORITIES[name], **changes)
    requests = generated(REQUESTS, SEED)
    rewritten, known = zip(*map(same_to_both, requests))
    taken = rules_taken(xray, programs, [*requests, *rewritten])
    ours, javascript = taken["ours"], taken["javascript"]

    for place, request in enumerate(rewritten, len(requests)):
        assert ours[place] == javascript[place], f"{ours[place]} and {javascript[place]} take {request}"
    unused = set(NUMBERS) - {"probe", "tied-b"} - set(ours)
    assert not unused, f"no request was for {unused}"
    seen = collections.Counter()
    for place, request in enumerate(requests):
        if ours[place] != javascript[place]:
            assert known[place], f"{ours[place]} and {javascript[place]} take {request}"
            if len(known[place]) == 1:
                seen.update(known[place])
    unseen = {difference.__name__ for difference in DIFFERENCES} - set(seen)
    assert not unseen, f"no longer differences: {unseen}"
    print(f"{len(rewritten)} requests, {len(RULES) + 1} rules: both samplers take the same rule for each")
    print(f"as they were generated, they take different ones by a single known difference: {dict(seen)}")
    for name in set(RULES) - {"probe"}:
        xray.delete_sampling_rule(RuleName=name)


def main(decide, javascript):
    xray = boto3.client("xray")
    programs = commands(decide, javascript)
    compare_rules(xray, programs)
    set_rate(xray, "Default", 0.0)
    compare_rates(xray, programs)
    compare_reservoirs(xray, programs)


if __name__ == "__main__":
    main(*sys.argv[1:])
