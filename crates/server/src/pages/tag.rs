//! How something is or went, in one word.

/// A word with its sign and colour: for whom colours say nothing, the sign does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    pub class: &'static str,
    pub sign: &'static str,
    pub word: &'static str,
}

impl Tag {
    /// Good, in this word.
    pub fn good(word: &'static str) -> Self {
        let (class, sign) = ("good", "✓");
        Self { class, sign, word }
    }

    /// Bad, in this word.
    pub fn bad(word: &'static str) -> Self {
        let (class, sign) = ("bad", "✗");
        Self { class, sign, word }
    }

    /// Neither, in this word.
    pub fn plain(word: &'static str) -> Self {
        let (class, sign) = ("plain", "–");
        Self { class, sign, word }
    }
}
