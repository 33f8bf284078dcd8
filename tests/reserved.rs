//! Addresses for programs that do not report the one they bind.

use std::fmt;
use std::net::SocketAddr;

use tokio::net::TcpSocket;

/// An address on which nobody listens and which the system assigns to nobody else for as long as this value lives.
///
/// A port that was merely free a moment ago is soon one that another program of the same run has been given.
pub(crate) struct Reserved {
    address: SocketAddr,
    /// Bound, but not listening. Linux lets whoever names the port listen beside such a socket; other systems do not.
    _socket: Option<TcpSocket>,
}

impl Reserved {
    pub(crate) fn new() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        Self { address, _socket: cfg!(target_os = "linux").then_some(socket) }
    }
}

impl fmt::Display for Reserved {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(formatter)
    }
}
