"""An AWS emulator that we did not write: ministack, started afresh on a free port, leaving nothing on this machine."""

import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import boto3
import botocore.config

REGION = "eu-central-1"
# The limit for its start on a busy machine.
PATIENCE_S = 60


class Emulator:
    """A running emulator. `url` is its endpoint for all services."""

    def __init__(self, url):
        self.url = url

    def client(self, service):
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="local",
            aws_secret_access_key="local",
            # A fault shows at once instead of hanging the caller.
            config=botocore.config.Config(retries={"total_max_attempts": 1}, read_timeout=PATIENCE_S),
        )


@contextlib.contextmanager
def running():
    """Starts an emulator, yields it once it answers, and stops it."""
    # Installed beside this Python, so that it is the pinned version.
    program = pathlib.Path(sys.executable).with_name("ministack")
    with tempfile.TemporaryDirectory(prefix="ministack-") as directory:
        port = free_port()
        environment = {
            "PATH": os.environ["PATH"],
            "GATEWAY_PORT": str(port),
            "BIND_HOST": "127.0.0.1",
            "MINISTACK_HOST": "127.0.0.1",
            "MINISTACK_REGION": REGION,
            "LOG_LEVEL": "WARNING",
            "HOME": directory,
            "TMPDIR": directory,
        }
        log = pathlib.Path(directory, "log")
        with log.open("wb") as output:
            process = subprocess.Popen([program], env=environment, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(process, url, log)
            yield Emulator(url)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def free_port():
    """Returns a free port: ministack writes its port into queue URLs, so port 0 does not work."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_ready(process, url, log):
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(f"{url}/_ministack/ready", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            pass
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"ministack did not become ready at {url}:\n{log.read_text(errors='replace')}")
        time.sleep(0.05)
