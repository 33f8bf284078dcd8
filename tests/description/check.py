"""Holds ingest against its own description, /openapi.json, with Schemathesis: what the description allows is accepted,
what it does not allow is refused, and every answer has a documented status and shape.

Usage: check.py FOOSTORE_BINARY [EXAMPLES]
Starts the layer on ports given by the system. EXAMPLES is the number of generated requests for each operation.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

EXAMPLES = "200"


def main(foostore, examples=EXAMPLES):
    schemathesis = pathlib.Path(sys.executable).with_name("schemathesis")
    anywhere = [f"--{name}-address=127.0.0.1:0" for name in ("cloud", "otlp", "ingest")]
    with tempfile.TemporaryDirectory() as directory:
        command = [pathlib.Path(foostore).resolve(), "up", "--json", "--no-traffic", "--log-dir", "logs", *anywhere]
        up = subprocess.Popen(command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            ready = json.loads(up.stdout.readline())
            url = f"{ready['ingest']}/openapi.json"
            options = ["--checks", "all", "--max-examples", examples, "--generation-database", "none"]
            formats = pathlib.Path(__file__).with_name("formats.py").resolve()
            environment = os.environ | {"SCHEMATHESIS_HOOKS": str(formats)}
            return subprocess.run([schemathesis, "run", url, *options], cwd=directory, env=environment).returncode
        finally:
            up.send_signal(signal.SIGTERM)
            up.communicate(timeout=30)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
