//! Commands that people copy into a shell.

/// A word of a command, whatever is in it: what any shell would read as more than its letters stands
/// within quotes.
pub fn quoted(text: &str) -> String {
    let is_plain = |each: char| each.is_ascii_alphanumeric() || "-_./:@%+,".contains(each);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m116_what_is_copied_into_a_shell_is_one_word_whatever_is_in_it() {
        for (text, word) in [
            ("billing.json", "billing.json"),
            ("https://as.example/token", "https://as.example/token"),
            ("http://[::1]:8080/token", "'http://[::1]:8080/token'"),
            ("=ls", "'=ls'"),
            ("~root", "'~root'"),
            ("$(rm -rf ~)", "'$(rm -rf ~)'"),
            ("a'b", r"'a'\''b'"),
            ("a b;c", "'a b;c'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), word);
        }
    }
}
