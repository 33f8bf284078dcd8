"""Formats in ingest's description that Schemathesis does not know."""

import schemathesis
from hypothesis import strategies

schemathesis.openapi.format("iso-4217", strategies.sampled_from(["CHF", "EUR", "JPY", "KWD", "USD"]))
