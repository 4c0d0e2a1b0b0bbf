//! How the server on a data directory was last started: what flags said to it, commands in another shell do not see.

use std::{fs, io, net::SocketAddr, path::Path};

use grantor::file;
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
    /// `None` where no server was started yet, or what is there cannot be read: it is a help, and nothing depends on it.
    pub fn read(data: &Path) -> Option<Self> {
        let text = file::read(&data.join(FILE), file::KEY_BYTES).ok()?;
        serde_json::from_slice(&text).ok()
    }

    /// Replaces what is there.
    pub fn write(&self, data: &Path) -> io::Result<()> {
        let whole = data.join(FILE);
        let part = whole.with_extension("part");
        fs::write(&part, serde_json::to_vec(self)?)?;
        fs::rename(part, whole)
    }
}
