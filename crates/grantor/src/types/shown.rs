//! How a stranger's text is kept and shown: in a decision, in a log line, in an error.
//!
//! Three things may be wrong with it. It may move the cursor of a terminal or turn the direction of
//! a line, so such characters are escaped. It may be long, so it is cut, and its length is told.
//! And it may be a credential in the wrong field (a secret where the name belongs), so only what
//! looks like words is repeated: of any other run of letters and digits four characters are, and
//! four of a long run of base64url in which something does not look like a word.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// A text that may be kept and shown, at most [`Shown::MAX_BYTES`] octets and a mark of its length.
///
/// ```
/// use grantor::types::Shown;
/// assert_eq!(Shown::of("https://billing.example/v2").as_str(), "https://billing.example/v2");
/// assert_eq!(Shown::of("GOCSPX-kX3vT9qLmW2").as_str(), "GOCSPX-kX3v… (18 octets)");
/// assert_eq!(Shown::of("a\u{202e}b\u{1b}").as_str(), "a\\u{202e}b\\u{1b}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Shown(String);

/// Characters that are kept of a run of letters and digits that does not look like a word.
const KEPT: usize = 4;
/// From this many characters on a run of base64url may be a secret, whose parts happen to look like
/// words here and there.
const LONG_RUN: usize = 32;
/// Most characters of a word.
const LONGEST_WORD: usize = 24;
/// Most short runs with digits or capitals that are shown: an IPv6 address has eight.
const MOST_ODD_RUNS: usize = 9;
/// Most values of a list that are shown.
const MOST_VALUES: usize = 4;

impl Shown {
    /// Most octets of the text, the mark of its length not counted.
    pub const MAX_BYTES: usize = 128;

    /// Shows what a stranger sent. Runs of letters and digits that do not look like words are cut
    /// to their first four characters: they may be part of a secret or a token.
    pub fn of(text: &str) -> Self {
        if is_plain(text) {
            return Self(text.to_owned());
        }
        if is_taken_apart(text) {
            let beginning: String = text.chars().take(KEPT).collect();
            return Self(format!("{}… ({} octets)", escaped(&beginning), text.len()));
        }
        let mut shown = String::with_capacity(text.len().min(Self::MAX_BYTES));
        let mut is_masked = false;
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let (piece, is_shown) = piece(rest, first);
            let after = &rest[piece.len()..];
            let before = shown.len();
            if is_shown {
                piece
                    .chars()
                    .for_each(|each| push_escaped(&mut shown, each));
            } else {
                shown.extend(piece.chars().take(KEPT).chain(['…']));
                is_masked = true;
            }
            if shown.len() > Self::MAX_BYTES {
                shown.truncate(before);
                return Self(format!("{shown}… ({} octets)", text.len()));
            }
            rest = after;
        }
        if is_masked {
            Self(format!("{shown} ({} octets)", text.len()))
        } else {
            Self(shown)
        }
    }

    /// Shows the first of several texts, each as [`Shown::of`] does, in quotes and brackets.
    pub fn list<'t>(texts: impl ExactSizeIterator<Item = &'t str>) -> Self {
        let more = texts.len().saturating_sub(MOST_VALUES);
        let mut shown: Vec<String> = texts
            .take(MOST_VALUES)
            .map(|text| format!("{:?}", Self::of(text)))
            .collect();
        if more > 0 {
            shown.push(format!("{more} more"));
        }
        Self(format!("[{}]", shown.join(", ")))
    }

    /// Shows a text in which no stranger's credential can be, such as a registered name: whole, but
    /// escaped, and cut after `most` octets.
    pub fn known(text: &str, most: usize) -> Self {
        // Nearly all are: nothing is escaped that is not a character of its own.
        if text.len() <= most && text.bytes().all(|each| matches!(each, b' '..=b'~')) {
            return Self(text.to_owned());
        }
        let mut shown = String::with_capacity(text.len().min(most));
        for each in text.chars() {
            let before = shown.len();
            push_escaped(&mut shown, each);
            if shown.len() > most {
                shown.truncate(before);
                return Self(format!("{shown}… ({} octets)", text.len()));
            }
        }
        Self(shown)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Self {
        Self::of(text)
    }
}

impl PartialEq<str> for Shown {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Shown {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// In quotes. What is escaped is not escaped again.
impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0.replace('"', "\\\""))
    }
}

/// A text with every character escaped that a terminal, a page or a reader would not show as it is.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    text.chars().for_each(|each| push_escaped(&mut shown, each));
    shown
}

/// JSON in which every such character is written as its escape (RFC 8259 §7), which any reader of
/// JSON takes for the same text.
pub fn escaped_json(json: &str) -> String {
    let mut shown = String::with_capacity(json.len());
    for each in json.chars() {
        match each {
            // Line breaks between members are layout; within strings JSON has them escaped already.
            '\n' => shown.push(each),
            _ if is_hidden(each) => {
                let mut units = [0; 2];
                for unit in each.encode_utf16(&mut units) {
                    write!(shown, "\\u{unit:04x}").expect("a string takes any text");
                }
            }
            _ => shown.push(each),
        }
    }
    shown
}

fn push_escaped(shown: &mut String, each: char) {
    if is_hidden(each) {
        shown.extend(each.escape_unicode());
    } else {
        shown.push(each);
    }
}

/// Whether a character hides or deceives: control characters (C0, DEL, C1), those that turn the
/// direction of text, separators of lines, and those without any width.
pub fn is_hidden(each: char) -> bool {
    // Most are ASCII.
    match each {
        ' '..='~' => false,
        '\u{61c}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}' => true,
        '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}' => true,
        _ => each.is_control(),
    }
}

/// Whether a text is shown as it is, as most names are: found out in one go, for every request that
/// says who it is from.
fn is_plain(text: &str) -> bool {
    let (mut run, mut has_only_small_letters, mut runs) = (0, true, 0);
    text.len() <= Shown::MAX_BYTES
        && text.bytes().all(|byte| {
            if !byte.is_ascii_alphanumeric() {
                (run, has_only_small_letters) = (0, true);
                runs += 1;
                return matches!(byte, b' '..=b'~') && runs <= MOST_ODD_RUNS;
            }
            run += 1;
            has_only_small_letters &= byte.is_ascii_lowercase();
            run <= if has_only_small_letters {
                LONGEST_WORD
            } else {
                KEPT
            }
        })
}

/// Whether a text may be a secret with something between its characters: more short runs with
/// digits or capitals than a name has.
fn is_taken_apart(text: &str) -> bool {
    let runs = text.split(|each: char| !each.is_alphanumeric());
    let is_odd = |run: &&str| {
        run.chars().take(KEPT + 1).count() <= KEPT
            && run.contains(|each: char| each.is_numeric() || each.is_uppercase())
    };
    runs.filter(is_odd).nth(MOST_ODD_RUNS).is_some()
}

/// The next piece of a text that is not empty, and whether it is shown as it is.
fn piece(rest: &str, first: char) -> (&str, bool) {
    let run =
        |is_part: fn(char) -> bool| &rest[..rest.find(|each| !is_part(each)).unwrap_or(rest.len())];
    let encoded = run(|each| matches!(each, 'A'..='Z' | 'a'..='z' | '0'..='9' | '-' | '_'));
    if encoded.len() >= LONG_RUN {
        return (encoded, encoded.split(['-', '_']).all(is_word));
    }
    match run(char::is_alphanumeric) {
        "" => (&rest[..first.len_utf8()], true),
        word => (word, is_word(word)),
    }
}

/// Whether letters and digits look like a word or a number of a name (`billing`, `https`, `RS256`,
/// `invoiceReader`, `v2`) rather than like a part of a secret, in which digits and capitals stand
/// anywhere.
fn is_word(run: &str) -> bool {
    let count = run.chars().take(LONGEST_WORD + 1).count();
    let letters = run.trim_matches(char::is_numeric);
    let digits = count.saturating_sub(letters.chars().count());
    let capitals = letters.chars().filter(|each| each.is_uppercase()).count();
    match letters {
        _ if count <= KEPT => true,
        _ if count > LONGEST_WORD => false,
        "" => digits <= 8,
        _ if digits > 4 || letters.contains(char::is_numeric) => false,
        _ => capitals * 3 <= count || capitals + digits == count,
    }
}

#[cfg(test)]
mod tests {
    use grantor_jose::{base64url_encode, crypto};

    use super::*;

    #[test]
    fn ordinary_names_are_shown_whole() {
        for name in [
            "billing",
            "orders-service",
            "https://as.example/token",
            "billing@project.iam.gserviceaccount.com",
            "urn:ietf:params:oauth:grant-type:jwt-bearer",
            "urn%3Aietf%3Aparams%3Aoauth",
            "invoices:read",
            "InvoiceReader.v2_EU",
            "Müller & Söhne",
            "application/json; charset=utf-8",
            "127.0.0.1:8080",
            "HS256",
            "say \"x\" and \\",
        ] {
            assert_eq!(Shown::of(name), name);
        }
    }

    #[test]
    fn a_secret_with_something_between_its_characters_is_not_shown() {
        let secret = base64url_encode(crypto::random_bytes::<48>());
        let encoded: String = secret
            .bytes()
            .map(|octet| format!("%25{octet:02X}"))
            .collect();
        let spaced: String = secret.chars().flat_map(|each| [each, ' ']).collect();
        let in_fours: String = secret
            .as_bytes()
            .chunks(4)
            .map(|four| format!("{} ", String::from_utf8_lossy(four)))
            .collect();
        for hidden in [encoded, spaced, in_fours] {
            let shown = Shown::of(&hidden).to_string();
            assert!(shown.len() < 40 && shown.ends_with("octets)"), "{shown}");
        }
        for name in ["2001:db8:1:2:3:4:5:6", "10.0.0.1:8080"] {
            assert_eq!(Shown::of(name), name);
        }
    }

    #[test]
    fn a_text_that_is_taken_for_plain_would_be_shown_whole_piece_by_piece() {
        let mut plain = 0;
        for _ in 0..20_000 {
            let noise = String::from_utf8_lossy(&crypto::random_bytes::<6>()).into_owned();
            let letters: String = crypto::random_bytes::<20>()
                .iter()
                .map(|byte| char::from(b"abcdefgh-./:_ x0A"[usize::from(byte % 17)]))
                .collect();
            for text in [letters.clone(), letters + &noise, noise] {
                if is_plain(&text) {
                    plain += 1;
                    let mut rest = text.as_str();
                    while let Some(first) = rest.chars().next() {
                        let (piece, is_shown) = piece(rest, first);
                        assert!(is_shown && !piece.chars().any(is_hidden), "{text}: {piece}");
                        rest = &rest[piece.len()..];
                    }
                }
            }
        }
        assert!(plain > 100, "{plain}");
        assert!(
            is_plain("https://billing.example/v2")
                && !is_plain("billing2024")
                && !is_plain("a\u{1b}")
        );
    }

    #[test]
    fn of_a_secret_or_a_token_little_is_left() {
        for _ in 0..2_000 {
            let secret = base64url_encode(crypto::random_bytes::<48>());
            let jwt = format!(
                "eyJhbGciOiJFUzI1NiJ9.{}.{secret}",
                base64url_encode(crypto::random_bytes::<96>())
            );
            for credential in [secret.clone(), format!("id:{secret}"), jwt] {
                let shown = Shown::of(&credential);
                let longest = |part: &str| {
                    (0..part.len()).all(|start| {
                        part[start..].len() < 20 || !shown.as_str().contains(&part[start..][..20])
                    })
                };
                assert!(
                    longest(&credential) && !shown.as_str().contains(&secret),
                    "{credential}: {shown}"
                );
                assert!(
                    shown
                        .as_str()
                        .ends_with(&format!("({} octets)", credential.len())),
                    "{shown}"
                );
            }
        }
    }

    #[test]
    fn what_is_long_is_cut_after_it_was_escaped_and_its_length_is_told() {
        for text in [
            "\u{7f}".repeat(12_000),
            "\u{ffff}".repeat(4_000),
            "\"".repeat(12_000),
            "a ".repeat(6_000),
            "é-".repeat(4_000),
        ] {
            let shown = Shown::of(&text);
            assert!(
                shown
                    .as_str()
                    .ends_with(&format!("… ({} octets)", text.len())),
                "{shown}"
            );
            assert!(shown.as_str().len() <= Shown::MAX_BYTES + 20, "{shown}");
            assert!(Shown::known(&text, 40).as_str().len() <= 60);
        }
        assert_eq!(Shown::known("abcdef", 3), "abc… (6 octets)");
        assert_eq!(Shown::known("abc", 3), "abc");
    }

    #[test]
    fn what_a_terminal_would_act_on_is_escaped() {
        let hostile =
            "a\u{1b}[2J\u{9b}b\u{7f}\u{202e}c\u{2066}\u{2028}\u{200f}\u{61c}\u{feff}\n\"\u{e0041}";
        let shown = [
            Shown::of(hostile).0,
            Shown::known(hostile, 1000).0,
            escaped(hostile),
        ];
        assert!(
            shown.iter().all(|text| !text.chars().any(is_hidden)),
            "{shown:?}"
        );
        assert_eq!(shown[0], shown[1]);
        let json = serde_json::to_string_pretty(&[hostile]).expect("JSON");
        let escaped = escaped_json(&json);
        assert!(
            !escaped.replace('\n', "").chars().any(is_hidden),
            "{escaped}"
        );
        assert_eq!(
            serde_json::from_str::<Vec<String>>(&escaped).expect("the same JSON"),
            [hostile]
        );
    }

    #[test]
    fn a_list_shows_its_first_values() {
        let many: Vec<String> = (0..40).map(|number| format!("a{number}")).collect();
        assert_eq!(
            Shown::list(many.iter().map(String::as_str)),
            r#"["a0", "a1", "a2", "a3", 36 more]"#
        );
        assert_eq!(Shown::list(["x\""].into_iter()), r#"["x\""]"#);
    }
}
