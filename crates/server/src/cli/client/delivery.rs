//! Handing over a new key or secret. It exists nowhere else, so it is where it is meant to be
//! before it is registered: whatever happens then, no client is registered whose key is lost. What
//! was handed over and not registered opens nothing.

use std::{
    fs,
    io::{self, Write as _},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
};

use grantor::{
    admin::{ClientDocument, Error, Prepared, Warning},
    credential::{KeyFile, KeyFileError},
    types::ClientId,
};

use crate::cli::{Administered, Failure};

/// A change that was made, with where its key went.
pub struct Made {
    /// The client as it is registered now.
    pub client: ClientDocument,
    delivered: Option<Delivered>,
}

/// Hands over the key or secret, and makes the change.
pub async fn make(
    admin: &Administered,
    id: &ClientId,
    mut prepared: Prepared,
    out: Option<PathBuf>,
) -> Result<Made, Failure> {
    prepared.warnings.iter().for_each(warn);
    let file = prepared.key_file.take();
    let delivered = file.map(|file| Destination::of(out, id).deliver(&file));
    let delivered = delivered.transpose()?;
    match (
        admin.clients().make(prepared, admin.actor()).await,
        delivered,
    ) {
        (Ok(client), delivered) => Ok(Made { client, delivered }),
        (Err(error), Some(delivered)) => Err(delivered.take_back(id, error)),
        (Err(error), None) => Err(error.into()),
    }
}

impl Made {
    /// Where the key went: to a file, or else to standard output, where nothing more is printed;
    /// `None` if none was made.
    pub fn key_file(&self) -> Option<Option<&Path>> {
        self.delivered.as_ref().map(Delivered::path)
    }
}

/// What can be done about it is named by its command.
fn warn(warning: &Warning) {
    match warning {
        Warning::UnusedKey { client, .. } => tracing::warn!(
            "{warning}; change that with: grantor client update {client} --signing-alg ALG"
        ),
        _ => tracing::warn!("{warning}"),
    }
}

/// Where a new key file goes.
#[derive(Debug)]
enum Destination {
    File(PathBuf),
    StandardOutput,
}

impl Destination {
    /// What `--out` says, else `ID.json`.
    fn of(out: Option<PathBuf>, id: &ClientId) -> Self {
        match out {
            Some(path) if path == Path::new("-") => Self::StandardOutput,
            Some(path) => Self::File(path),
            None => Self::File(key_file_name(id)),
        }
    }

    /// Hands the key over. It has reached the disk, or has left the process, when this succeeds;
    /// otherwise nothing is left of it.
    fn deliver(self, file: &KeyFile) -> Result<Delivered, Failure> {
        match &self {
            Self::File(path) => file.write_new(path).map_err(|error| unwritten(&error))?,
            Self::StandardOutput => print(file).map_err(|error| {
                Failure::failed(format!(
                    "standard output: {error}; nothing was registered, for the key would be lost"
                ))
            })?,
        }
        Ok(Delivered(self))
    }
}

/// Refuses `--out` where no key file is made, for it would be waited for in vain.
pub fn no_key_file(out: Option<&Path>) -> Result<(), Failure> {
    out.map_or(Ok(()), |out| {
        Err(Failure::usage(format!(
            "--out {}: no key file is made here, for no private key and no secret is; leave out --out",
            out.display()
        )))
    })
}

/// What can be done about it is named by its flag.
fn unwritten(error: &KeyFileError) -> Failure {
    Failure::usage(match error {
        KeyFileError::Exists(_) => format!("{error}; name another with --out"),
        KeyFileError::NoDirectory(_) => {
            format!("{error}; make it, or name another file with --out")
        }
        _ => error.to_string(),
    })
}

/// `ID.json`, with other characters than letters, digits and `.@-_` replaced.
pub fn key_file_name(id: &ClientId) -> PathBuf {
    let safe = |each: char| {
        if each.is_alphanumeric() || ".@-_".contains(each) {
            each
        } else {
            '_'
        }
    };
    PathBuf::from(format!(
        "{}.json",
        id.as_str().chars().map(safe).collect::<String>()
    ))
}

/// Prints a key. Also a closed pipe is an error here, and so is the device that keeps nothing,
/// which stands in for a standard output that the shell has closed (`>&-`).
fn print(file: &KeyFile) -> io::Result<()> {
    let text = file
        .to_text()
        .ok_or_else(|| io::Error::other("the key has no place in this form"))?;
    let file = fs::File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if fs::metadata("/dev/null")
        .is_ok_and(|null| file.metadata().is_ok_and(|file| file.rdev() == null.rdev()))
    {
        return Err(io::Error::other("it is closed, or /dev/null"));
    }
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()?;
    // Only a file can be synced.
    match file.metadata()?.is_file() {
        true => file.sync_all(),
        false => Ok(()),
    }
}

/// A key that was handed over, to be registered now.
#[derive(Debug)]
struct Delivered(Destination);

impl Delivered {
    /// The key file, unless the key was printed.
    fn path(&self) -> Option<&Path> {
        match &self.0 {
            Destination::File(path) => Some(path),
            Destination::StandardOutput => None,
        }
    }

    /// Takes the key back if it is certain that nothing was registered, and keeps it otherwise: the
    /// failure may have come after the commit.
    fn take_back(self, id: &ClientId, error: Error) -> Failure {
        let is_certain = error.is_certain();
        let failure = Failure::from(error);
        match (self.0, is_certain) {
            // Nobody was told of the key in it.
            (Destination::File(path), true) => match fs::remove_file(&path) {
                Ok(()) => failure,
                Err(error) => failure.and(format_args!("the key in {} is worthless, and was not removed: {error}", path.display())),
            },
            (Destination::File(path), false) => failure.and(format_args!(
                "whether the key was registered is not certain, so {} was kept: `grantor client show {id}` tells; remove the file \
                 if it was not",
                path.display()
            )),
            (Destination::StandardOutput, true) => failure.and("the key that was printed is worthless"),
            (Destination::StandardOutput, false) => failure.and(format_args!(
                "whether the key that was printed was registered is not certain: `grantor client show {id}` tells"
            )),
        }
    }
}
