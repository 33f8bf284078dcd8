//! The layer: the one list of its services. A new service is added here and nowhere else in the command line.

use std::future::Future;
use std::pin::Pin;
use std::process::ExitCode;

use service_runtime::{BoxError, Runtime};

#[cfg(feature = "local")]
#[cfg(test)]
mod patience;

/// A service as the command line sees it.
#[derive(Clone, Copy)]
pub(crate) struct Service {
    /// Its name: the argument of `foostore service`, its OpenTelemetry service name, its log file.
    pub(crate) name: &'static str,
    /// Its declaration.
    #[cfg(feature = "local")]
    pub(crate) topology: fn() -> topology::Service,
    run: fn(Runtime) -> Running,
}

type Running = Pin<Box<dyn Future<Output = Result<(), BoxError>> + Send>>;

macro_rules! service {
    ($name:ident) => {
        Service {
            name: $name::NAME,
            #[cfg(feature = "local")]
            topology: $name::topology,
            run: |runtime| Box::pin($name::run(runtime)),
        }
    };
}

/// Every service.
pub(crate) const ALL: &[Service] = &[
    service!(ingest),
    service!(membership),
    service!(rewards),
    service!(discounts),
    service!(notifier),
    service!(email),
    service!(app),
    service!(wallet),
    service!(archive),
];

/// Returns the names of all services.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    ALL.iter().map(|service| service.name)
}

/// Returns the service called `name`.
pub(crate) fn find(name: &str) -> Option<&'static Service> {
    ALL.iter().find(|service| service.name == name)
}

/// The names of the events that the services emit, in the order of their declarations.
#[cfg(feature = "local")]
pub(crate) fn emitted() -> Vec<&'static str> {
    ALL.iter().flat_map(|service| (service.topology)().emitted().to_vec()).map(|event| event.name).collect()
}

/// Returns the declarations of all services as one checked resource model.
///
/// # Errors
/// When the declarations contradict each other.
#[cfg(feature = "local")]
pub(crate) fn resources(
    application: &str,
    environment: &str,
) -> Result<topology::Resources, topology::TopologyError> {
    resources_of(&names().collect::<Vec<_>>(), application, environment)
}

/// Returns the declarations of the services with these names as one checked resource model: of a layer that has no others.
///
/// # Errors
/// When the declarations contradict each other.
#[cfg(feature = "local")]
pub(crate) fn resources_of(
    names: &[&str],
    application: &str,
    environment: &str,
) -> Result<topology::Resources, topology::TopologyError> {
    ALL.iter()
        .fold(topology::Topology::new(application, environment), |topology, service| {
            let declaration = (service.topology)();
            if names.contains(&service.name) {
                topology.service(declaration)
            } else {
                topology.emitted_elsewhere(declaration.emitted().iter().copied())
            }
        })
        .erases_personal_data_on::<(contracts::MemberErased,)>()
        .resources()
}

impl Service {
    /// Runs the service in this process until it has drained. With `exit_with_stdin`, the end of standard input
    /// starts the drain too.
    pub(crate) fn main(&'static self, exit_with_stdin: bool) -> ExitCode {
        service_runtime::main(
            contracts::APPLICATION,
            self.name,
            env!("CARGO_PKG_VERSION"),
            move |runtime| async move {
                if exit_with_stdin {
                    let shutdown = runtime.shutdown.clone();
                    // A plain thread: a blocking read on the runtime's pool would delay the runtime's shutdown.
                    std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
                        // An error means the same as the end of the input: the parent is gone.
                        drop(std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink()));
                        shutdown.cancel();
                    })?;
                }
                (self.run)(runtime).await
            },
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        let unique: std::collections::BTreeSet<_> = names().collect();
        assert_eq!(unique.len(), ALL.len());
        assert!(names().all(|name| find(name).is_some_and(|service| service.name == name)));
        assert!(find("nobody").is_none());
    }

    /// A package under `services/` with its own program is a service.
    #[test]
    fn every_service_of_the_workspace_is_in_the_list() {
        let services = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../services");
        let packages: std::collections::BTreeSet<_> = std::fs::read_dir(services)
            .unwrap()
            .map(|entry| entry.unwrap())
            .filter(|entry| entry.path().join("src/main.rs").is_file())
            .map(|entry| entry.file_name().into_string().unwrap())
            .collect();
        assert_eq!(names().map(str::to_owned).collect::<std::collections::BTreeSet<_>>(), packages);
    }

    #[cfg(feature = "local")]
    #[test]
    fn the_declarations_fit_each_other() {
        let resources = resources("foostore", "local").unwrap();
        assert_eq!(resources.services.len(), ALL.len());
    }

    #[cfg(feature = "local")]
    #[test]
    fn a_smaller_layer_has_no_queue_that_nobody_reads() {
        let resources = resources_of(&["ingest", "membership"], "foostore", "local").unwrap();
        let names: Vec<_> = resources.services.iter().map(|one| one.service.as_str()).collect();
        assert_eq!(names, ["ingest", "membership"]);
        let queues: Vec<_> = resources.services.iter().filter_map(|one| one.queue.as_deref()).collect();
        assert!(resources.rules.iter().all(|rule| queues.contains(&rule.target_queue.as_str())));
    }
}
