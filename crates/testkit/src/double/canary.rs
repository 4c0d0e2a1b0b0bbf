//! Listeners below HTTP: one that nobody may ever ask, and one that answers whatever octets it is told
//! to.

use std::{
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    thread,
};

/// A listener that nobody may ever connect to.
pub struct Canary {
    listener: TcpListener,
    pub address: SocketAddr,
}

impl Canary {
    /// On this loopback address.
    pub fn at(host: &str) -> Self {
        let listener = TcpListener::bind((host, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a socket");
        let address = listener.local_addr().expect("a bound socket");
        Self { listener, address }
    }

    /// A URL of it, with this host in place of its address.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/jwks", self.address.port())
    }

    /// Whether nobody has connected.
    pub fn saw_nothing(&self) -> bool {
        let called = self.listener.accept();
        called.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// A server that answers each request with the same octets, and closes the connection.
pub struct Raw {
    pub address: SocketAddr,
}

impl Raw {
    /// Answers these octets, head and body, on a thread that ends with the test program.
    pub fn answers(octets: impl Into<Vec<u8>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket");
        let octets = Arc::new(octets.into());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (Ok(mut stream), octets) = (stream, octets.clone()) else {
                    continue;
                };
                thread::spawn(move || {
                    // Whoever asks may go away at any time.
                    let _ = stream.read(&mut [0; 4096]);
                    let _ = stream.write_all(&octets);
                });
            }
        });
        Self { address }
    }

    pub fn url(&self) -> String {
        format!("http://{}/jwks", self.address)
    }
}
