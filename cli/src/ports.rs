//! Checks whether addresses are free before anything starts, so that the error can name the option to change.

use std::io;
use std::net::{SocketAddr, TcpListener};

use crate::failure::Failure;

/// Checks that `address` is free by binding it for a moment.
///
/// # Errors
/// A usage failure that names the address, what it is for, and `option`.
pub(crate) fn free(address: SocketAddr, what: &str, option: &str) -> Result<(), Failure> {
    match TcpListener::bind(address) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(in_use(address, what, option)),
        Err(error) => Err(Failure::usage(format!(
            "address {address} for {what} cannot be used: {error}; choose another with {option}"
        ))),
    }
}

/// Returns the failure for an address that is in use.
pub(crate) fn in_use(address: SocketAddr, what: &str, option: &str) -> Failure {
    Failure::usage(format!("address {address} for {what} is already in use; choose another with {option}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_address_is_named_with_its_option() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap();
        let error = free(address, "ingest", "--ingest-address").unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("address {address} for ingest is already in use; choose another with --ingest-address")
        );
        assert!(free("127.0.0.1:0".parse().unwrap(), "ingest", "--ingest-address").is_ok());
    }
}
