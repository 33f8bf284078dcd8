//! What can be configured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Where the cloud listens, and which account it stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the AWS endpoint; with port 0 the system chooses one.
    pub address: SocketAddr,
    /// Address of the OTLP/HTTP endpoint; with port 0 the system chooses one.
    pub otlp_address: SocketAddr,
    /// Region in ARNs and events.
    pub region: String,
    /// Account number in ARNs and events, 12 digits. The engine behind DynamoDB writes `000000000000` into the ARNs of
    /// tables regardless.
    pub account_id: String,
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            address: SocketAddr::new(loopback, 4566),
            otlp_address: SocketAddr::new(loopback, 4318),
            region: "eu-central-1".to_owned(),
            account_id: "000000000000".to_owned(),
        }
    }
}
