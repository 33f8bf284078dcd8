//! The message of `up` once everything is ready.

use serde_json::{Map, Value, json};

use super::example::CUSTOMER;
use super::local_run::{Addresses, Service};
use crate::style::{Colour, Style};

/// Returns the ready line for programs.
pub(super) fn machine(addresses: &Addresses) -> Value {
    let services: Map<String, Value> = addresses
        .services
        .iter()
        .map(|Service { name, pid, health, listening }| {
            let mut service = json!({"pid": pid, "health": format!("http://{health}")});
            if let Some(address) = listening {
                service["listening"] = format!("http://{address}").into();
            }
            ((*name).to_owned(), service)
        })
        .collect();
    json!({
        "ready": true,
        "ingest": addresses.ingest,
        "endpoint": addresses.endpoint,
        "xray": addresses.xray,
        "otlp": addresses.otlp,
        "services": services,
        "log_dir": addresses.log_dir,
    })
}

/// Returns the same for people, with commands to copy.
pub(super) fn people(addresses: &Addresses, style: Style) -> String {
    let log_dir = addresses.log_dir.display();
    let mut text = format!("\n{}\n\n", style.paint(Colour::Bold, "FooStore's loyalty layer is ready"));
    let mut row = |name: &str, value: &str| {
        text.extend(["  ", &style.paint(Colour::Dim, &format!("{name:14}")), " ", value, "\n"]);
    };
    row("events", &format!("{}/v1/events", addresses.ingest));
    row("AWS endpoint", &format!("{}  (AWS_ENDPOINT_URL)", addresses.endpoint));
    if addresses.xray != addresses.endpoint {
        row("X-Ray", &addresses.xray);
    }
    row("OTLP", &addresses.otlp);
    for Service { name, pid, health, .. } in &addresses.services {
        row(name, &format!("pid {pid}, health http://{health}/health/ready"));
    }
    row("log files", &format!("{log_dir}/*.jsonl"));
    // `foostore mail` does not know where another emulator keeps its mail.
    let mail = if addresses.xray == addresses.endpoint {
        format!("  the mail sent    {}\n", addresses.command("mail"))
    } else {
        String::new()
    };
    let commands = format!(
        "
  post an event    curl -sS {ingest}/v1/events -H 'content-type: application/json' \\
                     -d '{{\"type\":\"CustomerRenamed\",\"customer_number\":\"{CUSTOMER}\",\
\"data\":{{\"name\":{{\"given\":\"Robin\",\"family\":\"Example\"}}}}}}'
  its trace        {trace} ID
  its log lines    {program} logs --log-dir {log_dir} ID
  metrics          {metrics}
{mail}  end              Ctrl-C

",
        ingest = addresses.ingest,
        trace = addresses.command("trace"),
        metrics = addresses.command("metrics"),
        program = addresses.program,
    );
    text + &commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            ingest: "http://127.0.0.1:41001".to_owned(),
            endpoint: "http://127.0.0.1:41002".to_owned(),
            xray: "http://127.0.0.1:41002".to_owned(),
            otlp: "http://127.0.0.1:41003".to_owned(),
            services: vec![
                Service {
                    name: "email",
                    pid: 7,
                    health: "127.0.0.1:41004".parse().unwrap(),
                    listening: None,
                },
                Service {
                    name: "wallet",
                    pid: 8,
                    health: "127.0.0.1:41005".parse().unwrap(),
                    listening: "127.0.0.1:41006".parse().ok(),
                },
            ],
            log_dir: "/tmp/logs".into(),
            program: "foostore".to_owned(),
        }
    }

    #[test]
    fn programs_find_every_address() {
        assert_eq!(
            machine(&addresses()),
            json!({"ready": true, "ingest": "http://127.0.0.1:41001", "endpoint": "http://127.0.0.1:41002",
            "xray": "http://127.0.0.1:41002", "otlp": "http://127.0.0.1:41003", "log_dir": "/tmp/logs",
            "services": {
                "email": {"pid": 7, "health": "http://127.0.0.1:41004"},
                "wallet": {"pid": 8, "health": "http://127.0.0.1:41005", "listening": "http://127.0.0.1:41006"},
            }})
        );
    }

    #[test]
    fn only_traces_come_from_the_local_cloud_if_aws_is_elsewhere() {
        let addresses = Addresses { endpoint: "http://127.0.0.1:4567".to_owned(), ..addresses() };
        let text = people(&addresses, Style::PLAIN);
        assert!(text.contains("http://127.0.0.1:4567  (AWS_ENDPOINT_URL)"), "{text}");
        assert!(text.contains("foostore trace --endpoint-url http://127.0.0.1:41002 ID"), "{text}");
        assert!(!text.contains("foostore mail"), "{text}");
    }

    #[test]
    fn the_commands_can_be_copied() {
        let text = people(&addresses(), Style::PLAIN);
        assert!(text.contains("foostore trace --endpoint-url http://127.0.0.1:41002 ID"), "{text}");
        let body = text.split("-d '").nth(1).and_then(|rest| rest.split('\'').next()).unwrap();
        let event: Value = serde_json::from_str(body).unwrap();
        assert_eq!(event["data"]["name"]["given"], "Robin");
    }
}
