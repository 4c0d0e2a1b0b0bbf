//! Which connections are taken: the socket, TLS, and how many at once.

use std::{
    io,
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};

use super::{
    Origin, Proxy, Tls,
    guests::{Guests, Room, Seat},
};

/// How long no connection is accepted after one could not be.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// Connections that wait in the system's queue. Beyond it, the system drops the first packet, and a
/// client sends it again after a second.
const QUEUE: u32 = 1024;
/// Files and sockets beside the clients' connections: the database, its readers, metrics, the log.
const DESCRIPTORS_BESIDE: u64 = 128;

/// A bound socket and what is known about the way to it.
pub struct Listener {
    socket: TcpListener,
    pub(super) guests: Arc<Guests>,
    /// How many connections there may be.
    pub(super) room: Room,
    /// Serves TLS with this, else in the clear.
    pub(super) tls: Option<Tls>,
    /// Whom to believe about where a request comes from.
    pub(super) proxy: Arc<Proxy>,
    /// How long load balancers take to hear that this server ends.
    pub(super) drain: Duration,
}

impl Listener {
    /// Binds the socket. When all places are taken, the quietest connection makes room for one new
    /// one at a time; further ones wait in the system's queue, and cost nothing here.
    pub async fn bind(
        address: SocketAddr,
        room: Room,
        tls: Option<Tls>,
        proxy: Proxy,
    ) -> io::Result<Self> {
        allow_descriptors(room.connections);
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()
        } else {
            TcpSocket::new_v6()
        }?;
        // A restart must not wait for connections of the process before.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let socket = socket.listen(QUEUE)?;
        Ok(Self {
            socket,
            guests: Guests::new(room),
            room,
            tls,
            proxy: Arc::new(proxy),
            drain: Duration::ZERO,
        })
    }

    /// Goes on for so long after the server was told to end.
    pub fn drained_for(self, drain: Duration) -> Self {
        Self { drain, ..self }
    }

    /// The address, with the port that was chosen where none was asked for.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The next connection, once there is room for it. Those beyond an address's part are closed.
    ///
    /// It belongs to no runtime yet: the one that serves it takes it over.
    pub(super) async fn accept(&self) -> (TcpStream, SocketAddr, Seat) {
        loop {
            let (stream, peer) = match self.try_accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Out of file descriptors, most likely: have a connection end, and give it
                    // time.
                    tracing::warn!(%error, "a connection could not be accepted");
                    self.guests.make_room();
                    #[expect(
                        clippy::disallowed_methods,
                        reason = "the system tells nobody that there are descriptors again"
                    )]
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            match self.guests.seat(Origin::of_peer(peer, &self.proxy)).await {
                Some(seat) => return (stream, peer, seat),
                None => tracing::debug!(%peer, "an address has its part of the connections"),
            }
        }
    }

    async fn try_accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = self.socket.accept().await?;
        Ok((stream.into_std()?, peer))
    }

    /// Takes no more connections; ready when all have ended.
    pub(super) async fn close(self) {
        drop(self.socket);
        self.guests.all_gone().await;
    }
}

/// Has the system allow a descriptor for each connection, as far as it lets itself be asked: many
/// allow a thousand unless a process says that it needs more.
fn allow_descriptors(connections: u32) {
    let wanted = u64::from(connections) + DESCRIPTORS_BESIDE;
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.unwrap_or(u64::MAX);
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(
            Resource::Nofile,
            Rlimit {
                current: Some(wanted.min(allowed)),
                maximum,
            },
        )
    {
        tracing::warn!(%error, "the number of open files could not be raised");
    }
    if allowed < wanted {
        tracing::warn!(
            allowed,
            wanted,
            "this process may not open as many files as limits.connections needs; lower it, or raise the limit (LimitNOFILE, ulimit -n)"
        );
    }
}
