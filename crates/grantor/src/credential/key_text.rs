//! A file with a key, read: once, because a pipe gives its text once; no more of it than a key is
//! long; and told by what is in it.

use std::{
    fmt, fs,
    io::{self, Read},
    path::Path,
};

use grantor_jose::{JsonError, json};
use zeroize::Zeroizing;

use crate::file::{self, KEY_BYTES};

/// What is in a file with a key. `Debug` does not show it, and it is wiped when dropped.
pub struct KeyText {
    text: Zeroizing<String>,
    form: KeyTextForm,
}

/// What a file with a key may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyTextForm {
    /// A [key file](super::KeyFile): a credential, and whose it is.
    KeyFile,
    /// A JWK: a key alone.
    Jwk,
    /// A key alone in PEM, with whatever else the text holds.
    Pem,
}

/// Why a file is none with a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyTextError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// A directory.
    #[error("it is a directory: name the file in it")]
    Directory,
    /// Longer than any key.
    #[error("it is longer than {0} octets, as no key is")]
    TooLong(u64),
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Text in UTF-16, as some editors save it.
    #[error("it is UTF-16 text: save it as UTF-8")]
    Utf16,
    /// No text.
    #[error(
        "it is binary (DER or PKCS#12?): convert it to PEM, with 'openssl pkey -inform DER -in FILE -out NEWFILE' or \
         'openssl pkcs12 -nodes -nocerts -in FILE -out NEWFILE'"
    )]
    Binary,
    /// A JWK Set: several keys, or one in a wrapping.
    #[error("it is a JWK Set: take the one private JWK that is meant out of its 'keys'")]
    JwkSet,
    /// JSON to its first letter, and then not.
    #[error("it begins like JSON: {0}")]
    Json(JsonError),
    /// JSON about something else.
    #[error("it is JSON, and neither a key file (with a 'type') nor a JWK (with a 'kty')")]
    OtherJson,
    /// Neither PEM nor JSON.
    #[error("it is neither PEM (with a line that begins with '-----BEGIN') nor JSON")]
    Unknown,
}

impl KeyText {
    /// Reads a file, a pipe or a device, once.
    ///
    /// # Errors
    /// [`KeyTextError`]
    pub fn read(path: &Path) -> Result<Self, KeyTextError> {
        let file = fs::File::open(path)?;
        if file.metadata()?.is_dir() {
            return Err(KeyTextError::Directory);
        }
        Self::from_reader(file)
    }

    /// Reads to the end: standard input, for example. At most [`KEY_BYTES`].
    ///
    /// # Errors
    /// [`KeyTextError`]
    pub fn from_reader(reader: impl Read) -> Result<Self, KeyTextError> {
        let octets = file::read_from(reader, KEY_BYTES).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => KeyTextError::TooLong(KEY_BYTES),
            _ => KeyTextError::Io(error),
        })?;
        Self::parse(&octets)
    }

    /// Tells what it is. A byte order mark is passed over.
    ///
    /// # Errors
    /// [`KeyTextError`]
    pub fn parse(octets: &[u8]) -> Result<Self, KeyTextError> {
        if octets.starts_with(&[0xff, 0xfe]) || octets.starts_with(&[0xfe, 0xff]) {
            return Err(KeyTextError::Utf16);
        }
        let text = str::from_utf8(octets).map_err(|_| KeyTextError::Binary)?;
        let text = without_mark(text);
        let form = match text.trim_start() {
            "" => return Err(KeyTextError::Empty),
            // A short DER may be UTF-8, but for its first octets.
            text if text.starts_with("0\u{0}") || text.contains('\u{0}') => {
                return Err(KeyTextError::Binary);
            }
            text if text.starts_with(['{', '[']) => form_of_json(text)?,
            text if text.contains("-----BEGIN ") => KeyTextForm::Pem,
            _ => return Err(KeyTextError::Unknown),
        };
        Ok(Self {
            text: Zeroizing::new(text.to_owned()),
            form,
        })
    }

    /// What it is.
    pub fn form(&self) -> KeyTextForm {
        self.form
    }

    /// The text. It is the secret.
    pub fn expose(&self) -> &str {
        &self.text
    }
}

/// The text without the byte order mark in front that some editors write (RFC 8259 §8.1 lets a
/// reader ignore it).
pub(super) fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

fn form_of_json(text: &str) -> Result<KeyTextForm, KeyTextError> {
    let mut object = json::parse_object(text.as_bytes()).map_err(|error| match error {
        JsonError::NotAnObject => KeyTextError::OtherJson,
        error => KeyTextError::Json(error),
    })?;
    let has = |name| object.contains_key(name);
    let form = match () {
        () if has("type") => Ok(KeyTextForm::KeyFile),
        () if has("kty") => Ok(KeyTextForm::Jwk),
        () if has("keys") => Err(KeyTextError::JwkSet),
        () => Err(KeyTextError::OtherJson),
    };
    object.values_mut().for_each(super::key_file::wipe);
    form
}

impl fmt::Debug for KeyText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyText")
            .field("form", &self.form)
            .finish_non_exhaustive()
    }
}
