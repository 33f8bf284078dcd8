"""Receives the pushes of the service app with the library of the Standard Webhooks project, which verifies them.

Usage: check.py FOOSTORE_BINARY
Starts the layer on ports given by the system, and a receiver that refuses each push once. Every push is then repeated, and
both times its signature, its time and its form are what the specification says.
"""

import datetime
import http.server
import json
import pathlib
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.request

from standardwebhooks import Webhook, WebhookVerificationError

# The old one, and the one that replaces it: either verifies.
SECRETS = ["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="]
STRANGER = "whsec_Zm9yLWRldmVsb3BtZW50LW9ubHktbm90LWEtc2VjcmV0"
MAX_BODY_BYTES = 20 * 1024
LIMIT_S = 60
CUSTOMER = "520000000001"


class Receiver(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    pushes = queue.Queue()
    seen = set()

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        first = headers["webhook-id"] not in self.seen
        self.seen.add(headers["webhook-id"])
        self.send_response(503 if first else 204)
        self.send_header("content-length", "0")
        self.end_headers()
        self.pushes.put((headers, body))

    def log_message(self, *_):
        pass


def check(headers, body):
    """Returns the id of a push and its type."""
    for secret in SECRETS:
        assert Webhook(secret).verify(body, headers) == json.loads(body)
    for wrong in (lambda: Webhook(STRANGER).verify(body, headers), lambda: Webhook(SECRETS[0]).verify(body + b" ", headers)):
        try:
            wrong()
        except WebhookVerificationError:
            continue
        raise AssertionError("a wrong signature was verified")
    push = json.loads(body)
    assert set(push) == {"type", "timestamp", "data"} and len(body) < MAX_BODY_BYTES, push
    assert datetime.datetime.fromisoformat(push["timestamp"]).tzinfo, push
    assert push["data"]["customer_number"] == CUSTOMER and "Byron" not in body.decode(), push
    assert headers["content-type"] == "application/json", headers
    assert headers["x-amzn-trace-id"].startswith("Root=1-") and headers["traceparent"].startswith("00-"), headers
    return headers["webhook-id"], push["type"]


def post(ingest, event):
    request = urllib.request.Request(f"{ingest}/v1/events", json.dumps(event).encode(), {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=LIMIT_S) as answer:
        assert answer.status == 202, answer.status


def main(foostore):
    receiver = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=receiver.serve_forever, daemon=True).start()
    anywhere = [f"--{name}-address=127.0.0.1:0" for name in ("cloud", "otlp", "ingest")]
    webhook = [f"--webhook-url=http://127.0.0.1:{receiver.server_port}/pushes", f"--webhook-secret={','.join(SECRETS)}"]
    with tempfile.TemporaryDirectory() as directory:
        command = [pathlib.Path(foostore).resolve(), "up", "--json", "--no-traffic", "--log-dir", "logs", *anywhere, *webhook]
        up = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(up.stdout.readline())
            name = {"given": "Ada", "family": "Byron"}
            data = {"name": name, "email": "ada@mail.example", "channels": ["app"]}
            post(ready["ingest"], {"type": "CustomerEnrolled", "customer_number": CUSTOMER, "data": data})
            refused = check(*Receiver.pushes.get(timeout=LIMIT_S))
            accepted = check(*Receiver.pushes.get(timeout=LIMIT_S))
            assert refused == accepted == (refused[0], "notification.member-enrolled"), (refused, accepted)
        finally:
            up.send_signal(signal.SIGTERM)
            up.wait(timeout=LIMIT_S)
    print("a push was refused, repeated under the same id, and verified both times with each of two secrets")


if __name__ == "__main__":
    main(*sys.argv[1:])
