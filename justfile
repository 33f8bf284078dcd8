# The commands one needs; `just` lists them. Each is one line, so that it can be typed without just as well.

[private]
default:
    @just --list --unsorted

# Run the whole layer on this machine, with an example event and its trace
up *options:
    cargo run -- up {{ options }}

# Run the tests, or those whose names contain a filter
test *filter:
    cargo test --workspace {{ filter }}

# Check format, lints and documentation, as CI does
check:
    .ci/run format lints production documentation

# Run everything that must hold before a change lands, or only these steps
ci *steps:
    .ci/run {{ steps }}

# Render templates, task definitions and docker compose's services from what the services declare
synth:
    cargo run -- synth

# Build the documentation of every crate and open it
docs:
    cargo doc --workspace --no-deps --open
