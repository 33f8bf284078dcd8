"""Reads every header of forms.json with the propagators of other languages, and holds the table in docs/trace-headers.md
to what they say.

Usage: peers.py DIRECTORY [--write]
DIRECTORY is where JavaScript's packages are installed. With --write, forms.json is brought up to date instead.
Needs Go, Node.js, and the packages of requirements.txt.
"""

import json
import pathlib
import subprocess
import sys

from aws_xray_sdk.core.models.trace_header import TraceHeader
from opentelemetry import trace
from opentelemetry.propagators.aws import AwsXRayPropagator

HERE = pathlib.Path(__file__).parent
FORMS = HERE / "forms.json"
ROOT = "1-5759e988-bd862e3fe1be46a994272793"
HEX = ROOT.removeprefix("1-").replace("-", "")
PARENT = "53995c3f42cd8ad8"
FILLED = {
    "{R}": ROOT,
    "{R^}": ROOT.upper(),
    "{r}": HEX,
    "{P}": PARENT,
    "{P^}": PARENT.upper(),
    "{O}": "1-5759e988-bd862e3fe1be46a994272794",
    "{450}": "x" * 450,
}


def filled(form):
    for name, value in FILLED.items():
        form = form.replace(name, value)
    return form


def shown(reading):
    """A reading with names for what the table names, and nothing for a header that no trace was taken from."""
    return reading and reading.replace(HEX, "{R}").replace(ROOT, "{R}").replace(PARENT, "{P}")


def python(header):
    context = AwsXRayPropagator().extract({"X-Amzn-Trace-Id": header})
    span = trace.get_current_span(context).get_span_context()
    if not span.is_valid:
        return None
    return f"{span.trace_id:032x} {span.span_id:016x} {span.trace_flags & 1}"


def sdk(header):
    read = TraceHeader.from_header_str(header)
    return read.root and f"{read.root} {read.parent or '-'} {read.sampled if read.sampled is not None else '-'}"


def piped(command, headers, directory=HERE):
    done = subprocess.run(command, cwd=directory, input=json.dumps(headers), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def main(packages, *options):
    forms = json.loads(FORMS.read_text())
    headers = [filled(form["form"]) for form in forms]
    readings = {
        "python": [python(header) for header in headers],
        "javascript": piped(["node", "javascript/read.mjs", str(pathlib.Path(packages).resolve())], headers),
        "go": piped(["go", "run", "."], headers, HERE / "go"),
        "sdk": [sdk(header) for header in headers],
    }
    for number, form in enumerate(forms):
        form["peers"] = {peer: shown(read[number]) for peer, read in readings.items()}
    text = json.dumps(forms, indent=2, ensure_ascii=False) + "\n"
    if "--write" in options:
        FORMS.write_text(text)
    elif FORMS.read_text() != text:
        sys.exit("forms.json differs from what the propagators read: run peers.py with --write, and look at the difference")
    print(f"{len(forms)} headers read by {len(readings)} libraries")


if __name__ == "__main__":
    main(*sys.argv[1:])
