//! Deprecated attributes, which instrumentations still send. The exporter reads them in addition to their replacements,
//! and some of them instead.

#![expect(deprecated, reason = "the exporter reads the deprecated names")]

use opentelemetry_semantic_conventions::attribute;

pub(super) const DB_CONNECTION_STRING: &str = attribute::DB_CONNECTION_STRING;
pub(super) const DB_NAME: &str = attribute::DB_NAME;
pub(super) const DB_STATEMENT: &str = attribute::DB_STATEMENT;
pub(super) const DB_SYSTEM: &str = attribute::DB_SYSTEM;
pub(super) const DB_USER: &str = attribute::DB_USER;
pub(super) const HTTP_CLIENT_IP: &str = attribute::HTTP_CLIENT_IP;
pub(super) const HTTP_HOST: &str = attribute::HTTP_HOST;
pub(super) const HTTP_METHOD: &str = attribute::HTTP_METHOD;
pub(super) const HTTP_SCHEME: &str = attribute::HTTP_SCHEME;
pub(super) const HTTP_SERVER_NAME: &str = attribute::HTTP_SERVER_NAME;
pub(super) const HTTP_STATUS_CODE: &str = attribute::HTTP_STATUS_CODE;
pub(super) const HTTP_TARGET: &str = attribute::HTTP_TARGET;
pub(super) const HTTP_URL: &str = attribute::HTTP_URL;
pub(super) const HTTP_USER_AGENT: &str = attribute::HTTP_USER_AGENT;
pub(super) const MESSAGE_TYPE: &str = attribute::MESSAGE_TYPE;
pub(super) const NET_HOST_NAME: &str = attribute::NET_HOST_NAME;
pub(super) const NET_HOST_PORT: &str = attribute::NET_HOST_PORT;
pub(super) const NET_PEER_IP: &str = attribute::NET_PEER_IP;
pub(super) const NET_PEER_NAME: &str = attribute::NET_PEER_NAME;
pub(super) const NET_PEER_PORT: &str = attribute::NET_PEER_PORT;
pub(super) const PEER_SERVICE: &str = attribute::PEER_SERVICE;
pub(super) const RPC_SERVICE: &str = attribute::RPC_SERVICE;
pub(super) const RPC_SYSTEM: &str = attribute::RPC_SYSTEM;
