//! Numbers as pages show them: thousands apart, as the language has it (M119).

use super::Language;

/// As `2,914` in English, and with a narrow no-break space in French.
pub fn count(number: u64, language: Language) -> String {
    match language {
        Language::English => english(number),
        Language::French => french(number),
    }
}

/// How charts in a language write counts.
pub fn writer(language: Language) -> fn(u64) -> String {
    match language {
        Language::English => english,
        Language::French => french,
    }
}

fn english(number: u64) -> String {
    apart(number, ',')
}

fn french(number: u64) -> String {
    apart(number, '\u{202f}')
}

fn apart(number: u64, mark: char) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(mark);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m119_thousands_are_apart_as_the_language_has_it() {
        for (number, english, french) in [
            (0, "0", "0"),
            (999, "999", "999"),
            (2_914, "2,914", "2\u{202f}914"),
            (1_000_000, "1,000,000", "1\u{202f}000\u{202f}000"),
        ] {
            assert_eq!(count(number, Language::English), english);
            assert_eq!(writer(Language::French)(number), french);
        }
    }
}
