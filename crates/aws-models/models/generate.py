#!/usr/bin/env python3
"""Renders the tables in this directory from AWS's public service models.

    generate.py            writes them
    generate.py --check    fails if one is not what this script renders

The models come with botocore, whose exact versions are below. Needs Python 3 and pip; the downloads go to a temporary
directory. A table keeps what a server needs: the operations, the shapes of their inputs with every constraint, and the
shapes of the outputs that are written as XML. lib.rs describes the format.
"""

import argparse
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile
import zipfile

BOTOCORE = "1.44.8"
# The last models of SQS with its query protocol, which AWS still serves: names on the wire, and codes.
BOTOCORE_WITH_SQS_QUERY = "1.31.60"

# Only these operations of the services of which the layer uses a small part; of the others, all.
CHOSEN = {
    "ses": [
        "DeleteIdentity", "GetAccountSendingEnabled", "GetIdentityVerificationAttributes", "GetSendQuota",
        "GetSendStatistics", "ListIdentities", "ListVerifiedEmailAddresses", "SendEmail", "SendRawEmail",
        "UpdateAccountSendingEnabled", "VerifyDomainIdentity", "VerifyEmailAddress", "VerifyEmailIdentity",
    ],
    "sesv2": [
        "CreateConfigurationSet", "CreateConfigurationSetEventDestination", "CreateEmailIdentity",
        "DeleteConfigurationSet", "DeleteConfigurationSetEventDestination", "DeleteEmailIdentity",
        "DeleteSuppressedDestination", "GetAccount", "GetConfigurationSet", "GetConfigurationSetEventDestinations",
        "GetEmailIdentity", "GetSuppressedDestination", "ListConfigurationSets", "ListEmailIdentities",
        "ListSuppressedDestinations", "PutAccountSendingAttributes", "PutAccountSuppressionAttributes",
        "PutSuppressedDestination", "SendBulkEmail", "SendEmail", "UpdateConfigurationSetEventDestination",
    ],
    "sts": ["GetCallerIdentity"],
}
# Of S3, the paths of all operations, so that each can be refused by its name, and the shapes of these.
WITH_SHAPES = {
    "s3": [
        "CreateBucket", "DeleteBucket", "DeleteBucketEncryption", "DeleteBucketLifecycle",
        "DeleteBucketOwnershipControls", "DeleteBucketPolicy", "DeleteBucketTagging", "DeleteObject", "DeleteObjects",
        "DeletePublicAccessBlock", "GetBucketEncryption", "GetBucketLifecycleConfiguration", "GetBucketLocation",
        "GetBucketOwnershipControls", "GetBucketPolicy", "GetBucketTagging", "GetBucketVersioning", "GetObject",
        "GetObjectLockConfiguration", "GetPublicAccessBlock", "HeadBucket", "HeadObject", "ListBuckets",
        "ListObjectsV2", "PutBucketEncryption", "PutBucketLifecycleConfiguration", "PutBucketOwnershipControls",
        "PutBucketPolicy", "PutBucketTagging", "PutBucketVersioning", "PutObject", "PutObjectLockConfiguration",
        "PutPublicAccessBlock",
    ],
}
# Directory buckets have endpoints of their own.
LEFT_OUT = {"s3": ["CreateSession", "ListDirectoryBuckets", "WriteGetObjectResponse"]}
# The namespace of S3's documents, and the root elements that botocore's model does not name.
S3_NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
S3_ROOTS = {
    "DeleteObjects": "DeleteResult", "GetBucketLifecycleConfiguration": "LifecycleConfiguration",
    "GetBucketLocation": "LocationConstraint", "GetBucketTagging": "Tagging",
    "GetBucketVersioning": "VersioningConfiguration", "ListBuckets": "ListAllMyBucketsResult",
    "ListObjectsV2": "ListBucketResult",
}
# Paths by which clients called an operation before its present one.
FORMER = {"ListEmailIdentities": {"method": "GET", "path": "/v2/email/identities"}}

# Java's patterns that Rust's engine cannot read, by one that accepts the same texts. Messages show Java's.
EQUIVALENT = {
    r"^(?!\s*$).+": r".*\S.*",
    r"(?!\s*$).+|(\$(\.[\w/_-]+(\[(\d+|\*)\])*)*)": r".*\S.*",
    r".*(?=[/\.\-_A-Za-z0-9]+)((?!aws\.).*)|(\$(\.[\w/_-]+(\[(\d+|\*)\])*)*).*": r".*[/\.\-_A-Za-z0-9].*|\$.*",
    r"\p{Print}+": r"[ -~]+",
    r"[\u0020-\u00FF]*": r"[ -\u{FF}]*",
    r"[\u0009\u000A\u000D\u0020-\u00FF]+": r"[\t\n\r -\u{FF}]+",
    r"^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$": r"[^\x00-\x1F!-*,;<>?\[-\^`{-\x7F]*",
    r"[\u0020-\uD7FF\uE000-\uFFFD\uD800\uDC00-\uDBFF\uDFFF\r\n\t]*": (
        r"[\t\n\r\x20-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]*"
    ),
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+": (
        r"[\t\n\r -~\x85\u{A0}-\u{D7FF}\u{E000}-\u{FFFD}\u{10000}-\u{10FFFF}]+"
    ),
}
SERVICES = [
    "dynamodb", "dynamodbstreams", "events", "kms", "pipes", "s3", "ses", "sesv2", "sns", "sqs", "sts", "xray",
]

KINDS = {
    "structure": "structure", "list": "list", "map": "map", "string": "string", "character": "string",
    "integer": "integer", "long": "integer", "double": "number", "float": "number", "boolean": "boolean",
    "blob": "blob", "timestamp": "timestamp",
}


def botocore(version, directory):
    """Downloads a version of botocore. Returns its wheel."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory]
    subprocess.run([*command, f"botocore=={version}"], check=True)
    return zipfile.ZipFile(next(pathlib.Path(directory).glob(f"botocore-{version}-*.whl")))


def model(wheel, service):
    """Reads the newest model of a service."""
    paths = [name for name in wheel.namelist() if name.startswith(f"botocore/data/{service}/") and "/service-2.json" in name]
    raw = wheel.read(max(paths))
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def member(reference):
    """Renders a reference to a shape: its name alone if there is nothing else to say."""
    rendered = {"shape": reference["shape"]}
    for key, name in (("locationName", "wire"), ("location", "location")):
        if key in reference:
            rendered[name] = reference[key]
    if reference.get("flattened"):
        rendered["flattened"] = True
    return rendered if len(rendered) > 1 else reference["shape"]


def shape(definition):
    """Renders a shape."""
    kind = KINDS[definition["type"]]
    rendered = {"kind": "document" if definition.get("document") else kind}
    for key in ("required", "min", "max", "pattern", "enum", "union", "flattened"):
        value = definition.get(key)
        if value is not None and value is not False and value != []:
            rendered[key] = value
    if rendered.get("pattern") in EQUIVALENT:
        rendered["equivalent"] = EQUIVALENT[rendered["pattern"]]
    if kind == "structure" and not definition.get("document"):
        rendered["members"] = {name: member(reference) for name, reference in definition["members"].items()}
    elif kind == "list":
        rendered["item"] = member(definition["member"])
    elif kind == "map":
        rendered["key"], rendered["value"] = member(definition["key"]), member(definition["value"])
    return rendered


def referenced(rendered):
    """Returns the names of the shapes that a shape refers to."""
    references = [*rendered.get("members", {}).values(), *(rendered[key] for key in ("item", "key", "value") if key in rendered)]
    return [reference if isinstance(reference, str) else reference["shape"] for reference in references]


def table(service, source):
    """Renders the table of a service."""
    operations, queue = {}, []
    writes_xml = service == "sqs" or source["metadata"]["protocol"] == "query"
    for name, operation in sorted(source["operations"].items()):
        if service in CHOSEN and name not in CHOSEN[service] or name in LEFT_OUT.get(service, ()):
            continue
        if service == "s3":
            if not operation.get("deprecated"):
                operations[name] = of_s3(name, operation, source["shapes"])
                queue += [operations[name][key] for key in ("input", "output") if key in operations[name]]
            continue
        rendered = {}
        if "input" in operation:
            rendered["input"] = operation["input"]["shape"]
        if writes_xml and "output" in operation:
            rendered["output"] = operation["output"]["shape"]
        if source["metadata"]["protocol"] == "rest-json":
            http = operation["http"]
            rendered["method"], rendered["path"] = http["method"], http["requestUri"]
            if name in FORMER:
                rendered["former"] = FORMER[name]
        queue += [rendered[key] for key in ("input", "output") if key in rendered]
        operations[name] = rendered
    shapes = {}
    while queue:
        name = queue.pop()
        if name not in shapes:
            shapes[name] = shape(source["shapes"][name])
            queue += referenced(shapes[name])
    errors = {
        name: {"code": definition.get("error", {}).get("code", name), "status": status(definition)}
        for name, definition in sorted(source["shapes"].items())
        if definition.get("exception")
    }
    rendered = {"version": source["metadata"]["apiVersion"]}
    if "xmlNamespace" in source["metadata"]:
        rendered["namespace"] = source["metadata"]["xmlNamespace"]
    elif service == "s3":
        rendered["namespace"] = S3_NAMESPACE
    rendered |= {"operations": operations, "shapes": dict(sorted(shapes.items())), "errors": errors}
    return rendered


def of_s3(name, operation, shapes):
    """Renders an operation of S3: besides the path, what else must be there tells it from others with the same one."""
    rendered = {"method": operation["http"]["method"], "path": operation["http"]["requestUri"]}
    definition = shapes[operation["input"]["shape"]] if "input" in operation else {"members": {}}
    needs = [
        reference["locationName"].lower() if reference["location"] == "header" else reference["locationName"]
        for member, reference in definition["members"].items()
        if member in definition.get("required", []) and reference.get("location") in ("header", "querystring")
    ]
    if needs:
        rendered["needs"] = needs
    if name not in WITH_SHAPES["s3"]:
        return rendered
    if operation.get("httpChecksum", {}).get("requestChecksumRequired"):
        rendered["needs_checksum"] = True
    for key in ("input", "output"):
        if key in operation:
            rendered[key] = operation[key]["shape"]
            if payload := shapes[rendered[key]].get("payload"):
                rendered[f"{key}_payload"] = payload
    if name == "GetBucketLocation":
        rendered["output_payload"] = "LocationConstraint"  # the text of the root itself
    payload = rendered.get("output_payload")
    if root := S3_ROOTS.get(name):
        rendered["root"] = root
    elif payload and shapes[shapes[rendered["output"]]["members"][payload]["shape"]]["type"] == "structure":
        rendered["root"] = payload
    return rendered


def status(definition):
    return definition.get("error", {}).get("httpStatusCode", 500 if definition.get("fault") else 400)


def with_query_protocol(current, old):
    """Adds what SQS's query protocol needs to its present model, which describes the JSON protocol only."""
    for name, definition in current["shapes"].items():
        before = old["shapes"].get(name)
        if before is None:
            continue
        if "error" in before:
            definition["error"] = before["error"]
        for key in ("member", "key", "value"):
            if key in definition and "locationName" in before[key]:
                definition[key]["locationName"] = before[key]["locationName"]
        for key, reference in before.get("members", {}).items():
            if key not in definition.get("members", {}):
                continue
            in_shape = old["shapes"][reference["shape"]].get("locationName")
            if wire := reference.get("locationName") or in_shape:
                definition["members"][key]["locationName"] = wire
    current["metadata"]["xmlNamespace"] = old["metadata"]["xmlNamespace"]
    return current


def text(rendered):
    """Writes a table, with a line for each operation, shape and error so that changes can be read."""
    lines = []
    for key, value in rendered.items():
        if isinstance(value, dict):
            entries = [f"{json.dumps(name)}:{json.dumps(entry, separators=(',', ':'))}" for name, entry in value.items()]
            lines.append(f"{json.dumps(key)}:{{\n" + ",\n".join(entries) + "\n}")
        else:
            lines.append(f"{json.dumps(key)}:{json.dumps(value)}")
    return "{" + ",\n".join(lines) + "}\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    here, stale = pathlib.Path(__file__).parent, []
    with tempfile.TemporaryDirectory() as directory:
        current, old = botocore(BOTOCORE, directory), botocore(BOTOCORE_WITH_SQS_QUERY, directory)
        for service in SERVICES:
            source = model(current, service)
            if service == "sqs":
                source = with_query_protocol(source, model(old, service))
            path, rendered = here / f"{service}.json", text(table(service, source))
            if check and path.read_text() != rendered:
                stale.append(path.name)
            elif not check:
                path.write_text(rendered)
    if stale:
        sys.exit(f"not as generate.py renders them: {', '.join(stale)}")


if __name__ == "__main__":
    main()
