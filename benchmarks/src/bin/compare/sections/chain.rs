//! The chain through the layer, from the post of an event to the mail: what it costs at the limit, and how long it takes at half
//! of that.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::arguments::Arguments;
use crate::foostore::{self, Layer, Shape};
use crate::outcome::Outcome;
use crate::table::{Table, time};

/// More than the layer does on a small machine, so that it is at its limit.
const TOO_MUCH: &str = "1500/s";
/// The length of a load.
const LENGTH: &str = "10s";
/// The services on the way from the post to the mail.
const FOUR: &str = "ingest,membership,notifier,email";
/// Every event leads to a mail.
const RENAMES: &str = r#"{"CustomerRenamed": 1}"#;
/// The samplers, as they are called in the table.
const SAMPLERS: [(&str, Environment); 3] = [
    ("off", &[("OTEL_TRACES_SAMPLER", "parentbased_always_off")]),
    ("5 %", &[("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"), ("OTEL_TRACES_SAMPLER_ARG", "0.05")]),
    ("100 %", &[("OTEL_TRACES_SAMPLER", "parentbased_always_on")]),
];

type Environment = &'static [(&'static str, &'static str)];

/// A layer at its limit, and at half of it.
struct Measured {
    name: String,
    limit: Value,
    half: Value,
}

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let program = foostore::program(arguments).await?;
    let directory = tempfile::tempdir()?;
    let mix = directory.path().join("mix.json");
    std::fs::write(&mix, RENAMES)?;
    let mix = mix.to_str().context("a temporary directory whose name is no text")?;

    let mut measured = Vec::new();
    for (sampled, environment) in SAMPLERS {
        let shape = Shape { only: Some(FOUR), environment };
        let name = format!("four services, {sampled} recorded");
        measured.push(layer(&program, directory.path(), &shape, &["--mix", mix], name).await?);
    }
    let shape = Shape { only: None, environment: SAMPLERS[1].1 };
    let name = "all services, 5 % recorded, the usual mix".to_owned();
    measured.push(layer(&program, directory.path(), &shape, &[], name).await?);
    Ok(Outcome {
        tables: vec![of_layers(&measured), of_services(&measured)],
        remarks: vec![format!(
            "At the limit: `foostore load --rate {TOO_MUCH} --for {LENGTH} --drain` of `foostore up`, four services with `--only \
             {FOUR}` and renames alone; then the same at half of what was finished in a second."
        )],
        ..Outcome::default()
    })
}

/// Measures one layer.
async fn layer(
    program: &Path,
    directory: &Path,
    shape: &Shape<'_>,
    mix: &[&str],
    name: String,
) -> anyhow::Result<Measured> {
    let layer = Layer::start(program, directory, shape).await?;
    let load = async |rate: &str| {
        let arguments = [&["--rate", rate, "--for", LENGTH, "--drain"], mix].concat();
        let mut found = layer.load(&arguments).await?;
        anyhow::Ok(found["steps"][0].take())
    };
    let limit = load(TOO_MUCH).await?;
    let finished = limit["effects"]["finished_per_s"].as_f64().context("nothing was finished")?;
    let half = load(&format!("{:.0}/s", (finished / 2.0).max(1.0))).await?;
    layer.stop().await?;
    Ok(Measured { name, limit, half })
}

fn of_layers(measured: &[Measured]) -> Table {
    let mut table = Table::new([
        "layer",
        "events a CPU-second",
        "at half of that",
        "finished a second",
        "accept to mail at half, p50",
        "p99",
        "lost",
    ]);
    for Measured { name, limit, half } in measured {
        let (limit, half) = (&limit["effects"], &half["effects"]);
        let whole = |value: &Value| value.as_f64().map_or_else(String::new, |value| format!("{value:.0}"));
        let seconds = |value: &Value| value.as_f64().map_or_else(String::new, time);
        let lost = [limit, half].iter().filter_map(|effects| effects["lost"].as_u64()).sum::<u64>();
        table.row([
            name.clone(),
            whole(&limit["events_per_cpu_s"]),
            whole(&half["events_per_cpu_s"]),
            whole(&limit["finished_per_s"]),
            seconds(&half["accept_to_mail_s"]["p50"]),
            seconds(&half["accept_to_mail_s"]["p99"]),
            lost.to_string(),
        ]);
    }
    table
}

/// Returns what an event costs in each process at the limit.
fn of_services(measured: &[Measured]) -> Table {
    let mut table = Table::new(["layer", "process", "CPU of an event at the limit"]);
    for Measured { name, limit, .. } in measured {
        let effects = &limit["effects"];
        let events = effects["finished"].as_f64().unwrap_or(f64::NAN);
        for process in effects["processes"].as_array().into_iter().flatten() {
            let cpu_s = process["cpu_s"].as_f64();
            table.row([
                name.clone(),
                process["name"].as_str().unwrap_or_default().to_owned(),
                cpu_s.map_or_else(String::new, |cpu_s| time(cpu_s / events)),
            ]);
        }
    }
    table
}
