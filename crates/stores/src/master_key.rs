//! The master key: a file of 32 random octets, beside the database unless another place is named,
//! that opens the secrets inside it.

use std::{
    fs,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use grantor::{
    file,
    jose::{base64url_decode, base64url_encode, crypto},
    server::{Seals, TokenIds},
};
use zeroize::Zeroizing;

use crate::Exposure;

/// Octets read of a file, of which a key has 44.
const LONGEST: u64 = 1024;

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MasterKeyError {
    /// The file cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// Others than the owner and the groups of this process may read the file.
    #[error("{0}: others may read this file; run: chmod 600 {0}")]
    Permissions(PathBuf),
    /// The content is not a key.
    #[error("{0}: not a master key (43 characters of base64url); restore it from a backup")]
    Malformed(PathBuf),
    /// There is a database, but no key to it.
    #[error(
        "{0}: the master key of this database is missing; name its file with --master-key, or restore it from a backup"
    )]
    Missing(PathBuf),
    /// There is no file where one was named, and no database yet.
    #[error(
        "{0}: the file that --master-key (master_key_file) names is missing; put the key there that the other nodes have, or, for a new \
         server, start it once without: it makes a key"
    )]
    Absent(PathBuf),
}

/// What the master key is tried on.
const PROOF: (&str, &[u8]) = ("proof of the master key", b"grantor");

/// Encrypts and decrypts secrets. `Debug` shows nothing of it.
#[derive(Debug)]
pub struct MasterKey {
    sealing: crypto::SealingKey,
    token_ids: TokenIds,
    seals: Seals,
}

impl MasterKey {
    /// Reads the key from a file that its owner alone may read, or a group that this process
    /// belongs to.
    ///
    /// # Errors
    /// [`MasterKeyError`]
    pub fn read(path: &Path) -> Result<Self, MasterKeyError> {
        let io = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => MasterKeyError::Missing(path.to_owned()),
            _ => MasterKeyError::Io {
                path: path.to_owned(),
                error,
            },
        };
        // The file that is read is the one that was looked at.
        let opened = fs::File::open(path).map_err(io)?;
        if Exposure::of(&opened.metadata().map_err(io)?).is_some() {
            return Err(MasterKeyError::Permissions(path.to_owned()));
        }
        let text = file::read_from(opened, LONGEST)
            .and_then(file::text)
            .map_err(io)?;
        let octets = base64url_decode(text.trim_end()).map(Zeroizing::new);
        let key = octets
            .and_then(|octets| <[u8; 32]>::try_from(octets.as_slice()).ok())
            .map(Zeroizing::new);
        key.map(|key| Self::new(&key))
            .ok_or_else(|| MasterKeyError::Malformed(path.to_owned()))
    }

    /// As [`MasterKey::read`], where there is no database yet.
    pub(crate) fn read_given(path: &Path) -> Result<Self, MasterKeyError> {
        Self::read(path).map_err(|error| match error {
            MasterKeyError::Missing(path) => MasterKeyError::Absent(path),
            error => error,
        })
    }

    /// Makes a new key and writes it to a file that must not exist yet, mode 0600.
    ///
    /// # Errors
    /// [`MasterKeyError::Io`]
    pub fn create(path: &Path) -> Result<Self, MasterKeyError> {
        let key = Self::prepare(path)?;
        Self::keep(path)?;
        Ok(key)
    }

    /// The key of a database that is there, in this file. A first start that was killed may have left
    /// it unfinished.
    ///
    /// # Errors
    /// [`MasterKeyError`]
    pub(crate) fn read_or_unfinished(path: &Path) -> Result<Self, MasterKeyError> {
        if path.exists() {
            return Self::read(path);
        }
        match Self::read(&Self::unfinished(path)) {
            // There is none, or another process has given it its name meanwhile.
            Err(MasterKeyError::Missing(_)) => Self::read(path),
            unfinished => unfinished,
        }
    }

    /// What a database keeps to know its key by.
    pub(crate) fn proof(&self) -> Vec<u8> {
        let (purpose, text) = PROOF;
        self.seal(purpose, text)
    }

    /// Whether a proof was made with this key.
    pub(crate) fn made(&self, proof: &[u8]) -> bool {
        self.open(PROOF.0, proof).is_some()
    }

    /// Under which name a key is written before it is kept.
    pub(crate) fn unfinished(path: &Path) -> PathBuf {
        path.with_extension("key.new")
    }

    /// Makes a new key and writes it to a file beside the one that it is for, which
    /// [`MasterKey::keep`] makes of it: once there is something that it opens.
    pub(crate) fn prepare(path: &Path) -> Result<Self, MasterKeyError> {
        let key = Zeroizing::new(crypto::random_bytes::<32>());
        let text = Zeroizing::new(format!("{}\n", base64url_encode(key.as_slice())));
        let unfinished = Self::unfinished(path);
        let write = || {
            // One that was left may be the same file under both names: it is unlinked, never
            // truncated.
            fs::remove_file(&unfinished).or_else(|error| {
                if error.kind() == io::ErrorKind::NotFound {
                    Ok(())
                } else {
                    Err(error)
                }
            })?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&unfinished)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            sync_directory(path);
            Ok(())
        };
        write().map_err(|error| MasterKeyError::Io {
            path: path.to_owned(),
            error,
        })?;
        Ok(Self::new(&key))
    }

    /// Gives a key that was prepared its name. Without one, nothing has to be done.
    pub(crate) fn keep(path: &Path) -> Result<(), MasterKeyError> {
        let unfinished = Self::unfinished(path);
        if !unfinished.exists() {
            return Ok(());
        }
        // A link does not replace a key that is there: what was left beside it goes.
        // Another process may do the same meanwhile.
        let done = |result: io::Result<()>, by_another: io::ErrorKind| match result {
            Err(error) if error.kind() == by_another && path.exists() => Ok(()),
            result => result,
        };
        let keep = || {
            if !path.exists() {
                let named = fs::hard_link(&unfinished, path);
                done(named, io::ErrorKind::AlreadyExists)?;
            }
            done(fs::remove_file(&unfinished), io::ErrorKind::NotFound)
        };
        keep().map_err(|error| MasterKeyError::Io {
            path: path.to_owned(),
            error,
        })?;
        sync_directory(path);
        Ok(())
    }

    fn new(key: &[u8; 32]) -> Self {
        Self {
            sealing: crypto::SealingKey::new(key),
            token_ids: TokenIds::new(&derived(key, b"grantor: jti of access tokens")),
            seals: Seals::new(&derived(key, b"grantor: sealed values")),
        }
    }

    pub(crate) fn seals(&self) -> &Seals {
        &self.seals
    }

    pub(crate) fn token_ids(&self) -> &TokenIds {
        &self.token_ids
    }

    pub(crate) fn seal(&self, purpose: &str, secret: &[u8]) -> Vec<u8> {
        self.sealing.seal(purpose.as_bytes(), secret)
    }

    pub(crate) fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        self.sealing.open(purpose.as_bytes(), sealed)
    }
}

/// The master key is random, so a digest of it and a purpose is a key of its own.
fn derived(key: &[u8; 32], purpose: &[u8]) -> Zeroizing<[u8; 16]> {
    let digest = Zeroizing::new(crypto::sha256(&[purpose, key]));
    let beginning = digest.first_chunk();
    Zeroizing::new(*beginning.expect("a digest has more than 16 octets"))
}

/// The name of a file too, where the file system can do that: the database, perhaps on another
/// disk, is of no use without its key.
pub(crate) fn sync_directory(file: &Path) {
    let directory = file
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let _ = fs::File::open(directory.unwrap_or(Path::new(".")))
        .and_then(|directory| directory.sync_all());
}
