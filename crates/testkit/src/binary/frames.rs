//! HTTP/2 written by hand, octet by octet: what no client's library would send, and an exact count
//! of what was sent.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream},
};

/// One connection, from which nothing is read.
pub struct Frames {
    stream: TcpStream,
    sent: usize,
    next: u32,
}

/// What a client allows the server to send of an answer's body before it is told that there is room
/// for more.
#[derive(Clone, Copy)]
pub enum Window {
    Closed,
    Open,
}

impl Frames {
    pub fn open(address: SocketAddr, window: Window) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        let mut frames = Self {
            stream,
            sent: 0,
            next: 1,
        };
        frames.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        let settings: &[u8] = match window {
            Window::Closed => &[0, 4, 0, 0, 0, 0],
            Window::Open => &[0, 4, 0x7f, 0xff, 0xff, 0xff],
        };
        frames.frame(4, 0, 0, settings);
        frames
    }

    /// A POST to `/token` whose body has not come yet; `fields` further fields of one octet each.
    /// Answers the stream.
    pub fn post(&mut self, fields: usize) -> u32 {
        let mut block = vec![0x83, 0x86];
        block.extend(literal(0x04, "/token"));
        block.extend(literal(0x01, "as"));
        block.extend([0x0f, 0x10]);
        block.extend([33]);
        block.extend(b"application/x-www-form-urlencoded");
        if fields > 0 {
            // The first is put into the table, from which the others are taken.
            block.extend(if self.next == 1 {
                &[0x40, 1, b'x', 1, b'1'][..]
            } else {
                &[0xbe]
            });
            block.extend(std::iter::repeat_n(0xbe, fields - 1));
        }
        self.head(&block, 0x04)
    }

    /// A GET without a body.
    pub fn get(&mut self, path: &str) -> u32 {
        let mut block = vec![0x82, 0x86];
        block.extend(literal(0x04, path));
        block.extend(literal(0x01, "as"));
        self.head(&block, 0x05)
    }

    /// A piece of a body that goes on.
    pub fn data(&mut self, stream: u32, piece: &[u8]) {
        self.frame(0, 0, stream, piece);
    }

    fn head(&mut self, block: &[u8], flags: u8) -> u32 {
        let stream = self.next;
        self.next += 2;
        self.frame(1, flags, stream, block);
        stream
    }

    fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len())
            .expect("a short frame")
            .to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame);
    }

    fn write(&mut self, octets: &[u8]) {
        self.sent += octets.len();
        // A server that has had enough closes.
        let _ = self.stream.write_all(octets);
    }

    pub fn sent(&self) -> usize {
        self.sent
    }
}

/// A literal field without indexing, its name from the static table (RFC 7541 §6.2.2).
fn literal(name: u8, value: &str) -> Vec<u8> {
    [
        &[name, u8::try_from(value.len()).expect("short")][..],
        value.as_bytes(),
    ]
    .concat()
}
