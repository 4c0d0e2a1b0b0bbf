//! Spans on a time line: what began when, and until when it lasts.

use std::fmt::{self, Display, Formatter};

use grantor::clock::UnixTime;

use super::{
    Caption, Row, Tone, cut,
    svg::{Percent, picture, text},
};

/// A span with its line of text, in pixels.
const HEIGHT: usize = 40;
/// A line of text.
const LINE: usize = 20;
/// The characters of a label that fit beside a note at 320 px.
const ROOM: usize = 20;

/// Times of keys, or of anything that ends.
#[derive(Clone, Debug)]
pub struct Spans {
    /// Its names.
    pub caption: Caption,
    /// From the top down.
    pub spans: Vec<Span>,
    /// The present. What lies after it is dotted.
    pub now: UnixTime,
    /// What the present is called: `now`.
    pub now_word: String,
    /// How a time is written: `2026-11-27`.
    pub date: fn(UnixTime) -> String,
}

/// From a beginning to an end.
#[derive(Clone, Debug)]
pub struct Span {
    /// Whose time it is: `KKPqiq… ES256`.
    pub label: String,
    /// What is to be known of it: `ends in 9 days`.
    pub note: String,
    /// Its beginning.
    pub begins: UnixTime,
    /// Its end, if it has one.
    pub ends: Option<UnixTime>,
    /// Its colour.
    pub tone: Tone,
}

/// The earliest and latest time of a chart, in milliseconds.
struct Range {
    from: i64,
    to: i64,
}

impl Range {
    fn place(&self, at: UnixTime) -> Percent {
        let since = at.millis().saturating_sub(self.from);
        let whole = self.to.saturating_sub(self.from);
        Percent::of(since as f64, whole as f64)
    }
}

impl Spans {
    /// The same as a table: a row a span, with its beginning, its end or `–`, and its note.
    pub fn rows(&self) -> Vec<Row> {
        let row = |span: &Span| Row {
            label: span.label.clone(),
            values: vec![
                (self.date)(span.begins),
                span.ends.map_or_else(|| "–".to_owned(), self.date),
                span.note.clone(),
            ],
        };
        self.spans.iter().map(row).collect()
    }

    fn range(&self) -> Range {
        let begins = self.spans.iter().map(|span| span.begins.millis());
        let ends = self.spans.iter().filter_map(|span| span.ends);
        let ends = ends.map(UnixTime::millis);
        let times: Vec<_> = begins.chain(ends).chain([self.now.millis()]).collect();
        let now = self.now.millis();
        Range {
            from: times.iter().copied().min().unwrap_or(now),
            to: times.iter().copied().max().unwrap_or(now),
        }
    }

    /// The present, above all spans.
    fn present(&self, f: &mut Formatter<'_>, at: Percent) -> fmt::Result {
        let anchor = match at.0 {
            place if place < 15.0 => "start",
            place if place > 85.0 => "end",
            _ => "middle",
        };
        let now = text(&self.now_word);
        write!(
            f,
            r#"<text class="muted" x="{at}" y="13" text-anchor="{anchor}">{now}</text>"#
        )
    }

    fn span(&self, f: &mut Formatter<'_>, place: usize, range: &Range) -> fmt::Result {
        let span = &self.spans[place];
        let top = LINE + place * HEIGHT;
        let (line, middle) = (top + 14, top + 28);
        write!(
            f,
            "<g><title>{} · {}</title>",
            text(&span.label),
            text(&span.note)
        )?;
        let label = cut(&span.label, ROOM);
        write!(f, r#"<text x="0" y="{line}">{}</text>"#, text(label))?;
        let note = text(&span.note);
        write!(
            f,
            r#"<text class="muted" x="100%" y="{line}" text-anchor="end">{note}</text>"#
        )?;
        write!(
            f,
            r#"<line class="axis" x1="0" y1="{middle}" x2="100%" y2="{middle}"/>"#
        )?;
        self.past(f, span, middle, range)?;
        self.future(f, span, middle, range)?;
        let (now, from, to) = (range.place(self.now), middle - 7, middle + 7);
        write!(
            f,
            r#"<line class="now" x1="{now}" y1="{from}" x2="{now}" y2="{to}"/></g>"#
        )
    }

    /// The part of a span until the present, if any.
    fn past(
        &self,
        f: &mut Formatter<'_>,
        span: &Span,
        middle: usize,
        range: &Range,
    ) -> fmt::Result {
        let until = span.ends.unwrap_or(self.now).min(self.now);
        if until <= span.begins {
            return Ok(());
        }
        let begin = range.place(span.begins);
        let width = Percent(range.place(until).0 - begin.0);
        let (y, tone) = (middle - 3, span.tone.class());
        write!(
            f,
            r#"<rect class="{tone}" x="{begin}" y="{y}" width="{width}" height="6"/>"#
        )
    }

    /// The part of a span after the present, if any, with its end, if it has one.
    fn future(
        &self,
        f: &mut Formatter<'_>,
        span: &Span,
        middle: usize,
        range: &Range,
    ) -> fmt::Result {
        if span.ends.is_some_and(|end| end <= self.now) {
            return Ok(());
        }
        let begin = range.place(span.begins.max(self.now));
        let end = span.ends.map_or(Percent(100.0), |end| range.place(end));
        let tone = span.tone.class();
        write!(
            f,
            r#"<line class="ahead {tone}" x1="{begin}" y1="{middle}" x2="{end}" y2="{middle}"/>"#
        )?;
        if span.ends.is_none() {
            return Ok(());
        }
        let (from, to) = (middle - 6, middle + 6);
        write!(
            f,
            r#"<line class="end {tone}" x1="{end}" y1="{from}" x2="{end}" y2="{to}"/>"#
        )
    }
}

impl Display for Spans {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let bottom = LINE + self.spans.len() * HEIGHT;
        picture(f, &self.caption, bottom + LINE, |f| {
            if self.spans.is_empty() {
                let empty = text(&self.caption.empty);
                return write!(f, r#"<text class="muted" x="0" y="14">{empty}</text>"#);
            }
            let range = self.range();
            self.present(f, range.place(self.now))?;
            (0..self.spans.len()).try_for_each(|place| self.span(f, place, &range))?;
            let y = bottom + 14;
            let date = |millis| (self.date)(UnixTime::from_millis(millis));
            let (from, to) = (date(range.from), date(range.to));
            write!(
                f,
                r#"<text class="muted" x="0" y="{y}">{}</text>"#,
                text(from)
            )?;
            write!(
                f,
                r#"<text class="muted" x="100%" y="{y}" text-anchor="end">{}</text>"#,
                text(to)
            )
        })
    }
}
