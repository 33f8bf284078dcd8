"""What the X-Ray daemon does with segments: takes them by UDP and passes them to PutTraceSegments.

The form of a datagram is documented: a JSON line that names format and version, then the document
(https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-daemon). The daemon's other half, a
signing proxy for calls about sampling rules, is left out: the SDK is configured to call the engine directly.
"""

import json
import socket
import threading

HEADER = {"format": "json", "version": 1}


class Daemon:
    """A daemon on a port given by the system, until it is closed."""

    def __init__(self, xray):
        self._xray = xray
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.unprocessed = []
        self.address = "{}:{}".format(*self._socket.getsockname())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        # What was sent before arrives before it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join()
        self._socket.close()

    def _run(self):
        while datagram := self._socket.recv(65536):
            header, document = datagram.decode().split("\n", 1)
            assert json.loads(header) == HEADER, header
            self.unprocessed += self._xray.put_trace_segments(TraceSegmentDocuments=[document])["UnprocessedTraceSegments"]
