"""What local provisioning creates against what the templates create, attribute by attribute.

Both create the same environment, each on an emulator of its own, and boto3 reads both. ministack forgets some of what
it is told: its CloudFormation some properties of tables and topics, it itself the parameters of a Pipe. Of the templates
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
# Attributes that tell of a moment, not of what was asked for.
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
# Every difference there may be, as a pattern over `resource/attribute`, and why. One that is no longer seen must go.
EXPECTED = {
    "queue */KmsMasterKeyId": "production's key; emulators encrypt nothing",
    "table */Encrypted": "production's key; emulators encrypt nothing",
    "topic */Encrypted": "production's key; emulators encrypt nothing",
    "table */PointInTimeRecovery": "for production; an emulator's tables end with it",
    "table */DeletionProtectionEnabled": "for production; an emulator's tables end with it",
    "topic foostore-local-alarms/*": "nobody is woken by a laptop: alarms are the templates' alone",
    "topic foostore-local-notifications/Policy/*": "the templates demand TLS, which emulators have not",
    "mail identity */*": "in production the sender's domain is verified once for the account, by no stack",
    "topic foostore-local-notifications/DisplayName": "set by neither: ministack's CloudFormation takes the name",
    "table */ProvisionedThroughput/*": "paid per request by both: ministack says 5 of CloudFormation's, 0 of the API's",
    "rule */CreatedBy": "ministack tells it of PutRule alone",
    "subscription */ConfirmationWasAuthenticated": "ministack tells it of Subscribe alone",
    "subscription */PendingConfirmation": "ministack tells it of Subscribe alone",
    "subscription */FilterPolicyScope": "the default by both: ministack tells it of CloudFormation alone",
}


def run(foostore):
    """Prints what differs. Gives what should not."""
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
            wrong.append(f"{attribute} is {shown[0]} by the templates and {shown[1]} by provisioning")
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
    """Every attribute of every resource, as the APIs tell: `queue NAME/ATTRIBUTE` and so on."""
    attributes = {}
    for resource, value in [*queues(aws), *events(aws), *topics(aws), *tables(aws), *pipes(aws), *identities(aws)]:
        attributes |= flat(resource, value)
    return attributes


def flat(path, value):
    """Leaves of a JSON value by their paths. Lists are told by what is in them, since their order means nothing."""
    if isinstance(value, dict):
        inner = [flat(f"{path}/{name}", one) for name, one in value.items() if name not in MOMENTARY]
        return {leaf: found for one in inner for leaf, found in one.items()}
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        in_order = sorted(value, key=lambda one: json.dumps(one, sort_keys=True))
        return flat(path, {str(number): one for number, one in enumerate(in_order)})
    return {path: sorted(value) if isinstance(value, list) else value}


def parsed(attributes, *names):
    """The attributes with those named read as the JSON that they are."""
    return {name: json.loads(value) if name in names else value for name, value in attributes.items()}


def queues(aws):
    sqs = aws.client("sqs")
    for url in sqs.list_queues(QueueNamePrefix=PREFIX)["QueueUrls"]:
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        yield f"queue {url.rsplit('/', 1)[1]}", parsed(attributes, "Policy", "RedrivePolicy")


def events(aws):
    client = aws.client("events")
    yield f"bus {PREFIX}", client.describe_event_bus(Name=PREFIX)
    for rule in client.list_rules(EventBusName=PREFIX)["Rules"]:
        described = client.describe_rule(Name=rule["Name"], EventBusName=PREFIX)
        targets = client.list_targets_by_rule(Rule=rule["Name"], EventBusName=PREFIX)["Targets"]
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
        # A stream's name ends with the moment it was made.
        yield f"pipe {pipe['Name']}", described | {"Source": described["Source"].rsplit("/", 1)[0]}


def identities(aws):
    for identity in aws.client("sesv2").list_email_identities()["EmailIdentities"]:
        yield f"mail identity {identity['IdentityName']}", identity


def forgotten(aws):
    """What ministack's CloudFormation forgets, of what was made over the API."""
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
    """A Pipe's parameters, by the local cloud: ministack forgets them."""
    client = cloud.client("pipes")
    attributes = {}
    for pipe in client.list_pipes()["Pipes"]:
        described = client.describe_pipe(Name=pipe["Name"])
        attributes |= flat(f"pipe {pipe['Name']}", parameters(described, "DynamoDBStreamParameters"))
    return attributes


def parameters(pipe, stream):
    """A Pipe's parameters with the filter's patterns read."""
    source = pipe["SourceParameters"]
    patterns = [json.loads(one["Pattern"]) for one in source["FilterCriteria"]["Filters"]]
    return {
        "SourceParameters": {"DynamoDBStreamParameters": source[stream], "Patterns": patterns},
        "TargetParameters": pipe["TargetParameters"],
    }


def from_templates():
    """What ministack forgets of the templates, from the templates."""
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
    """A property with its intrinsic functions carried out, as far as names and ARNs of queues need them."""
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
