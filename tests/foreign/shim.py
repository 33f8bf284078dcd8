"""The shim adds what ministack lacks for the layer to run on it: a Pipe to an event bus.

Usage: shim.py ENDPOINT
ministack takes a Pipe whose target is a bus, and then holds its records for ever. This program does the Pipe's work, as
the deployed template describes it: it follows the stream, takes the records that pass a filter, renders the input
template and puts the result on the bus. Its other half, what becomes of a record that the bus refuses, is not here: the
program ends with an error then, and with it the run.

What the templates may say here is what the outbox needs: filters by equality and by prefix, and JSON paths by names.
"""

import json
import re
import sys
import threading
import time

import yaml

import emulator

# Placeholders, and the quotes that decide whether they are inside a string. Names have no spaces and no quotes.
TOKEN = re.compile(r'"|\\.|<([^<>"\s]+)>')
POLL_S = 0.02


class Pipe:
    """A Pipe of a deployed template."""

    def __init__(self, properties, source, target):
        stream = properties["SourceParameters"]["DynamoDBStreamParameters"]
        filters = properties["SourceParameters"]["FilterCriteria"]["Filters"]
        parameters = properties["TargetParameters"]
        self.source = source
        self.target = target
        self.starting_position = stream["StartingPosition"]
        self.batch_size = stream["BatchSize"]
        self.patterns = [json.loads(one["Pattern"]) for one in filters]
        self.bus_parameters = parameters["EventBridgeEventBusParameters"]
        self.template = parameters["InputTemplate"]

    def event(self, record):
        """Returns the entry for PutEvents, or None if no filter matches the record. A Pipe passes on no trace header."""
        if not any(matches(pattern, record) for pattern in self.patterns):
            return None
        return {
            "EventBusName": self.target,
            "Source": at(record, self.bus_parameters["Source"]),
            "DetailType": at(record, self.bus_parameters["DetailType"]),
            "Detail": render(self.template, record),
        }

    def follow(self, streams, events):
        """Puts the stream's events on the bus, in order, forever."""
        shards = streams.describe_stream(StreamArn=self.source)["StreamDescription"]["Shards"]
        if len(shards) != 1:
            raise SystemExit(f"{self.source} has {len(shards)} shards; this follows one")
        iterator = streams.get_shard_iterator(
            StreamArn=self.source, ShardId=shards[0]["ShardId"], ShardIteratorType=self.starting_position
        )["ShardIterator"]
        while True:
            batch = streams.get_records(ShardIterator=iterator, Limit=self.batch_size)
            entries = [event for record in batch["Records"] if (event := self.event(record))]
            if entries:
                answer = events.put_events(Entries=entries)
                if answer["FailedEntryCount"]:
                    raise SystemExit(f"the bus refused events: {answer['Entries']}")
            if not batch["Records"]:
                time.sleep(POLL_S)
            iterator = batch["NextShardIterator"]


def matches(pattern, value):
    """Matches EventBridge patterns, as far as they are needed."""
    if isinstance(pattern, dict):
        return isinstance(value, dict) and all(matches(inner, value.get(name)) for name, inner in pattern.items())
    return any(accepts(condition, value) for condition in pattern)


def accepts(condition, value):
    if not isinstance(condition, dict):
        return condition == value
    match condition:
        case {"prefix": prefix, **rest} if not rest:
            return isinstance(value, str) and value.startswith(prefix)
        case {"exists": exists, **rest} if not rest:
            return (value is not None and not isinstance(value, dict)) == exists
    raise SystemExit(f"unsupported filter condition: {condition}")


def at(record, path):
    """Returns the value at a path such as `$.dynamodb.Keys.pk.S`, or an empty string if there is none, as on AWS."""
    value = record
    for name in path.split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return "" if value is None else value


def render(template, record):
    """Fills the placeholders of a template: outside quotes with a JSON value, inside with a part of the string."""
    quoted = False

    def replace(token):
        nonlocal quoted
        if token[0] == '"':
            quoted = not quoted
        if token[1] is None:
            return token[0]
        value = at(record, token[1])
        if not quoted:
            return as_json(value)
        return as_json(value if isinstance(value, str) else as_json(value))[1:-1]

    return TOKEN.sub(replace, template)


def as_json(value):
    # boto3 returns timestamps as datetime.
    return json.dumps(value, ensure_ascii=False, default=str)


def deployed(aws):
    """Returns the Pipes of all stacks."""
    cloudformation, pipes = aws.client("cloudformation"), aws.client("pipes")
    for stack in cloudformation.describe_stacks()["Stacks"]:
        body = cloudformation.get_template(StackName=stack["StackName"])["TemplateBody"]
        template = yaml.safe_load(body) if isinstance(body, str) else body
        for name, resource in template["Resources"].items():
            if resource["Type"] == "AWS::Pipes::Pipe":
                physical = cloudformation.describe_stack_resource(StackName=stack["StackName"], LogicalResourceId=name)
                pipe = pipes.describe_pipe(Name=physical["StackResourceDetail"]["PhysicalResourceId"])
                yield Pipe(resource["Properties"], pipe["Source"], pipe["Target"])


def main(endpoint):
    aws = emulator.Emulator(endpoint)
    failed = threading.Event()

    def run(pipe):
        try:
            pipe.follow(aws.client("dynamodbstreams"), aws.client("events"))
        finally:
            failed.set()

    for pipe in deployed(aws):
        # Not printed by the threads: concurrent prints can share a line, which would hide "ready".
        print(f"{pipe.source} -> {pipe.target}", flush=True)
        threading.Thread(target=run, args=[pipe], daemon=True).start()
    print("ready", flush=True)
    failed.wait()
    raise SystemExit("a Pipe has ended")


if __name__ == "__main__":
    main(sys.argv[1])
