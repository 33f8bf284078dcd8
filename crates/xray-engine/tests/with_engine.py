"""Runs a command against an engine that is served for it alone.

Usage: with_engine.py SERVE COMMAND…
SERVE is the compiled example `serve`. The command finds the engine as it would find AWS and a collector: through
AWS_ENDPOINT_URL_XRAY and OTEL_EXPORTER_OTLP_ENDPOINT, which SDKs read by themselves.
"""

import os
import signal
import subprocess
import sys

ACCOUNT = {"AWS_ACCESS_KEY_ID": "local", "AWS_SECRET_ACCESS_KEY": "local", "AWS_REGION": "eu-central-1", "AWS_DEFAULT_REGION": "eu-central-1"}


def main(serve, *command):
    engine = subprocess.Popen([serve], stdout=subprocess.PIPE, text=True)
    try:
        endpoints = dict(engine.stdout.readline().strip().split("=", 1) for _ in range(2))
        status = subprocess.run(command, env={**os.environ, **ACCOUNT, **endpoints}).returncode
    finally:
        engine.send_signal(signal.SIGINT)
        engine.wait(30)
    sys.exit(status)


if __name__ == "__main__":
    main(*sys.argv[1:])
