//! Globs: what matches is what matches where every way of the stars is followed, and what is
//! refused has what globs do not have.
//!
//! An input is a pattern, and, after a line feed, the text.

#![no_main]

use grantor::types::Glob;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Ok(input) = std::str::from_utf8(input) else {
        return;
    };
    let (pattern, text) = input.split_once('\n').unwrap_or((input, ""));
    let Ok(glob) = Glob::parse(pattern) else {
        let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/:@._-".contains(&octet);
        let is_taken =
            pattern.bytes().all(is_plain) && (1..=Glob::MAX_BYTES).contains(&pattern.len());
        assert!(!is_taken, "{pattern:?} is refused");
        return;
    };
    assert_eq!(glob.as_str(), pattern);
    assert!(!glob.literal_prefix().is_empty());
    let matches = glob.matches(text);
    assert_eq!(
        matches,
        reference(pattern.as_bytes(), text.as_bytes()),
        "{pattern:?} {text:?}"
    );
    assert!(!matches || text.starts_with(glob.literal_prefix()));
    assert!(glob.matches(pattern) || pattern.contains('*'));
});

/// Which octets of the text the pattern can end after, for each of its octets: a table of yes and no.
fn reference(pattern: &[u8], text: &[u8]) -> bool {
    let mut ends = vec![false; text.len() + 1];
    ends[0] = true;
    let mut rest = pattern;
    while let Some((first, behind)) = rest.split_first() {
        let is_deep = rest.starts_with(b"**");
        rest = behind.get(usize::from(is_deep)..).unwrap_or_default();
        let mut next = vec![false; text.len() + 1];
        for (at, octet) in text.iter().enumerate() {
            next[at + 1] = match first {
                b'*' if is_deep => ends[at] || next[at],
                b'*' => !b"/:".contains(octet) && (ends[at] || next[at]),
                first => first == octet && ends[at],
            };
        }
        ends = next;
    }
    ends[text.len()]
}
