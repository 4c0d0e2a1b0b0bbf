//! Columns over time: counts of several kinds, one on the other.

use std::fmt::{self, Display, Formatter};

use super::{
    Caption, Row, Tone,
    svg::{Percent, picture, share, text},
};

/// The height of the highest column, in pixels.
const PLOT: f64 = 120.0;
/// A line of text.
const LINE: usize = 20;
/// The part of its place that a column fills.
const FILLED: f64 = 0.8;
/// The height of the least count that is not zero, in pixels: one refusal among a million is seen.
const LEAST: f64 = 2.0;
/// Between the parts of a column, whose colours differ little in lightness.
const GAP: f64 = 1.0;

/// Counts over time.
#[derive(Clone, Debug)]
pub struct Columns {
    /// Its names.
    pub caption: Caption,
    /// The kinds that are counted, from the bottom up.
    pub series: Vec<Series>,
    /// From the earliest to the latest, each for an equal time.
    pub columns: Vec<Column>,
    /// How a count is written in the language of the page.
    pub number: fn(u64) -> String,
}

/// A kind that is counted.
#[derive(Clone, Debug)]
pub struct Series {
    /// As in `granted`.
    pub name: String,
    /// Its colour.
    pub tone: Tone,
}

/// What was counted in a minute, an hour or a day.
#[derive(Clone, Debug)]
pub struct Column {
    /// When, as short as it is clear: `00:21`.
    pub label: String,
    /// A count for each series, in their order.
    pub counts: Vec<u64>,
}

impl Column {
    fn total(&self) -> f64 {
        self.counts.iter().map(|count| *count as f64).sum()
    }
}

impl Columns {
    /// The same as a table: a row a column, a value a series.
    pub fn rows(&self) -> Vec<Row> {
        let row = |column: &Column| Row {
            label: column.label.clone(),
            values: column.counts.iter().copied().map(self.number).collect(),
        };
        self.columns.iter().map(row).collect()
    }

    /// The total of the highest column.
    fn highest(&self) -> f64 {
        self.columns.iter().map(Column::total).fold(0.0, f64::max)
    }

    /// The sum of a series.
    fn sum(&self, series: usize) -> u64 {
        let counts = self
            .columns
            .iter()
            .filter_map(|each| each.counts.get(series));
        counts.fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// How many series are named in a line: two fit at 320 px.
    fn in_a_line(&self) -> usize {
        if self.series.len() > 2 { 1 } else { 2 }
    }

    /// The lines of the legend.
    fn lines(&self) -> usize {
        self.series.len().div_ceil(self.in_a_line())
    }

    /// Each series with its colour and sum.
    fn legend(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lines = self.series.chunks(self.in_a_line()).enumerate();
        for (line, series) in lines {
            write!(f, r#"<text x="0" y="{}">"#, line * LINE + 13)?;
            for (place, each) in series.iter().enumerate() {
                let sum = (self.number)(self.sum(line * self.in_a_line() + place));
                let gap = if place > 0 { "\u{2003}" } else { "" };
                let (tone, name) = (each.tone.class(), text(&each.name));
                write!(
                    f,
                    r#"{gap}<tspan class="{tone}">■</tspan> {name} {}"#,
                    text(sum)
                )?;
            }
            f.write_str("</text>")?;
        }
        Ok(())
    }

    /// One column, standing on `floor`.
    fn column(&self, f: &mut Formatter<'_>, place: usize, floor: f64, highest: f64) -> fmt::Result {
        let column = &self.columns[place];
        if column.total() == 0.0 {
            return Ok(());
        }
        let room = 100.0 / self.columns.len() as f64;
        let x = Percent(room * (place as f64 + (1.0 - FILLED) / 2.0));
        let width = Percent(room * FILLED);
        write!(f, "<g><title>{}", text(&column.label))?;
        for (series, count) in self.series.iter().zip(&column.counts) {
            write!(
                f,
                " · {} {}",
                text(&series.name),
                text((self.number)(*count))
            )?;
        }
        f.write_str("</title>")?;
        let mut bottom = floor;
        for (series, count) in self.series.iter().zip(&column.counts) {
            if *count == 0 {
                continue;
            }
            let gap = if bottom < floor { GAP } else { 0.0 };
            let whole = PLOT * share(*count as f64, highest);
            let height = (whole - gap).max(LEAST);
            let top = bottom - gap - height;
            let tone = series.tone.class();
            write!(
                f,
                r#"<rect class="{tone}" x="{x}" y="{top:.2}" width="{width}" height="{height:.2}"/>"#
            )?;
            bottom = top;
        }
        f.write_str("</g>")
    }

    /// When the first, the middle and the last column was.
    fn times(&self, f: &mut Formatter<'_>, y: f64) -> fmt::Result {
        let last = self.columns.len().saturating_sub(1);
        let middle = (last >= 4).then_some(last / 2);
        let ends = [(Some(0), "start", 0.0), (middle, "middle", 50.0)];
        let ends = ends
            .into_iter()
            .chain([((last > 0).then_some(last), "end", 100.0)]);
        for (place, anchor, x) in ends {
            let Some(column) = place.and_then(|place| self.columns.get(place)) else {
                continue;
            };
            let (x, label) = (Percent(x), text(&column.label));
            write!(
                f,
                r#"<text class="muted" x="{x}" y="{y}" text-anchor="{anchor}">{label}</text>"#
            )?;
        }
        Ok(())
    }
}

impl Display for Columns {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ceiling = ((self.lines() + 1) * LINE) as f64;
        let floor = ceiling + PLOT;
        let highest = self.highest();
        picture(f, &self.caption, floor as usize + LINE, |f| {
            self.legend(f)?;
            if highest > 0.0 {
                let (y, number) = (ceiling - 6.0, text((self.number)(highest as u64)));
                write!(
                    f,
                    r#"<text class="muted" x="100%" y="{y}" text-anchor="end">{number}</text>"#
                )?;
                level(f, ceiling)?;
            } else {
                let (y, empty) = (ceiling + PLOT / 2.0, text(&self.caption.empty));
                write!(
                    f,
                    r#"<text class="muted" x="50%" y="{y}" text-anchor="middle">{empty}</text>"#
                )?;
            }
            for place in 0..self.columns.len() {
                self.column(f, place, floor, highest)?;
            }
            level(f, floor)?;
            self.times(f, floor + 16.0)
        })
    }
}

/// A line across.
fn level(f: &mut Formatter<'_>, y: f64) -> fmt::Result {
    let y = y + 0.5;
    write!(
        f,
        r#"<line class="axis" x1="0" y1="{y}" x2="100%" y2="{y}"/>"#
    )
}
