//! The markup that the forms share.

use std::{
    convert::Infallible,
    fmt::{self, Display, Formatter},
};

use askama::filters::escape;

use super::{Caption, Tone};
use crate::pages::Visible;

impl Tone {
    /// Its class in the style sheet.
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::First => "series-1",
            Self::Second => "series-2",
            Self::Third => "series-3",
            Self::Other => "series-other",
        }
    }
}

/// A text between tags or quotes.
pub(super) fn text(text: impl Display) -> impl Display {
    let escaped: Result<_, Infallible> = escape(text, Visible);
    let Ok(escaped) = escaped;
    escaped
}

/// A place or length across, of 100.
#[derive(Clone, Copy)]
pub(super) struct Percent(pub f64);

impl Percent {
    /// What `part` is of `whole`; nothing where there is no whole.
    pub(super) fn of(part: f64, whole: f64) -> Self {
        Self(100.0 * share(part, whole))
    }
}

impl Display for Percent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{:.2}%", self.0)
    }
}

/// `part` of `whole`, from 0 to 1; 0 where there is no whole.
pub(super) fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole).clamp(0.0, 1.0)
    } else {
        0.0
    }
}

/// Writes a picture of `height` pixels around what `draw` writes.
pub(super) fn picture(
    f: &mut Formatter<'_>,
    caption: &Caption,
    height: usize,
    draw: impl FnOnce(&mut Formatter<'_>) -> fmt::Result,
) -> fmt::Result {
    let id = text(caption.id);
    write!(
        f,
        r#"<svg role="img" width="100%" height="{height}" aria-labelledby="{id}-title {id}-message">"#
    )?;
    write!(
        f,
        r#"<title id="{id}-title">{}</title>"#,
        text(&caption.title)
    )?;
    write!(
        f,
        r#"<desc id="{id}-message">{}</desc>"#,
        text(&caption.message)
    )?;
    draw(f)?;
    f.write_str("</svg>")
}
