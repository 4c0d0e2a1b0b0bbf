//! Handing over a new key or secret. It exists nowhere else, so it is where it is meant to be
//! before it is registered: whatever happens then, no client is registered whose key is lost. What
//! was handed over and not registered opens nothing. Only a secret that a server elsewhere makes
//! comes after; its place is taken before it is asked for.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::{
        fd::AsFd as _,
        unix::fs::{MetadataExt as _, OpenOptionsExt as _},
    },
    path::{Path, PathBuf},
};

use grantor::{
    credential::{Credential, KeyFile, KeyFileError},
    types::ClientId,
};
use zeroize::Zeroizing;

use crate::{
    admin::{Administration, Input, Operation, Remote, State, clients::TwoSteps},
    cli::{Connection, Failure},
};

/// A change that was made, with where its key went.
pub struct Made<A> {
    /// What the change came to.
    pub answer: A,
    delivered: Option<Delivered>,
}

impl<A> Made<A> {
    /// Where the key went: to a file, or else to standard output, where nothing more is printed;
    /// `None` if none was made.
    pub fn key_file(&self) -> Option<Option<&Path>> {
        self.delivered.as_ref().map(Delivered::path)
    }
}

/// Hands over the key file, if there is one, and makes the change that registers its key, of what is
/// in this state.
pub async fn with_key<O: Operation>(
    connection: &Connection,
    (file, state): (Option<&KeyFile>, &State),
    out: Option<PathBuf>,
    id: &ClientId,
    input: Input<O>,
) -> Result<Made<O::Answer>, Failure> {
    let deliver = |file| Destination::of(out, id).deliver(file);
    let delivered = file.map(deliver).transpose()?;
    let changed = connection.call_at(input, state).await;
    made(changed.map(|seen| seen.document), delivered, id)
}

/// Makes a change for which the server makes a secret, and hands that over.
pub async fn with_secret<O: TwoSteps>(
    connection: &Connection,
    out: Option<PathBuf>,
    id: &ClientId,
    input: Input<O>,
) -> Result<Made<O::Answer>, Failure> {
    let destination = Destination::of(out, id);
    match connection {
        Connection::Here(admin) => here(admin, destination, id, input).await,
        Connection::There(remote) => {
            let issuer = connection.issuer()?;
            let reserved = destination.reserve()?;
            let answer = match there(remote, &input).await {
                Ok(answer) => answer,
                Err(failure) => return Err(reserved.give_up(id, failure)),
            };
            let Some((client, secret)) = O::secret(&answer) else {
                return Err(reserved.give_up(id, Failure::failed("no secret was made")));
            };
            let credential = Credential::Secret(Zeroizing::new(secret.to_owned()));
            let method = client.token_endpoint_auth_method.clone();
            let file = KeyFile::new(&issuer, id.clone(), method, credential);
            let delivered = Some(reserved.fill(&file, id)?);
            Ok(Made { answer, delivered })
        }
    }
}

async fn here<O: TwoSteps>(
    admin: &Administration,
    destination: Destination,
    id: &ClientId,
    input: Input<O>,
) -> Result<Made<O::Answer>, Failure> {
    let prepared = O::prepare(admin, input).await?;
    let deliver = |file| destination.deliver(file);
    let delivered = prepared.key_file.as_ref().map(deliver).transpose()?;
    let finished = O::finish(admin, prepared).await;
    let answer = finished.map(|answered| answered.document);
    made(answer.map_err(Failure::from), delivered, id)
}

async fn there<O: Operation>(remote: &Remote, input: &Input<O>) -> Result<O::Answer, Failure> {
    Ok(remote.call(input).await?)
}

fn made<A>(
    answer: Result<A, Failure>,
    delivered: Option<Delivered>,
    id: &ClientId,
) -> Result<Made<A>, Failure> {
    match (answer, delivered) {
        (Ok(answer), delivered) => Ok(Made { answer, delivered }),
        (Err(failure), Some(delivered)) => Err(delivered.take_back(id, failure)),
        (Err(failure), None) => Err(failure),
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
            Self::StandardOutput => print(file).map_err(|error| unprintable(&error))?,
        }
        Ok(Delivered(self))
    }

    /// Makes sure that something can be handed over there.
    fn reserve(self) -> Result<Reserved, Failure> {
        match self {
            Self::File(path) => {
                let file = reserve(&path).map_err(|error| unwritten(&error))?;
                Ok(Reserved::File(path, file))
            }
            Self::StandardOutput => {
                let open = standard_output().map_err(|error| unprintable(&error));
                open.map(|_| Reserved::StandardOutput)
            }
        }
    }
}

/// A place for a secret that is not made yet.
#[derive(Debug)]
enum Reserved {
    /// An empty file, readable by its owner only.
    File(PathBuf, File),
    StandardOutput,
}

impl Reserved {
    /// Hands the secret over, which is registered.
    fn fill(self, file: &KeyFile, id: &ClientId) -> Result<Delivered, Failure> {
        let (place, filled) = match self {
            Self::File(path, place) => {
                let filled = fill(place, file);
                (Destination::File(path), filled)
            }
            Self::StandardOutput => (Destination::StandardOutput, print(file)),
        };
        match filled {
            Ok(()) => Ok(Delivered(place)),
            Err(error) => Err(Failure::failed(format_args!(
                "the secret was registered, and could not be handed over: {error}; have another \
                 one made: grantor client rotate-secret {id}"
            ))),
        }
    }

    /// Nothing is handed over.
    fn give_up(self, id: &ClientId, failure: Failure) -> Failure {
        if let Self::File(path, _) = &self {
            // It is empty, and nobody was told of it.
            let _ = fs::remove_file(path);
        }
        match failure.is_certain() {
            true => failure,
            false => failure.and(format_args!(
                "whether a secret was registered is not certain: `grantor client show {id}` tells; \
                 have another one made if it was"
            )),
        }
    }
}

/// Makes an empty file that only its owner reads.
fn reserve(path: &Path) -> Result<File, KeyFileError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    made.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => KeyFileError::Exists(path.to_owned()),
        io::ErrorKind::NotFound => KeyFileError::NoDirectory(path.to_owned()),
        _ => KeyFileError::Write(path.to_owned(), error),
    })
}

fn fill(mut place: File, file: &KeyFile) -> io::Result<()> {
    place.write_all(text_of(file)?.as_bytes())?;
    place.sync_all()
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

fn unprintable(error: &io::Error) -> Failure {
    Failure::failed(format!(
        "standard output: {error}; nothing was registered, for the key would be lost"
    ))
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

fn text_of(file: &KeyFile) -> io::Result<Zeroizing<String>> {
    let text = file.to_text();
    text.ok_or_else(|| io::Error::other("the key has no place in this form"))
}

/// Standard output, unless it is the device that keeps nothing, which stands in for one that the
/// shell has closed (`>&-`).
fn standard_output() -> io::Result<File> {
    let file = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    if fs::metadata("/dev/null")
        .is_ok_and(|null| file.metadata().is_ok_and(|file| file.rdev() == null.rdev()))
    {
        return Err(io::Error::other("it is closed, or /dev/null"));
    }
    Ok(file)
}

/// Prints a key. Also a closed pipe is an error here.
fn print(file: &KeyFile) -> io::Result<()> {
    let text = text_of(file)?;
    let file = standard_output()?;
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
    fn take_back(self, id: &ClientId, failure: Failure) -> Failure {
        let is_certain = failure.is_certain();
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
