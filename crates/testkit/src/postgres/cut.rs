//! A line to a server that can be cut: nothing more comes through, and nobody is told; or one answer
//! is lost, and the connection with it.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// A direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// To the server.
    There,
    /// From the server.
    Back,
}

/// A line to a server, through which others connect.
pub struct Cut {
    address: SocketAddr,
    line: Arc<Line>,
}

/// What all connections of a line share.
struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    there: Flow,
    back: Flow,
    /// The answer to the next message with these octets is lost.
    lost: Option<Vec<u8>>,
    /// How many answers were.
    losses: u32,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Flow {
    #[default]
    Goes,
    Held,
}

impl Cut {
    /// A line to this address.
    pub fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let line = Arc::new(Line {
            state: Mutex::default(),
            changed: Condvar::new(),
        });
        let shared = line.clone();
        // It ends with the program.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                match TcpStream::connect(server) {
                    Ok(server) => shared.clone().join(&client, &server),
                    // As the server would: nobody is there.
                    Err(_) => drop(client),
                }
            }
        });
        Self { address, line }
    }

    /// Where clients connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Lets nothing more through this way, of connections of now and later, without a word.
    pub fn hold(&self, way: Way) {
        *self.line.state().flow(way) = Flow::Held;
    }

    /// Lets through what was held, and what comes, both ways.
    pub fn release(&self) {
        let mut state = self.line.state();
        (state.there, state.back) = (Flow::Goes, Flow::Goes);
        self.line.changed.notify_all();
    }

    /// Loses the answer to the next message with these octets: the server gets the message, and when
    /// it has begun to answer, the connection ends.
    pub fn lose_answer_to(&self, octets: &[u8]) {
        self.line.state().lost = Some(octets.to_owned());
    }

    /// How many answers were lost.
    pub fn losses(&self) -> u32 {
        self.line.state().losses
    }
}

impl State {
    fn flow(&mut self, way: Way) -> &mut Flow {
        match way {
            Way::There => &mut self.there,
            Way::Back => &mut self.back,
        }
    }

    /// Whether the answer to this is to be lost; the one to the next is not.
    fn loses(&mut self, octets: &[u8]) -> bool {
        let is_it = |lost: &mut Vec<u8>| octets.windows(lost.len()).any(|part| part == lost);
        self.lost.take_if(is_it).is_some()
    }
}

impl Line {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits while nothing may go this way.
    fn passes(&self, way: Way) -> MutexGuard<'_, State> {
        let is_held = |state: &mut State| *state.flow(way) == Flow::Held;
        let waited = self.changed.wait_while(self.state(), is_held);
        waited.unwrap_or_else(PoisonError::into_inner)
    }

    fn join(self: Arc<Self>, client: &TcpStream, server: &TcpStream) {
        let is_lost = Arc::new(Mutex::new(false));
        let copy = |stream: &TcpStream| {
            // Small messages are not gathered: that would delay each answer.
            stream.set_nodelay(true).expect("an option");
            stream.try_clone().expect("a descriptor")
        };
        for way in [Way::There, Way::Back] {
            let (line, is_lost) = (self.clone(), is_lost.clone());
            let (client, server) = (copy(client), copy(server));
            thread::spawn(move || {
                match way {
                    Way::There => line.forward(way, &client, &server, &is_lost),
                    Way::Back => line.forward(way, &server, &client, &is_lost),
                }
                // Already closed is fine.
                let _ = (
                    client.shutdown(Shutdown::Both),
                    server.shutdown(Shutdown::Both),
                );
            });
        }
    }

    /// Forwards until one side ends, or until what comes back on this connection is to be lost.
    fn forward(&self, way: Way, mut from: &TcpStream, mut to: &TcpStream, is_lost: &Mutex<bool>) {
        let mut octets = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = from.read(&mut octets) {
            let mut is_lost = {
                let mut state = self.passes(way);
                let mut is_lost = is_lost.lock().unwrap_or_else(PoisonError::into_inner);
                match way {
                    Way::There => *is_lost |= state.loses(&octets[..length]),
                    Way::Back if *is_lost => state.losses += 1,
                    Way::Back => {}
                }
                *is_lost
            };
            is_lost &= way == Way::Back;
            if is_lost || to.write_all(&octets[..length]).is_err() {
                return;
            }
        }
    }
}
