use askama::Template;
use grantor::clock::UnixTime;

use super::*;
use crate::pages::{Markup, drawing};

const MINUTE: i64 = 60_000;

fn caption() -> Caption {
    Caption {
        id: "tokens",
        title: "Tokens per minute".to_owned(),
        message: "Refusals rose at 00:21 to 18 a minute.".to_owned(),
        empty: "Nothing was decided.".to_owned(),
    }
}

fn columns(counts: &[[u64; 2]]) -> Columns {
    let series = |name: &str, tone| Series {
        name: name.to_owned(),
        tone,
    };
    let column = |(minute, counts): (usize, &[u64; 2])| Column {
        label: format!("00:{minute:02}"),
        counts: counts.to_vec(),
    };
    Columns {
        caption: caption(),
        series: vec![
            series("granted", Tone::First),
            series("refused", Tone::Second),
        ],
        columns: counts.iter().enumerate().map(column).collect(),
        number: |count| count.to_string(),
    }
}

fn bars(bars: &[(&str, u64)]) -> Bars {
    let bar = |(label, count): &(&str, u64)| Bar {
        label: (*label).to_owned(),
        count: *count,
    };
    Bars {
        caption: caption(),
        tone: Tone::Second,
        bars: bars.iter().map(bar).collect(),
        number: |count| count.to_string(),
    }
}

fn spans(now: i64, spans: &[(&str, i64, Option<i64>)]) -> Spans {
    let span = |(label, begins, ends): &(&str, i64, Option<i64>)| Span {
        label: (*label).to_owned(),
        note: "ends in 9 days".to_owned(),
        begins: UnixTime::from_millis(*begins),
        ends: ends.map(UnixTime::from_millis),
        tone: Tone::First,
    };
    Spans {
        caption: caption(),
        spans: spans.iter().map(span).collect(),
        now: UnixTime::from_millis(now),
        now_word: "now".to_owned(),
        date: |at| at.millis().to_string(),
    }
}

/// The values of an attribute of the elements that have a class, in the order of the picture.
fn values(svg: &str, class: &str, attribute: &str) -> Vec<f64> {
    let opening = format!(r#"class="{class}""#);
    let attribute = format!(r#" {attribute}=""#);
    let elements = svg.split('<').filter(|element| element.contains(&opening));
    elements
        .filter_map(|element| element.split_once(&attribute)?.1.split_once('"'))
        .map(|(value, _)| value.trim_end_matches('%').parse().expect("a number"))
        .collect()
}

/// What is true of every picture: one image with a title and a message, no `style`, no number that
/// is none.
fn assert_drawn(svg: &str) {
    let head = r#"<svg role="img" width="100%" height=""#;
    assert!(svg.starts_with(head), "{svg}");
    for part in [
        r#"aria-labelledby="tokens-title tokens-message""#,
        r#"<title id="tokens-title">Tokens per minute</title>"#,
        r#"<desc id="tokens-message">Refusals rose at 00:21 to 18 a minute.</desc>"#,
    ] {
        assert!(svg.contains(part), "no {part} in {svg}");
    }
    for part in ["style", "NaN", "inf", r#"="-"#] {
        assert!(!svg.contains(part), "{part} in {svg}");
    }
}

#[test]
fn columns_are_as_high_as_their_counts() {
    let chart = columns(&[[100, 0], [50, 0], [25, 0], [0, 0]]).to_string();
    assert_drawn(&chart);
    assert_eq!(values(&chart, "series-1", "height"), [120.0, 60.0, 30.0]);
    assert_eq!(values(&chart, "series-1", "x"), [2.5, 27.5, 52.5]);
}

#[test]
fn parts_of_a_column_stand_on_each_other_with_a_gap() {
    let chart = columns(&[[50, 50]]).to_string();
    let granted = values(&chart, "series-1", "y")[0];
    let refused = values(&chart, "series-2", "y")[0];
    let height = values(&chart, "series-2", "height")[0];
    assert_eq!(height, 59.0);
    assert_eq!(refused + height + 1.0, granted);
    assert_eq!(values(&chart, "series-1", "height"), [60.0]);
}

#[test]
fn one_refusal_among_a_million_is_seen() {
    let chart = columns(&[[1_000_000, 1], [1_000_000, 0]]).to_string();
    assert_eq!(values(&chart, "series-2", "height"), [2.0]);
}

#[test]
fn columns_without_counts_say_so() {
    for chart in [columns(&[]), columns(&[[0, 0]]), columns(&[[0, 0]; 60])] {
        let chart = chart.to_string();
        assert_drawn(&chart);
        assert!(chart.contains(">Nothing was decided.</text>"), "{chart}");
        assert!(!chart.contains("<rect"), "{chart}");
    }
    let control = columns(&[[1, 0]]).to_string();
    assert_drawn(&control);
    assert!(!control.contains("Nothing was decided"), "{control}");
}

#[test]
fn the_largest_counts_are_drawn() {
    let chart = columns(&[[u64::MAX, u64::MAX], [1, 0]]).to_string();
    assert_drawn(&chart);
    assert_drawn(&bars(&[("aud", u64::MAX), ("exp", 0)]).to_string());
}

#[test]
fn bars_are_as_long_as_their_counts() {
    let chart = bars(&[("aud", 96), ("exp", 24), ("jti", 0)]).to_string();
    assert_drawn(&chart);
    assert_eq!(values(&chart, "series-2", "width"), [100.0, 25.0, 0.0]);
}

#[test]
fn bars_of_nothing_are_empty() {
    let zeros = bars(&[("aud", 0), ("exp", 0)]).to_string();
    assert_drawn(&zeros);
    assert_eq!(values(&zeros, "series-2", "width"), [0.0, 0.0]);
    let none = bars(&[]).to_string();
    assert_drawn(&none);
    assert!(none.contains(">Nothing was decided.</text>"), "{none}");
}

#[test]
fn spans_are_solid_until_now_and_dotted_until_their_end() {
    let day = 24 * 60 * MINUTE;
    let chart = spans(
        50 * day,
        &[
            ("old", 0, Some(60 * day)),
            ("new", 40 * day, Some(100 * day)),
        ],
    );
    let chart = chart.to_string();
    assert_drawn(&chart);
    assert_eq!(values(&chart, "series-1", "x"), [0.0, 40.0]);
    assert_eq!(values(&chart, "series-1", "width"), [50.0, 10.0]);
    assert_eq!(values(&chart, "ahead series-1", "x1"), [50.0, 50.0]);
    assert_eq!(values(&chart, "ahead series-1", "x2"), [60.0, 100.0]);
    assert_eq!(values(&chart, "end series-1", "x1"), [60.0, 100.0]);
}

#[test]
fn what_has_ended_has_no_future_and_what_begins_later_no_past() {
    let chart = spans(50, &[("ended", 0, Some(25)), ("upcoming", 75, Some(100))]).to_string();
    assert_drawn(&chart);
    assert_eq!(values(&chart, "series-1", "x"), [0.0]);
    assert_eq!(values(&chart, "series-1", "width"), [25.0]);
    assert_eq!(values(&chart, "ahead series-1", "x1"), [75.0]);
}

#[test]
fn what_never_ends_goes_on_to_the_edge_without_an_end() {
    let chart = spans(50, &[("ends", 0, Some(100)), ("stays", 0, None)]).to_string();
    assert_drawn(&chart);
    assert_eq!(values(&chart, "ahead series-1", "x2"), [100.0, 100.0]);
    assert_eq!(values(&chart, "end series-1", "x1").len(), 1);
}

#[test]
fn spans_of_no_time_are_drawn() {
    assert_drawn(&spans(50, &[]).to_string());
    for end in [Some(50), None] {
        assert_drawn(&spans(50, &[("one", 50, end)]).to_string());
    }
    assert_drawn(&spans(i64::MAX, &[("one", i64::MIN, Some(i64::MAX))]).to_string());
}

#[test]
fn each_row_of_the_table_has_the_values_of_the_picture() {
    let row = |label: &str, values: &[&str]| Row {
        label: label.to_owned(),
        values: values.iter().map(ToString::to_string).collect(),
    };
    assert_eq!(columns(&[[3, 1]]).rows(), [row("00:00", &["3", "1"])]);
    assert_eq!(bars(&[("aud", 96)]).rows(), [row("aud", &["96"])]);
    let keys = spans(2, &[("one", 1, Some(3)), ("two", 1, None)]);
    let note = "ends in 9 days";
    assert_eq!(
        keys.rows(),
        [row("one", &["1", "3", note]), row("two", &["1", "–", note])]
    );
}

const MARKUP: &str = r#"</title></desc><script>alert("1")</script><b title='x'>&amp;"#;

/// A template that shows a chart, and the same text as text.
#[derive(Template)]
#[template(source = "{{ chart }}|{{ text }}", ext = "html")]
struct Page {
    chart: Markup,
    text: &'static str,
}

fn assert_escaped(chart: &impl std::fmt::Display, elements: usize) {
    let page = Page {
        chart: drawing(chart),
        text: MARKUP,
    };
    let html = page.render().expect("a template of text renders");
    let (chart, text) = html.rsplit_once('|').expect("both");
    assert!(!text.contains('<'), "{text}");
    assert!(chart.contains("<svg"), "{chart}");
    for part in ["<script", "<b ", "alert(\"", "title='"] {
        assert!(!chart.contains(part), "{part} in {chart}");
    }
    assert_eq!(chart.matches("</").count(), elements, "{chart}");
    assert!(chart.contains("&lt;script&gt;"), "{chart}");
}

#[test]
fn m161_texts_in_a_chart_are_text() {
    let odd = || MARKUP.to_owned();
    let odd_caption = || Caption {
        id: "tokens",
        title: odd(),
        message: odd(),
        empty: odd(),
    };
    let closed = |chart: &dyn std::fmt::Display| chart.to_string().matches("</").count();

    let plain = columns(&[[1, 2], [3, 4]]);
    let mut chart = plain.clone();
    chart.caption = odd_caption();
    chart.series[0].name = odd();
    chart.columns[0].label = odd();
    chart.number = |_| MARKUP.to_owned();
    assert_escaped(&chart, closed(&plain));

    let plain = bars(&[("aud", 96)]);
    let mut chart = plain.clone();
    chart.caption = odd_caption();
    chart.bars[0].label = odd();
    chart.number = |_| MARKUP.to_owned();
    assert_escaped(&chart, closed(&plain));

    let plain = spans(50, &[("one", 0, Some(100))]);
    let mut chart = plain.clone();
    chart.caption = odd_caption();
    chart.spans[0].label = odd();
    chart.spans[0].note = odd();
    chart.now_word = odd();
    chart.date = |_| MARKUP.to_owned();
    assert_escaped(&chart, closed(&plain));

    for chart in [columns(&[]), columns(&[[0, 0]])] {
        let plain = closed(&chart);
        let mut chart = chart;
        chart.caption = odd_caption();
        assert_escaped(
            &Page {
                chart: drawing(&chart),
                text: MARKUP,
            },
            plain,
        );
    }
}

#[test]
fn long_labels_are_cut_in_the_picture_and_whole_in_the_table() {
    let name = "a_rule_with_a_name_that_does_not_end_soon";
    let chart = bars(&[(name, 1)]);
    assert!(
        chart
            .to_string()
            .contains(">a_rule_with_a_name_that…</text>")
    );
    assert_eq!(chart.rows()[0].label, name);
    let fits = bars(&[("a_rule_with_24_letters__", 1)]).to_string();
    assert!(fits.contains(">a_rule_with_24_letters__</text>"), "{fits}");
}

#[test]
fn more_than_two_series_are_named_in_a_line_each() {
    let mut chart = columns(&[[1, 2]]);
    let two = chart.to_string();
    assert_eq!(two.matches(r#"<text x="0""#).count(), 1, "{two}");
    for (name, tone) in [("delayed", Tone::Third), ("other", Tone::Other)] {
        let name = name.to_owned();
        chart.series.push(Series { name, tone });
        chart.columns[0].counts.push(3);
    }
    let four = chart.to_string();
    assert_drawn(&four);
    assert_eq!(four.matches(r#"<text x="0""#).count(), 4, "{four}");
    for class in ["series-1", "series-2", "series-3", "series-other"] {
        assert_eq!(values(&four, class, "height").len(), 1, "{class}");
    }
}
