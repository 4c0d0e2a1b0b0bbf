//! Which connections are taken: the socket, TLS, and how many at once.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::TcpListener,
    sync::{OwnedSemaphorePermit, Semaphore},
};

use super::{Proxy, Tls};

/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound socket and what is known about the way to it.
pub struct Listener {
    socket: TcpListener,
    slots: Arc<Semaphore>,
    connections: u32,
    /// Serves TLS with this, else in the clear.
    pub(super) tls: Option<Tls>,
    /// Whom to believe about where a request comes from.
    pub(super) proxy: Proxy,
}

/// A place among the connections that may be open at once; free again when dropped.
pub(super) type Slot = OwnedSemaphorePermit;

impl Listener {
    /// Binds the socket. At most `connections` are open at once: further ones wait in the system's queue, and cost nothing here.
    pub async fn bind(address: SocketAddr, connections: u32, tls: Option<Tls>, proxy: Proxy) -> io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        Ok(Self { socket, slots: Arc::new(Semaphore::new(connections as usize)), connections, tls, proxy })
    }

    /// The address, with the port that was chosen where none was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection, once there is room for it.
    ///
    /// It belongs to no runtime yet: the one that serves it takes it over.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr, Slot) {
        loop {
            match self.try_accept().await {
                Ok(accepted) => return accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: give connections time to end.
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    async fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr, Slot)> {
        let slot = self.slots.clone().acquire_owned().await.map_err(io::Error::other)?;
        let (stream, peer) = self.socket.accept().await?;
        Ok((stream.into_std()?, peer, slot))
    }

    /// Takes no more connections; ready when all have ended.
    pub(super) async fn close(self) {
        drop(self.socket);
        // Never closed, so this cannot fail.
        let _ = self.slots.acquire_many(self.connections).await;
    }
}
