//! Addresses for servers that are told where to listen.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{Mutex, PoisonError},
};

use tokio::net::TcpSocket;

static HELD: Mutex<Vec<TcpSocket>> = Mutex::new(Vec::new());

/// An address of this machine that is this program's until it ends: the system gives it to nobody
/// else. Nobody listens there, and connections are refused, until a server does, which must set
/// `SO_REUSEADDR` as the held socket does; it may end and come again.
pub fn held_address() -> SocketAddr {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_reuseaddr(true).expect("an option");
    socket
        .bind((Ipv4Addr::LOCALHOST, 0).into())
        .expect("the system has a free port");
    let address = socket.local_addr().expect("an address");
    HELD.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(socket);
    address
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_held_address_is_given_to_nobody_and_taken_by_its_server_again_and_again() {
        let address = held_address();
        let others: Vec<_> = (0..500)
            .map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"))
            .collect();
        assert!(
            others
                .iter()
                .all(|other| other.local_addr().expect("an address") != address)
        );
        for _ in 0..3 {
            assert!(TcpStream::connect(address).is_err(), "nobody listens");
            let server = TcpListener::bind(address).expect("it sets SO_REUSEADDR");
            assert!(TcpStream::connect(address).is_ok());
            drop(server.accept().expect("a connection"));
        }
    }
}
