//! Who else may read or write a file: whether what is in it is still a secret.

use std::{fmt, fs::Metadata, os::unix::fs::MetadataExt as _};

use rustix::process::{getegid, getgroups};

/// What others may do with a file or a directory.
///
/// Others are neither its owner nor the members of a group that this process belongs to: an
/// operator who gives the process a group (`fsGroup` in Kubernetes, which makes every file of a
/// volume readable and writable by that group) shares the file with it on purpose.
///
/// Complete: whoever refuses a file decides about each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// They may read it.
    Readable,
    /// They may change it, or, where it is a directory, replace what is in it.
    Writable,
}

impl Exposure {
    /// Judges by owner, group and mode; `None` if others may do neither.
    pub fn of(metadata: &Metadata) -> Option<Self> {
        let gid = metadata.gid();
        let is_ours = getegid().as_raw() == gid
            || getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid));
        Self::in_mode(metadata.mode(), if is_ours { 0o007 } else { 0o077 })
    }

    fn in_mode(mode: u32, others: u32) -> Option<Self> {
        match mode & others {
            bits if bits & 0o022 != 0 => Some(Self::Writable),
            bits if bits & 0o044 != 0 => Some(Self::Readable),
            _ => None,
        }
    }
}

impl fmt::Display for Exposure {
    /// What others may do, as a verb.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readable => "read",
            Self::Writable => "write",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_group_of_the_process_may_share_a_file() {
        for (mode, of_others, of_our_group) in [
            (0o600, None, None),
            (0o440, Some(Exposure::Readable), None),
            (0o660, Some(Exposure::Writable), None),
            (0o2770, Some(Exposure::Writable), None),
            (0o711, None, None),
            (0o604, Some(Exposure::Readable), Some(Exposure::Readable)),
            (0o602, Some(Exposure::Writable), Some(Exposure::Writable)),
            (0o1777, Some(Exposure::Writable), Some(Exposure::Writable)),
        ] {
            assert_eq!(Exposure::in_mode(mode, 0o077), of_others, "{mode:o}");
            assert_eq!(Exposure::in_mode(mode, 0o007), of_our_group, "{mode:o}");
        }
    }
}
