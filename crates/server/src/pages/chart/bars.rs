//! Bars by kind: which of some is how much.

use std::fmt::{self, Display, Formatter};

use super::{
    Caption, Row, Tone, cut,
    svg::{Percent, picture, text},
};

/// A bar with its line of text, in pixels.
const HEIGHT: usize = 36;
/// The characters of a label that fit beside a count at 320 px.
const ROOM: usize = 24;

/// Counts by kind.
#[derive(Clone, Debug)]
pub struct Bars {
    /// Its names.
    pub caption: Caption,
    /// The colour of all bars.
    pub tone: Tone,
    /// From the top down.
    pub bars: Vec<Bar>,
    /// How a count is written in the language of the page.
    pub number: fn(u64) -> String,
}

/// A kind and its count.
#[derive(Clone, Debug)]
pub struct Bar {
    /// As in `aud`.
    pub label: String,
    /// How many.
    pub count: u64,
}

impl Bars {
    /// The same as a table: a row a bar, with its count.
    pub fn rows(&self) -> Vec<Row> {
        let row = |bar: &Bar| Row {
            label: bar.label.clone(),
            values: vec![(self.number)(bar.count)],
        };
        self.bars.iter().map(row).collect()
    }

    fn bar(&self, f: &mut Formatter<'_>, place: usize, longest: u64) -> fmt::Result {
        let bar = &self.bars[place];
        let top = place * HEIGHT;
        let (line, y) = (top + 14, top + 20);
        let label = cut(&bar.label, ROOM);
        write!(f, "<g><title>{}</title>", text(&bar.label))?;
        write!(f, r#"<text x="0" y="{line}">{}</text>"#, text(label))?;
        let count = (self.number)(bar.count);
        write!(
            f,
            r#"<text x="100%" y="{line}" text-anchor="end">{}</text>"#,
            text(count)
        )?;
        write!(
            f,
            r#"<rect class="track" x="0" y="{y}" width="100%" height="8"/>"#
        )?;
        let width = Percent::of(bar.count as f64, longest as f64);
        let tone = self.tone.class();
        write!(
            f,
            r#"<rect class="{tone}" x="0" y="{y}" width="{width}" height="8"/></g>"#
        )
    }
}

impl Display for Bars {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let longest = self.bars.iter().map(|bar| bar.count).max().unwrap_or(0);
        let height = self.bars.len().max(1) * HEIGHT;
        picture(f, &self.caption, height, |f| {
            if self.bars.is_empty() {
                let empty = text(&self.caption.empty);
                return write!(f, r#"<text class="muted" x="0" y="14">{empty}</text>"#);
            }
            (0..self.bars.len()).try_for_each(|place| self.bar(f, place, longest))
        })
    }
}
