//! What a field offers to choose from.

/// A value that can be chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    pub value: String,
    pub text: String,
    /// What choosing it means; nothing if empty.
    pub hint: &'static str,
    pub is_chosen: bool,
}

impl Pick {
    /// This value, whose text says what it is.
    pub fn new(value: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            value: value.into(),
            text: text.into(),
            hint: "",
            is_chosen: false,
        }
    }

    /// With what choosing it means.
    #[must_use]
    pub fn meaning(self, hint: &'static str) -> Self {
        Self { hint, ..self }
    }

    /// These values, of which this one is chosen.
    pub fn of(picks: impl IntoIterator<Item = Self>, chosen: &str) -> Vec<Self> {
        let mark = |pick: Self| Self {
            is_chosen: pick.value == chosen,
            ..pick
        };
        picks.into_iter().map(mark).collect()
    }

    /// The same for a filter, in which there may be any of them.
    pub fn any_of(
        any: &'static str,
        picks: impl IntoIterator<Item = Self>,
        chosen: Option<impl ToString>,
    ) -> Vec<Self> {
        let chosen = chosen.map(|chosen| chosen.to_string()).unwrap_or_default();
        let any = Self::new("", any);
        Self::of([any].into_iter().chain(picks), &chosen)
    }
}
