"""Reads the archive with DuckDB, and decrypts an event with boto3 and the cryptography project's AES-GCM.

Usage: check.py FOOSTORE_BINARY
Starts the layer on ports given by the system, sends events, and kills the archive meanwhile, so that some events are stored
more than once. The queries are those of docs/archive.md.
"""

import base64
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import boto3
import duckdb
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

DOCUMENT = pathlib.Path(__file__).parents[2] / "docs" / "archive.md"
BUCKET = "foostore-local-event-archive-000000000000-eu-central-1"
TABLE = "foostore-local-archive-keys"
LIMIT_S = 120
CUSTOMERS = [f"5400000000{number:02}" for number in range(20)]
ERASED = CUSTOMERS[0]
COLUMNS = ["source", "detail_type", "customer_number", "metadata", "data", "erased"]


def post(ingest, kind, customer, data):
    event = {"type": kind, "customer_number": customer, "data": data}
    request = urllib.request.Request(f"{ingest}/v1/events", json.dumps(event).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert answer.status == 202, answer.status
        return json.load(answer)["event_id"]


def download(s3, directory):
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for item in page.get("Contents", []):
            path = directory / item["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(BUCKET, item["Key"], str(path))


def queries():
    """Returns the queries of the document, by the comment in their first line."""
    blocks = re.findall(r"```sql\n-- ([^\n]*)\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    return {name: query for name, query in blocks}


def decrypt(line, dynamodb, kms):
    """Returns the data of an event, as docs/archive.md says."""
    customer = line["customer_number"]
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"CUSTOMER#{customer}"}}, ConsistentRead=True)["Item"]
    # DuckDB takes ids for UUIDs.
    if line["data"] is None or item.get("key_id", {}).get("S") != str(line["data"]["key_id"]):
        return None
    wrapped = item["wrapped_key"]["B"]
    assert wrapped.startswith(b"branch:"), wrapped[:7]
    branch, salt, nonce, wrapped = wrapped[7:14].decode(), wrapped[14:30], wrapped[30:42], wrapped[42:]
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": f"BRANCH#{branch}"}})["Item"]
    context = {"service": "archive", "branch": branch}
    key = kms.decrypt(CiphertextBlob=item["wrapped_key"]["B"], EncryptionContext=context)["Plaintext"]
    key = HKDF(hashes.SHA256(), 32, salt, customer.encode()).derive(key)
    key = AESGCM(key).decrypt(nonce, wrapped, customer.encode())
    nonce, ciphertext = (base64.b64decode(line["data"][field]) for field in ("nonce", "ciphertext"))
    additional = f"{customer}/{line['metadata']['event_id']}".encode()
    try:
        AESGCM(key).decrypt(nonce, ciphertext, b"another event")
        raise AssertionError("the line of one event was taken for another's")
    except InvalidTag:
        return json.loads(AESGCM(key).decrypt(nonce, ciphertext, additional))


def until(what, ask):
    end = time.monotonic() + LIMIT_S
    while not (found := ask()):
        assert time.monotonic() < end, f"waited for {what}"
        time.sleep(0.1)
    return found


def check(ready, directory):
    aws = {
        "endpoint_url": ready["endpoint"], "region_name": "eu-central-1",
        "aws_access_key_id": "local", "aws_secret_access_key": "local",
    }
    s3, dynamodb, kms = (boto3.client(name, **aws) for name in ("s3", "dynamodb", "kms"))
    os.chdir(directory)
    found = queries()

    def read(name):
        return duckdb.sql(found[name])

    sent = set()
    for number, customer in enumerate(CUSTOMERS):
        if number == len(CUSTOMERS) // 2:
            os.kill(ready["services"]["archive"]["pid"], signal.SIGKILL)
        person = {"name": {"given": "Augusta", "family": "Lovelace"}, "email": "augusta@mail.example", "channels": ["email"]}
        sent.add(post(ready["ingest"], "CustomerEnrolled", customer, person))
        sent.add(post(ready["ingest"], "PointsEarned", customer, {"points": 20}))

    def counts():
        download(s3, directory)
        # DuckDB refuses a pattern that matches nothing.
        return dict(read("how many events of each type").fetchall()) if any(directory.glob("year=*")) else {}

    expected = {kind: len(CUSTOMERS) for kind in ("CustomerEnrolled", "MemberEnrolled", "PointsEarned", "PointsBalanceChanged")}
    until("every event", lambda: counts() == expected)
    events = read("each event once")
    assert events.columns[: len(COLUMNS)] == COLUMNS, events.columns
    lines = [dict(zip(events.columns, row)) for row in events.fetchall()]
    assert {str(line["metadata"]["event_id"]) for line in lines if line["source"] == "foostore.crm"} == sent
    for word in ("Augusta", "Lovelace", "mail.example"):
        assert word not in str(lines), word
    hour = read("the events of an hour")
    assert 0 < len(hour.fetchall()) <= len(lines)
    of_customer = [line for line in lines if line["customer_number"] == ERASED]
    assert any((decrypt(line, dynamodb, kms) or {}).get("name", {}).get("given") == "Augusta" for line in of_customer)

    post(ready["ingest"], "CustomerErased", ERASED, {})
    until("the erasure", lambda: counts().get("MemberErased"))
    until("the key to be gone", lambda: all(decrypt(line, dynamodb, kms) is None for line in of_customer))
    erased = [line for line in read("each event once").fetchall() if line[COLUMNS.index("erased")]]
    assert len(erased) >= 1, erased
    objects = len(list(directory.glob("year=*/**/*.ndjson.gz")))
    print(f"DuckDB read {len(lines)} events in {objects} objects; an erasure made {len(of_customer)} of them unreadable")


def main(foostore):
    anywhere = [f"--{name}-address=127.0.0.1:0" for name in ("cloud", "otlp", "ingest")]
    with tempfile.TemporaryDirectory() as directory:
        command = [pathlib.Path(foostore).resolve(), "up", "--json", "--no-traffic", "--log-dir", "logs", *anywhere]
        up = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            archive = pathlib.Path(directory) / "archive"
            archive.mkdir()
            check(json.loads(up.stdout.readline()), archive)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(timeout=LIMIT_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
