//! Reading files, each of at most so many octets: a name that is mistyped, or a device without an
//! end, costs no more memory than the file that was meant could have. What was read is wiped when
//! dropped.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use zeroize::Zeroizing;

/// Octets of a file that holds one key or one credential.
pub const KEY_BYTES: u64 = 64 * 1024;

/// Octets of a file that holds many: a key set, a certificate chain, a configuration.
pub const DOCUMENT_BYTES: u64 = 1024 * 1024;

/// Reads a file to its end.
///
/// # Errors
/// As [`std::fs::read`], and [`io::ErrorKind::FileTooLarge`] where there are more than `limit`
/// octets.
pub fn read(path: &Path, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    read_from(File::open(path)?, limit)
}

/// As [`read`], for UTF-8.
///
/// # Errors
/// As [`read`], and [`io::ErrorKind::InvalidData`] where the text is not UTF-8.
pub fn read_text(path: &Path, limit: u64) -> io::Result<Zeroizing<String>> {
    text(read(path, limit)?)
}

/// As [`read`], from a file that is open, or from standard input.
///
/// # Errors
/// As [`read`].
pub fn read_from(source: impl Read, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    // Room for all of it from the start: memory that grows would leave parts of a secret behind.
    let room = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut octets = Zeroizing::new(Vec::with_capacity(room));
    source
        .take(limit.saturating_add(1))
        .read_to_end(&mut octets)?;
    match octets.len() < room {
        true => Ok(octets),
        false => Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("longer than {limit} octets"),
        )),
    }
}

/// As UTF-8.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`]
pub fn text(octets: Zeroizing<Vec<u8>>) -> io::Result<Zeroizing<String>> {
    let text = std::str::from_utf8(&octets)
        .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_up_to_its_limit_and_no_further() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("file");
        std::fs::write(&path, "12345678").expect("written");
        assert_eq!(
            **read_text(&path, 8).expect("as long as it may be"),
            *"12345678"
        );
        assert_eq!(
            read(&path, 7).expect_err("longer").kind(),
            io::ErrorKind::FileTooLarge
        );
        let endless = read(Path::new("/dev/zero"), KEY_BYTES).expect_err("without an end");
        assert_eq!(endless.to_string(), "longer than 65536 octets");
        std::fs::write(&path, [0xff]).expect("written");
        assert_eq!(
            read_text(&path, 8).expect_err("not UTF-8").kind(),
            io::ErrorKind::InvalidData
        );
    }
}
