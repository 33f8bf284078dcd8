//! What can be configured.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Memory for messages, mails and objects by default, in MiB: a container of 384 MiB has room for them, for the process and
/// for what little else grows.
const MEMORY_MIB: usize = 224;
/// What traces may take on disk by default, in MiB: about a million segments.
const TRACES_MIB: usize = 1024;
/// The least memory for messages, in bytes: a full queue loses messages, whereas mails only become fewer.
const LEAST_FOR_MESSAGES: usize = 32 * 1024 * 1024;

/// What the receiver of webhooks expects requests to be signed with, unless other settings are given. Known to everybody: for
/// development only.
pub const WEBHOOK_SECRET: &str = "whsec_Zm9yLWRldmVsb3BtZW50LW9ubHktbm90LWEtc2VjcmV0";

/// Where the cloud listens, which account it stands for, and what it keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Address of the AWS endpoint; with port 0 the system chooses one.
    pub address: SocketAddr,
    /// Address of the OTLP/HTTP endpoint; with port 0 the system chooses one.
    pub otlp_address: SocketAddr,
    /// Region in ARNs and events.
    pub region: String,
    /// Account number in ARNs and events, 12 digits.
    pub account_id: String,
    /// Where mails and traces are kept over a restart, and DynamoDB's tables and the bytes of S3's objects while the process
    /// runs. If missing, traces and the bytes of large objects are in temporary files and all else in memory alone. One cloud
    /// at a time may use it.
    pub data_dir: Option<PathBuf>,
    /// Memory for messages on queues, mails and objects of S3, in MiB. Beyond it the oldest mails are dropped, and messages and
    /// objects refused.
    pub memory_mib: usize,
    /// What traces may take on disk, in MiB. Beyond it the oldest are dropped.
    pub traces_mib: usize,
    /// The secrets of the receiver of webhooks, separated by commas.
    pub webhook_secrets: String,
}

impl Settings {
    /// Returns what traces may take on disk, in bytes.
    pub(crate) fn trace_bytes(&self) -> u64 {
        u64::try_from(self.traces_mib).unwrap_or(u64::MAX).saturating_mul(1024 * 1024)
    }

    /// Returns the share of the memory for mails, in bytes.
    pub(crate) fn mail_bytes(&self) -> usize {
        self.memory_bytes() / 8
    }

    /// Returns the share of the memory for messages on queues, in bytes.
    pub(crate) fn message_bytes(&self) -> usize {
        (self.memory_bytes() / 4 * 3).max(LEAST_FOR_MESSAGES)
    }

    /// Returns the share of the memory for what is known of objects of S3, in bytes.
    pub(crate) fn object_bytes(&self) -> usize {
        self.memory_bytes() / 8
    }

    fn memory_bytes(&self) -> usize {
        self.memory_mib.saturating_mul(1024 * 1024)
    }
}

impl Default for Settings {
    fn default() -> Self {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Self {
            address: SocketAddr::new(loopback, 4566),
            otlp_address: SocketAddr::new(loopback, 4318),
            region: "eu-central-1".to_owned(),
            account_id: "000000000000".to_owned(),
            data_dir: None,
            memory_mib: MEMORY_MIB,
            traces_mib: TRACES_MIB,
            webhook_secrets: WEBHOOK_SECRET.to_owned(),
        }
    }
}
