//! From the start until ready, memory, and sizes: of the whole layer and of each service.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use benchmarks::Latencies;
use tokio::process::Command;

use crate::arguments::Arguments;
use crate::foostore::{self, Layer, Shape};
use crate::outcome::{Log, Outcome};
use crate::process::memory;
use crate::programs;
use crate::second::{Second, started};
use crate::statistics::median;
use crate::table::{Table, mebibytes, time};

/// The load, after which memory is looked at again.
const LOAD: [&str; 5] = ["--rate", "20/s", "--for", "10s", "--drain"];
/// The process of the local cloud.
const CLOUD: &str = "foostore (local cloud)";

pub(super) async fn measure(arguments: &Arguments) -> anyhow::Result<Outcome> {
    let program = foostore::program(arguments).await?;
    let directory = tempfile::tempdir()?;
    let mut layers = Vec::new();
    for _ in 1..arguments.rounds {
        let layer = Layer::start(&program, directory.path(), &Shape::WHOLE).await?;
        layers.push(layer.started_in);
        layer.stop().await?;
    }
    let layer = Layer::start(&program, directory.path(), &Shape::WHOLE).await?;
    layers.push(layer.started_in);

    let processes = processes(&layer)?;
    let idle = resident(&processes)?;
    let mut starts = vec![("the layer, `foostore up`".to_owned(), layers, None)];
    for (name, pid) in &layer.services {
        let (mut took, mut resident) = (Vec::new(), 0);
        for _ in 0..arguments.rounds {
            let Second { ready_in, memory } = started(*pid, directory.path()).await?;
            took.push(ready_in);
            resident = memory.max(resident);
        }
        starts.push((format!("{name}, a second task"), took, Some(resident)));
    }
    let found = layer.load(&LOAD).await?;
    let memories = memories(&processes, &idle, &found)?;
    layer.stop().await?;
    let mut remarks = vec![format!("The load: `foostore load {}`.", LOAD.join(" "))];
    let sizes = sizes(&program, directory.path(), &mut remarks).await?;
    Ok(Outcome {
        tables: vec![of_starts(&starts), memories, sizes],
        remarks,
        latencies: starts.into_iter().map(|(name, took, _)| log(&name, &took)).collect(),
        ..Outcome::default()
    })
}

/// Returns the processes of a layer.
fn processes(layer: &Layer) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut processes = layer.services.clone();
    processes.insert(CLOUD.to_owned(), layer.pid()?);
    Ok(processes)
}

fn resident(processes: &BTreeMap<String, u32>) -> anyhow::Result<BTreeMap<String, u64>> {
    processes.iter().map(|(name, pid)| Ok((name.clone(), memory(*pid, "VmRSS:")?))).collect()
}

fn of_starts(starts: &[(String, Vec<Duration>, Option<u64>)]) -> Table {
    let mut table = Table::new(["start until ready", "p50", "fastest", "slowest", "memory then"]);
    for (name, took, memory) in starts {
        let seconds = || took.iter().map(Duration::as_secs_f64);
        table.row([
            name.clone(),
            time(median(seconds())),
            time(seconds().fold(f64::INFINITY, f64::min)),
            time(seconds().fold(0.0, f64::max)),
            memory.map_or_else(String::new, mebibytes),
        ]);
    }
    table
}

/// Returns what each process has resident, and what it used in the load.
fn memories(
    processes: &BTreeMap<String, u32>,
    idle: &BTreeMap<String, u64>,
    load: &serde_json::Value,
) -> anyhow::Result<Table> {
    let mut table =
        Table::new(["process", "CPU of the load", "memory idle", "after the load", "at most so far"]);
    let used = load["steps"][0]["effects"]["processes"].as_array().context("no processes in the load")?;
    for (name, pid) in processes {
        let of_load = if name == CLOUD { "foostore" } else { name };
        let cpu_s = used.iter().find(|process| process["name"] == of_load);
        let cpu_s = cpu_s.and_then(|process| process["cpu_s"].as_f64());
        table.row([
            name.clone(),
            cpu_s.map_or_else(String::new, time),
            idle.get(name).copied().map_or_else(String::new, mebibytes),
            mebibytes(memory(*pid, "VmRSS:")?),
            mebibytes(memory(*pid, "VmHWM:")?),
        ]);
    }
    Ok(table)
}

fn log(name: &str, took: &[Duration]) -> Log {
    let mut latencies = Latencies::begin();
    for one in took {
        latencies.add(*one);
    }
    Log {
        name: format!("start of {name}"),
        what: "from the start of a process until it is ready",
        intervals: vec![latencies.end()],
    }
}

/// Returns the sizes of the programs, which are what the Dockerfile adds to its base image, and of images that are here.
async fn sizes(program: &Path, directory: &Path, remarks: &mut Vec<String>) -> anyhow::Result<Table> {
    let mut table = Table::new(["size", "as built", "stripped, as in the image", "image"]);
    let consumer = programs::own("consumer")?;
    let mut images = 0;
    for (name, file) in [("foostore", program), ("a service with nothing but a consumer", consumer.as_path())]
    {
        let image = image(name).await;
        images += usize::from(image.is_some());
        table.row([
            name.to_owned(),
            mebibytes(std::fs::metadata(file)?.len()),
            stripped(file, directory).await?.map_or_else(|| "no `strip` here".to_owned(), mebibytes),
            image.map_or_else(String::new, mebibytes),
        ]);
    }
    if images == 0 {
        remarks.push(
            "No image is here to be measured. One is its base, gcr.io/distroless/cc-debian12, and the stripped program: \
             nothing else in the Dockerfile takes space."
                .to_owned(),
        );
    }
    Ok(table)
}

async fn stripped(program: &Path, directory: &Path) -> anyhow::Result<Option<u64>> {
    let out = directory.join("stripped");
    let strip = Command::new("strip").arg("-o").arg(&out).arg(program).output().await;
    Ok(match strip {
        Ok(output) if output.status.success() => Some(std::fs::metadata(&out)?.len()),
        _ => None,
    })
}

/// Returns the size of the image that the Dockerfile's first lines build.
async fn image(name: &str) -> Option<u64> {
    let image = format!("foostore/{name}");
    let inspect = Command::new("docker")
        .args(["image", "inspect", "--format", "{{.Size}}", &image])
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(10), inspect).await.ok()?.ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
