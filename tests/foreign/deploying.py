"""Deploys an environment on ministack with `foostore deploy`: a plan, a first deployment without images, an unchanged one,
and at each stack a failure on purpose with the deployment that repairs it.

Usage: deploying.py FOOSTORE_BINARY
The templates are those in deploy/ without the resource types that ministack's CloudFormation does not have; it refuses a
template with one of them.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import emulator
import stacks
import yaml

TAG = "a1"
VALUES = {
    "EmailSender": stacks.SENDER,
    "EmailIdentity": stacks.SENDER.partition("@")[2],
    **{name: stacks.VALUES[name] for name in stacks.VALUES if name.startswith(("Pass", "WebhookUrl"))},
    "AllowedCidr": "203.0.113.0/24",
    "CertificateArn": "arn:aws:acm:eu-central-1:000000000000:certificate/1",
}
# Task definitions name images, which are looked up. Services would start containers.
TAKEN = frozenset(stacks.TAKEN | {"AWS::ECR::Repository", "AWS::ECS::Cluster", "AWS::ECS::TaskDefinition"})
SERVICES = sorted(file.stem for file in (stacks.DEPLOY / "services").glob("*.yaml"))
NOT_SHOWN = {
    "services, load balancers, scaling, alarms and the network": "ministack lacks types of each; templates without them are deployed",
    "the protection of tables": "ministack's CloudFormation drops it; the stack's parameter is read instead",
    "a rollback that fails, and what it leaves": "ministack's rollbacks succeed; cli/src/fake_aws scripts them",
}


def run(foostore):
    """Prints what was deployed. Fails where the command does something else than is promised."""
    with tempfile.TemporaryDirectory() as directory, emulator.running() as aws:
        operator = Operator(foostore, aws, pathlib.Path(directory))
        plan = operator.expect(0, "nothing was changed", "--plan")
        assert operator.statuses() == {}, operator.statuses()
        names = re.findall(r"^stack foostore-local-(\S+) is created", plan, re.MULTILINE)
        assert sorted(names) == sorted(operator.templates), plan

        before_services = [name for name in names if name not in SERVICES]
        fail_at_creation(operator, before_services)
        stopped = operator.expect(1, "images are missing", "--yes")
        assert f"foostore-local/email:{TAG} --push ." in stopped, stopped
        assert set(operator.statuses()) == {f"foostore-local-{name}" for name in before_services}
        push_images(aws)
        fail_at_creation(operator, [name for name in names if name in SERVICES])
        operator.expect(0, "is deployed", "--yes")
        assert operator.parameter("membership-data", "DeletionProtection") == "true"

        unchanged = operator.expect(0, "is deployed", "--yes")
        assert unchanged.count(": unchanged") == len(names), unchanged
        fail_at_update(operator, names)
        operator.expect(0, "is deployed", "--yes")
        print(f"deployed by foostore deploy: {len(names)} stacks, each of which failed at its creation and at an update first")
        for what, why in NOT_SHOWN.items():
            print(f"left out of foostore deploy: {what}: {why}")


def fail_at_creation(operator, names):
    """Lets the creation of each stack fail once; the deployment for the next stack repairs it."""
    for name in names:
        with operator.broken(name):
            failed = operator.expect(1, "run: foostore deploy --environment local", "--yes")
            assert "/nowhere" in failed, failed
        assert operator.statuses()[f"foostore-local-{name}"] == "ROLLBACK_COMPLETE", operator.statuses()


def fail_at_update(operator, names):
    """Lets the update of each stack fail once, and has the doctor name it."""
    for name in names:
        with operator.broken(name):
            failed = operator.expect(1, "run: foostore deploy --environment local", "--yes")
            assert "/nowhere" in failed, failed
            doctor = operator.doctor()
            assert f"stack foostore-local-{name} is UPDATE_ROLLBACK_COMPLETE" in doctor, doctor


def push_images(aws):
    ecr = aws.client("ecr")
    for repository in ecr.describe_repositories()["repositories"]:
        ecr.put_image(repositoryName=repository["repositoryName"], imageManifest="{}", imageTag=TAG)


class Operator:
    """Runs the command line with templates that ministack accepts."""

    def __init__(self, foostore, aws, directory):
        self.foostore, self.aws, self.directory = foostore, aws, directory
        self.templates = {
            name.removeprefix(f"foostore-{stacks.ENVIRONMENT}-"): stacks.subset(template, TAKEN)
            for name, template in stacks.templates().items()
        }
        for name in self.templates:
            self.write(name)
        self.parameters = [
            f"--parameter={name}:{parameter}={value}"
            for name, template in self.templates.items()
            for parameter, value in VALUES.items()
            if parameter in template["Parameters"]
        ]

    def write(self, name, **more):
        template = self.templates[name]
        template = {**template, "Resources": {**template["Resources"], **more}}
        file = self.directory / path(name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(yaml.safe_dump(template, sort_keys=False))

    def broken(self, name):
        """Adds a resource to a template that cannot be created, for a `with` block."""
        return Broken(self, name)

    def run(self, command, *options):
        place = ["--environment", stacks.ENVIRONMENT, "--endpoint-url", self.aws.url, "--region", emulator.REGION]
        done = subprocess.run(
            [self.foostore, command, *place, *options],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        return done.returncode, done.stdout

    def expect(self, code, text, *options):
        """Deploys, and returns what was printed."""
        options = ["--templates", self.directory, "--image-tag", TAG, *self.parameters, *options]
        actual, output = self.run("deploy", *options)
        assert actual == code and text in output, (actual, output)
        return output

    def doctor(self):
        return self.run("doctor")[1]

    def statuses(self):
        described = self.aws.client("cloudformation").describe_stacks()["Stacks"]
        return {stack["StackName"]: stack["StackStatus"] for stack in described}

    def parameter(self, stack, name):
        name_of = f"foostore-{stacks.ENVIRONMENT}-{stack}"
        described = self.aws.client("cloudformation").describe_stacks(StackName=name_of)["Stacks"][0]
        return {one["ParameterKey"]: one["ParameterValue"] for one in described["Parameters"]}.get(name)


class Broken:
    def __init__(self, operator, name):
        self.operator, self.name = operator, name

    def __enter__(self):
        value = {"Type": "AWS::SSM::Parameter", "Properties": {"Type": "String", "Value": "{{resolve:ssm:/nowhere}}"}}
        self.operator.write(self.name, FailsOnPurpose=value)

    def __exit__(self, *_):
        self.operator.write(self.name)


def path(name):
    if name in ("foundation", "observability"):
        return f"{name}.yaml"
    return f"data/{name.removesuffix('-data')}.yaml" if name.endswith("-data") else f"services/{name}.yaml"


if __name__ == "__main__":
    run(*sys.argv[1:])
