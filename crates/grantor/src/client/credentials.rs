//! What a source proves itself with. Where it comes from a key file, the file as it is now: a key
//! that is rotated there needs no restart.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use arc_swap::ArcSwap;
use grantor_jose::crypto;

use super::{ConfigError, Grant, KeySourceError};
use crate::credential::{ClientAuth, KeyFile, KeyFileError, KeyText, Server};

/// A grant, and the client authentication beside it.
pub(super) struct Credentials {
    pub grant: Box<dyn Grant>,
    pub client_auth: Option<Box<dyn ClientAuth>>,
}

impl Credentials {
    /// Whether they fit the server.
    pub fn check(&self, server: &Server) -> Result<(), ConfigError> {
        self.grant.check(server)?;
        self.client_auth
            .as_ref()
            .map_or(Ok(()), |client_auth| Ok(client_auth.check(server)?))
    }
}

/// The credentials of a source. They change where they come from a file.
pub(super) struct Supply {
    current: ArcSwap<Credentials>,
    origin: Option<Arc<Origin>>,
}

impl Supply {
    pub fn new(credentials: Credentials, origin: Option<Origin>) -> Self {
        Self {
            current: ArcSwap::from_pointee(credentials),
            origin: origin.map(Arc::new),
        }
    }

    /// The credentials as they were read last.
    pub fn current(&self) -> Arc<Credentials> {
        self.current.load_full()
    }

    /// The credentials, read anew if the file is another one than when it was read last.
    pub async fn fresh(&self) -> Arc<Credentials> {
        self.look(Origin::if_changed).await;
        self.current()
    }

    /// Other credentials than those that the server refused, if there are any: the file says
    /// something else by now.
    pub async fn other_than(&self, refused: &Arc<Credentials>) -> Option<Arc<Credentials>> {
        if Arc::ptr_eq(&self.current(), refused) {
            self.look(Origin::again).await;
        }
        Some(self.current()).filter(|current| !Arc::ptr_eq(current, refused))
    }

    /// A file that cannot be read or used now is being written, or is mistaken: what is known goes
    /// on working as long as it does.
    async fn look(&self, look: fn(&Origin) -> Result<Option<Credentials>, KeySourceError>) {
        let Some(origin) = self.origin.clone() else {
            return;
        };
        match tokio::task::spawn_blocking(move || look(&origin)).await {
            Ok(Ok(Some(credentials))) => self.current.store(Arc::new(credentials)),
            Ok(Ok(None)) | Err(_) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the key file has changed, and the credential that was read before is used on");
            }
        }
    }
}

/// A key file that can be read again.
pub(super) struct Origin {
    path: PathBuf,
    /// Client, issuer and token endpoint: a file for others is not taken for a new key of these.
    names: [String; 3],
    seen: Mutex<Seen>,
}

/// The file as it was read last.
struct Seen {
    stamp: Stamp,
    digest: [u8; 32],
}

impl Origin {
    /// Reads a key file for the first time. There is no origin where it can be read only once: a
    /// pipe, for example.
    pub fn read(path: &Path) -> Result<(KeyFile, Option<Self>), KeyFileError> {
        let stamp = Stamp::of(path);
        let text = read(path)?;
        let file = KeyFile::from_text(&text, path)?;
        // Taken before the text: what is written between the two is seen as a change.
        let seen = stamp.ok().flatten().map(|stamp| {
            Mutex::new(Seen {
                stamp,
                digest: digest(&text),
            })
        });
        // The working directory may be another one later. Links are not followed here: they are how
        // orchestrators replace files.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let origin = seen.map(|seen| Self {
            path,
            names: names(&file),
            seen,
        });
        Ok((file, origin))
    }

    /// The credentials in the file if it is another one.
    fn if_changed(&self) -> Result<Option<Credentials>, KeySourceError> {
        let stamp = Stamp::of(&self.path).ok().flatten();
        match stamp.is_some_and(|stamp| {
            stamp
                != self
                    .seen
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .stamp
        }) {
            true => self.again(),
            false => Ok(None),
        }
    }

    /// The credentials in the file if it says something else.
    fn again(&self) -> Result<Option<Credentials>, KeySourceError> {
        let failed = |error| KeySourceError::Config(self.path.clone(), error);
        let Some(stamp) = Stamp::of(&self.path).ok().flatten() else {
            return Ok(None);
        };
        let text = read(&self.path)?;
        let digest = digest(&text);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.digest == digest {
            seen.stamp = stamp;
            return Ok(None);
        }
        let file = KeyFile::from_text(&text, &self.path)?;
        if names(&file) != self.names {
            return Err(KeySourceError::Others(self.path.clone()));
        }
        let (server, credentials) = file.credentials().map_err(failed)?;
        credentials.check(&server).map_err(failed)?;
        *seen = Seen { stamp, digest };
        tracing::info!(path = %self.path.display(), "the key file has changed and was read again");
        Ok(Some(credentials))
    }
}

fn read(path: &Path) -> Result<KeyText, KeyFileError> {
    KeyText::read(path).map_err(|error| KeyFileError::Text(path.to_owned(), error))
}

fn names(file: &KeyFile) -> [String; 3] {
    [
        file.client_id.to_string(),
        file.issuer.clone(),
        file.token_endpoint.clone(),
    ]
}

fn digest(text: &KeyText) -> [u8; 32] {
    crypto::sha256(&[text.expose().as_bytes()])
}

/// What changes with a file.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Stamp {
    modified: SystemTime,
    octets: u64,
    /// Of a file that took the place of another; zero where the system does not tell.
    number: u64,
}

impl Stamp {
    /// `None` if it is no file, and can perhaps be read only once.
    fn of(path: &Path) -> io::Result<Option<Self>> {
        let metadata = fs::metadata(path)?;
        if !metadata.is_file() {
            return Ok(None);
        }
        #[cfg(unix)]
        let number = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let number = 0;
        Ok(Some(Self {
            modified: metadata.modified()?,
            octets: metadata.len(),
            number,
        }))
    }
}
