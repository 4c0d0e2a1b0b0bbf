//! How the server on a data directory was last started: what flags said to it, commands in another
//! shell do not see.

use std::{
    fs,
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
};

use grantor::{file, types::Issuer};
use serde::{Deserialize, Serialize};

/// Its name in the data directory.
const FILE: &str = "last-start.json";

/// What commands need to know to speak of the same server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastStart {
    /// The issuer identifier, which key files name.
    pub issuer: String,
    /// The address that it listened on.
    pub listen: SocketAddr,
}

impl LastStart {
    /// `None` where no server was started yet, or what is there cannot be read: it is a help, and
    /// nothing depends on it.
    pub fn read(data: &Path) -> Option<Self> {
        let path = data.join(FILE);
        // Opening a pipe would wait for its other end.
        fs::metadata(&path).ok().filter(fs::Metadata::is_file)?;
        let text = file::read(&path, file::KEY_BYTES).ok()?;
        let read: Self = serde_json::from_slice(&text).ok()?;
        Issuer::parse(&read.issuer).is_ok().then_some(read)
    }

    /// Replaces what is there.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let whole = data.join(FILE);
        let part = whole.with_extension("part");
        // A part that was left behind is not written through: it may be a link to elsewhere.
        if let Err(error) = fs::remove_file(&part)
            && error.kind() != io::ErrorKind::NotFound
        {
            return Err(error);
        }
        fs::File::create_new(&part)?.write_all(&serde_json::to_vec(self)?)?;
        fs::rename(part, whole)
    }
}
