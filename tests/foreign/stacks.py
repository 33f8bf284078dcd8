"""Deploys the messaging and data part of the templates in deploy/ through CloudFormation."""

import collections
import pathlib
import time

import yaml

DEPLOY = pathlib.Path(__file__).parents[2] / "deploy"
ENVIRONMENT = "local"
# Parameters without a default. The sender is that of the services in a test run.
SENDER = "loyalty@foostore.example"
VALUES = {
    "Environment": ENVIRONMENT,
    "EmailSender": SENDER,
    "EmailIdentity": SENDER.partition("@")[2],
    "WebhookUrl": "https://app.example.com/notifications",
    "PassOrganization": "FooStore",
    "PassTeam": "A1B2C3D4E5",
    "PassType": "pass.com.example.loyalty",
    "PassWebServiceUrl": "https://wallet.example.com",
}
# Resources that move and store events, and those they refer to. The rest of a stack runs containers, accepts requests or
# observes: the emulator knows only some of these types, and none is on the way of an event.
TAKEN = {
    "AWS::DynamoDB::Table",
    "AWS::Events::EventBus",
    "AWS::Events::Rule",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Logs::LogGroup",
    "AWS::Pipes::Pipe",
    "AWS::S3::Bucket",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::Topic",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::Queue",
    "AWS::SQS::QueuePolicy",
    "AWS::SSM::Parameter",
    "AWS::SecretsManager::Secret",
}
PATIENCE_S = 60


def templates():
    """Returns the templates by stack name, in the order of their dependencies."""
    services = sorted(file.stem for file in (DEPLOY / "services").glob("*.yaml"))
    files = {
        "foundation": "foundation.yaml",
        **{f"{name}-data": f"data/{name}.yaml" for name in services},
        "observability": "observability.yaml",
        **{name: f"services/{name}.yaml" for name in services},
    }
    return {f"foostore-{ENVIRONMENT}-{stack}": yaml.safe_load((DEPLOY / file).read_text()) for stack, file in files.items()}


def deploy(emulator):
    """Creates a stack for each template. Returns the types deployed and those left out, with their counts."""
    cloudformation = emulator.client("cloudformation")
    deployed, left_out = collections.Counter(), collections.Counter()
    for name, whole in templates().items():
        part = subset(whole)
        types = collections.Counter(resource["Type"] for resource in part["Resources"].values())
        deployed += types
        left_out += collections.Counter(resource["Type"] for resource in whole["Resources"].values()) - types
        cloudformation.create_stack(
            StackName=name,
            TemplateBody=yaml.safe_dump(part, sort_keys=False),
            Parameters=[
                {"ParameterKey": name, "ParameterValue": value}
                for name, value in VALUES.items()
                if name in part["Parameters"]
            ],
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        wait_until_created(cloudformation, name)
        verify_sender(emulator, whole["Parameters"])
    return deployed, left_out


def verify_sender(emulator, parameters):
    """Creates the sender's identity, which no stack contains: an operator does this once per account."""
    if "EmailIdentity" in parameters:
        emulator.client("sesv2").create_email_identity(EmailIdentity=VALUES["EmailIdentity"])


def wait_until_created(cloudformation, name):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        stack = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        status = stack["StackStatus"]
        if status == "CREATE_COMPLETE":
            return
        if not status.endswith("_IN_PROGRESS") or time.monotonic() > deadline:
            events = cloudformation.describe_stack_events(StackName=name)["StackEvents"]
            reasons = [f"{e['LogicalResourceId']}: {e.get('ResourceStatusReason')}" for e in events]
            raise SystemExit(f"stack {name} is {status}: {'; '.join(reasons)}")
        time.sleep(0.05)


def subset(template, taken=frozenset(TAKEN)):
    """Returns the template with only the resources of the deployed types, without those that refer to a missing one, and
    with only the parameters still in use."""
    resources = {name: r for name, r in template["Resources"].items() if r["Type"] in taken}
    known = set(template["Parameters"]) | set(template.get("Conditions", {}))
    while True:
        whole = {n: r for n, r in resources.items() if all(to in resources or to in known for to in references(r))}
        if len(whole) == len(resources):
            break
        resources = whole
    part = {**template, "Resources": resources}
    part.pop("Rules", None)
    used = set(references([resources, part.get("Conditions", {})])) | {"Environment"}
    part["Parameters"] = {name: p for name, p in template["Parameters"].items() if name in used}
    return part


def references(value):
    """Returns the logical names in Ref, GetAtt, Sub and DependsOn of a value, without pseudo parameters."""
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    if not isinstance(value, dict):
        return
    for key, inner in value.items():
        if key == "Ref":
            names = [inner]
        elif key == "Fn::GetAtt":
            names = [inner[0] if isinstance(inner, list) else inner.split(".")[0]]
        elif key == "Fn::Sub":
            names = placeholders(inner if isinstance(inner, str) else inner[0])
        elif key == "DependsOn":
            # That of a container names other containers, in objects.
            names = [inner] if isinstance(inner, str) else [name for name in inner if isinstance(name, str)]
        else:
            yield from references(inner)
            continue
        yield from (name for name in names if not name.startswith("AWS::"))


def placeholders(text):
    """Returns the names in a text: `${Environment}` and `${Topic.Arn}` name Environment and Topic, `${!Literal}` none."""
    names = [part.split("}")[0] for part in text.split("${")[1:]]
    return [name.split(".")[0] for name in names if not name.startswith("!")]
