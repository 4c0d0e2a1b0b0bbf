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

/// Octets of most files. Room for a whole document costs each command the time to wipe it.
const USUAL_BYTES: usize = 8 * 1024;

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
pub fn read_from(mut source: impl Read, limit: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let room = usize::try_from(limit)
        .unwrap_or(usize::MAX)
        .saturating_add(1);
    let mut octets = Zeroizing::new(Vec::with_capacity(room.min(USUAL_BYTES)));
    loop {
        // Never more than there is room for: memory that grows would leave parts of a secret behind.
        let free = octets.capacity() - octets.len();
        let read = source.by_ref().take(free as u64).read_to_end(&mut octets)?;
        if read < free {
            return Ok(octets);
        }
        if octets.len() >= room {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!("longer than {limit} octets"),
            ));
        }
        octets = with_twice_the_room(&octets, room);
    }
}

/// The same octets, with twice the room, but no more than `most`.
fn with_twice_the_room(octets: &Zeroizing<Vec<u8>>, most: usize) -> Zeroizing<Vec<u8>> {
    let room = octets.capacity().saturating_mul(2).min(most);
    let mut larger = Zeroizing::new(Vec::with_capacity(room));
    larger.extend_from_slice(octets);
    larger
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

    #[test]
    fn what_needs_more_room_is_read_whole_and_no_further() {
        let all: Vec<u8> = (0..=u8::MAX).cycle().take(5 * USUAL_BYTES).collect();
        for end in [1, 2, 3, 4, 5] {
            for length in [end * USUAL_BYTES - 1, end * USUAL_BYTES] {
                let octets = &all[..length];
                for limit in [length, length + 1, all.len()] {
                    let read = read_from(octets, limit as u64).expect("as long as it may be");
                    assert!(**read == *octets, "{length} of {limit}");
                }
                let longer = read_from(octets, length as u64 - 1).expect_err("longer");
                assert_eq!(longer.kind(), io::ErrorKind::FileTooLarge);
            }
        }
    }
}
