"""Compares what local provisioning creates with what the templates create, attribute by attribute.

Both create the same environment, each on a separate emulator, and boto3 reads both. ministack discards some settings: its
CloudFormation some properties of tables and topics, its API the parameters of a Pipe. Of the templates
these are read from the template; the parameters of the Pipe that provisioning makes, from the local cloud, which keeps
them.
"""

import contextlib
import fnmatch
import json
import subprocess

import emulator
import stacks

ACCOUNT = "000000000000"
PREFIX = f"foostore-{stacks.ENVIRONMENT}"
# Attributes that depend on the time or the run rather than on the request.
MOMENTARY = {
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesDelayed",
    "ApproximateNumberOfMessagesNotVisible",
    "CreatedTimestamp",
    "CreationDateTime",
    "CreationTime",
    "LastModifiedTime",
    "LastModifiedTimestamp",
    "LatestStreamArn",
    "LatestStreamLabel",
    "ResponseMetadata",
    "TableId",
}
# Every permitted difference, as a pattern over `resource/attribute`, with the reason. One that no longer occurs must go.
EXPECTED = {
    "queue */KmsMasterKeyId": "the key of production; emulators do not encrypt",
    "table */Encrypted": "the key of production; emulators do not encrypt",
    "topic */Encrypted": "the key of production; emulators do not encrypt",
    "table */PointInTimeRecovery": "for production; an emulator's tables end with it",
    "table */DeletionProtectionEnabled": "for production; an emulator's tables end with it",
    "topic foostore-local-alarms/*": "only the templates have alarms: a laptop wakes nobody",
    "topic foostore-local-notifications/Policy/*": "the templates require TLS, which emulators lack",
    "mail identity */*": "in production the sender's domain is verified once per account, outside the stacks",
    "topic foostore-local-notifications/DisplayName": "set by neither: ministack's CloudFormation uses the name",
    "table */ProvisionedThroughput/*": "billed per request in both: ministack reports 5 for CloudFormation, 0 for the API",
    "table */GlobalSecondaryIndexes/*/IndexArn": "ministack reports it for CreateTable only",
    "table */GlobalSecondaryIndexes/*/IndexSizeBytes": "ministack reports it for CreateTable only",
    "table */GlobalSecondaryIndexes/*/IndexStatus": "ministack reports it for CreateTable only",
    "table */GlobalSecondaryIndexes/*/ItemCount": "ministack reports it for CreateTable only",
    "rule */CreatedBy": "ministack reports it for PutRule only",
    "subscription */ConfirmationWasAuthenticated": "ministack reports it for Subscribe only",
    "subscription */PendingConfirmation": "ministack reports it for Subscribe only",
    "subscription */FilterPolicyScope": "the default in both: ministack reports it for CloudFormation only",
}


def run(foostore):
    """Prints the differences. Returns those that are not permitted."""
    with emulator.running() as aws:
        stacks.deploy(aws)
        templates = picture(aws) | from_templates()
    with emulator.running() as aws:
        provision(foostore, aws.url)
        provisioned = picture(aws) | forgotten(aws)
    with local_cloud(foostore) as cloud:
        provision(foostore, cloud.url)
        provisioned |= pipe_parameters(cloud)
    return compare(templates, provisioned)


def compare(templates, provisioned):
    absent = object()
    seen, wrong = set(), []
    for attribute in sorted(templates.keys() | provisioned.keys()):
        pair = [side.get(attribute, absent) for side in (templates, provisioned)]
        if pair[0] == pair[1]:
            continue
        reasons = [pattern for pattern in EXPECTED if fnmatch.fnmatchcase(attribute, pattern)]
        seen.update(reasons)
        if not reasons:
            shown = ["absent" if value is absent else json.dumps(value) for value in pair]
            wrong.append(f"{attribute} is {shown[0]} with the templates and {shown[1]} with provisioning")
    wrong += [f"{pattern} is expected to differ and does not" for pattern in EXPECTED if pattern not in seen]
    print(f"compared: {len(templates)} attributes by the templates with {len(provisioned)} by local provisioning")
    for pattern, why in EXPECTED.items():
        print(f"may differ: {pattern}: {why}")
    for difference in wrong:
        print(f"DIFFERS: {difference}")
    return ["templates and local provisioning"] if wrong else []


def provision(foostore, url):
    subprocess.run([foostore, "provision", "--endpoint-url", url], check=True, stdout=subprocess.DEVNULL)


@contextlib.contextmanager
def local_cloud(foostore):
    command = [foostore, "cloud", "--json", "--address", "127.0.0.1:0", "--otlp-address", "127.0.0.1:0"]
    cloud = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        yield emulator.Emulator(json.loads(cloud.stdout.readline())["endpoint"])
    finally:
        cloud.terminate()
        cloud.wait()


def picture(aws):
    """Returns every attribute of every resource from the APIs: `queue NAME/ATTRIBUTE` and so on."""
    attributes = {}
    for resource, value in [*queues(aws), *events(aws), *topics(aws), *tables(aws), *pipes(aws), *identities(aws)]:
        attributes |= flat(resource, value)
    return attributes


def flat(path, value):
    """Returns the leaves of a JSON value by path. List items are identified by content, since their order is irrelevant."""
    if isinstance(value, dict):
        inner = [flat(f"{path}/{name}", one) for name, one in value.items() if name not in MOMENTARY]
        return {leaf: found for one in inner for leaf, found in one.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        in_order = sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
        return flat(path, {str(number): one for number, one in enumerate(in_order)})
    return {path: sorted(value) if isinstance(value, list) else value}


def parsed(attributes, *names):
    """Returns the attributes, with the named ones parsed as JSON."""
    return {name: json.loads(value) if name in names else value for name, value in attributes.items()}


def queues(aws):
    sqs = aws.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=PREFIX)["QueueUrls"]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        yield f"queue {url.rsplit('/', 1)[1]}", parsed(attributes, "Policy", "RedrivePolicy")


def events(aws):
    client = aws.client("events")
    yield f"bus {PREFIX}", client.describe_event_bus(Name=PREFIX)
    # On the account's default bus there may be rules of others.
    buses = [(bus, rule) for bus in (PREFIX, "default") for rule in client.list_rules(EventBusName=bus)["Rules"]]
    for bus, rule in buses:
        if not rule["Name"].startswith(PREFIX):
            continue
        described = client.describe_rule(Name=rule["Name"], EventBusName=bus)
        targets = client.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
        yield f"rule {rule['Name']}", parsed(described, "EventPattern") | {"Targets": targets}


def topics(aws):
    sns = aws.client("sns")
    for topic in sns.list_topics()["Topics"]:
        attributes = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        yield f"topic {topic['TopicArn'].rsplit(':', 1)[1]}", parsed(attributes, "Policy", "EffectiveDeliveryPolicy")
        for subscription in sns.list_subscriptions_by_topic(TopicArn=topic["TopicArn"])["Subscriptions"]:
            arn = subscription.pop("SubscriptionArn")
            told = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
            told.pop("SubscriptionArn", None)
            name = f"subscription of {subscription['Endpoint'].rsplit(':', 1)[1]}"
            yield name, subscription | parsed(told, "FilterPolicy", "RedrivePolicy", "EffectiveDeliveryPolicy")


def tables(aws):
    dynamodb = aws.client("dynamodb")
    for name in dynamodb.list_tables()["TableNames"]:
        yield f"table {name}", dynamodb.describe_table(TableName=name)["Table"]


def pipes(aws):
    client = aws.client("pipes")
    for pipe in client.list_pipes()["Pipes"]:
        described = client.describe_pipe(Name=pipe["Name"])
        # A stream's name ends with its time of creation.
        yield f"pipe {pipe['Name']}", described | {"Source": described["Source"].rsplit("/", 1)[0]}


def identities(aws):
    for identity in aws.client("sesv2").list_email_identities()["EmailIdentities"]:
        yield f"mail identity {identity['IdentityName']}", identity


def forgotten(aws):
    """Returns the attributes that ministack's CloudFormation discards, from resources created through the API."""
    dynamodb, sns = aws.client("dynamodb"), aws.client("sns")
    attributes = {}
    for topic in sns.list_topics()["Topics"]:
        told = sns.get_topic_attributes(TopicArn=topic["TopicArn"])["Attributes"]
        attributes |= flat(f"topic {topic['TopicArn'].rsplit(':', 1)[1]}", {"Encrypted": "KmsMasterKeyId" in told})
    for name in dynamodb.list_tables()["TableNames"]:
        expires = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
        backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
        attributes |= flat(f"table {name}", {
            "ExpiresAt": expires.get("AttributeName"),
            "PointInTimeRecovery": backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "ENABLED",
            "Encrypted": "SSEDescription" in dynamodb.describe_table(TableName=name)["Table"],
        })
    return attributes


def pipe_parameters(cloud):
    """Returns a Pipe's parameters from the local cloud, because ministack discards them."""
    client = cloud.client("pipes")
    attributes = {}
    for pipe in client.list_pipes()["Pipes"]:
        described = client.describe_pipe(Name=pipe["Name"])
        attributes |= flat(f"pipe {pipe['Name']}", parameters(described, "DynamoDBStreamParameters"))
    return attributes


def parameters(pipe, stream):
    """Returns a Pipe's parameters with the filter's patterns parsed."""
    source = pipe["SourceParameters"]
    patterns = [json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]]
    return {
        "SourceParameters": {"DynamoDBStreamParameters": source[stream], "Patterns": patterns},
        "TargetParameters": pipe["TargetParameters"],
    }


def from_templates():
    """Returns the attributes that ministack discards, read from the templates."""
    attributes = {}
    for template in stacks.templates().values():
        for resource in template["Resources"].values():
            properties = resource.get("Properties", {})
            if resource["Type"] == "AWS::SNS::Topic":
                name = resolved(properties["TopicName"], template)
                attributes |= flat(f"topic {name}", {"Encrypted": "KmsMasterKeyId" in properties})
            if resource["Type"] == "AWS::DynamoDB::Table":
                name = resolved(properties["TableName"], template)
                attributes |= flat(f"table {name}", {
                    "ExpiresAt": properties.get("TimeToLiveSpecification", {}).get("AttributeName"),
                    "PointInTimeRecovery": properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"],
                    "Encrypted": properties["SSESpecification"]["SSEEnabled"],
                })
            if resource["Type"] == "AWS::Pipes::Pipe":
                properties = resolved(properties, template)
                attributes |= flat(f"pipe {properties['Name']}", parameters(properties, "DynamoDBStreamParameters"))
    return attributes


def resolved(value, template):
    """Evaluates the intrinsic functions in a property, as far as names and ARNs of queues need them."""
    if isinstance(value, list):
        return [resolved(one, template) for one in value]
    if not isinstance(value, dict):
        return value
    if "Fn::Sub" in value:
        return value["Fn::Sub"].replace("${Environment}", stacks.ENVIRONMENT)
    if "Fn::GetAtt" in value:
        properties = template["Resources"][value["Fn::GetAtt"][0]]["Properties"]
        name = resolved(properties.get("QueueName"), template)
        return name and f"arn:aws:sqs:{emulator.REGION}:{ACCOUNT}:{name}"
    return {name: resolved(one, template) for name, one in value.items()}
