"""Calls X-Ray's control plane as the local cloud answers it.

Usage: check.py FOOSTORE_BINARY
Starts the local cloud on ports given by the system and runs control.py against it.
"""

import json
import pathlib
import signal
import subprocess
import sys

ANY_PORT = "127.0.0.1:0"


def main():
    program = sys.argv[1]
    command = [program, "cloud", "--json", "--address", ANY_PORT, "--otlp-address", ANY_PORT]
    cloud = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        endpoint = json.loads(cloud.stdout.readline())["endpoint"]
        script = pathlib.Path(__file__).with_name("control.py")
        subprocess.run([sys.executable, script, endpoint], check=True)
    finally:
        cloud.send_signal(signal.SIGTERM)
        cloud.wait(30)


if __name__ == "__main__":
    main()
