//! Pictures: SVG by hand, which needs no more than rectangles, lines and text.

use std::fmt::Write as _;

use crate::statistics::Spread;

const WIDTH: f64 = 1080.0;
/// Where labels end and bars begin.
const LEFT: f64 = 650.0;
const STEP: f64 = 30.0;
/// Of a curve's panel.
const PANEL: f64 = 300.0;

/// A horizontal bar for each, its median beside it, a line from the least to the most.
pub fn bars(title: &str, bars: &[(String, Spread)]) -> String {
    let most = bars
        .iter()
        .map(|(_, spread)| spread.most)
        .fold(0.0, f64::max);
    let scale = (WIDTH - LEFT - 80.0) / most;
    let mut body = text(10.0, 24.0, "title", "start", title);
    for (number, (label, spread)) in bars.iter().enumerate() {
        let y = 44.0 + number as f64 * STEP;
        let end = LEFT + spread.median * scale;
        body += &text(LEFT - 8.0, y + 15.0, "label", "end", label);
        body += &format!(
            "<rect class='bar' x='{LEFT}' y='{y}' width='{:.1}' height='20'/>\n",
            spread.median * scale
        );
        body += &line(
            LEFT + spread.least * scale,
            y + 10.0,
            LEFT + spread.most * scale,
            y + 10.0,
        );
        body += &text(
            end.max(LEFT + spread.most * scale) + 6.0,
            y + 15.0,
            "label",
            "start",
            &format!("{:.0}", spread.median),
        );
    }
    document(44.0 + bars.len() as f64 * STEP + 10.0, &body)
}

/// How much there was of something, and what was measured then.
pub struct Curve {
    pub title: &'static str,
    pub points: Vec<(usize, Spread)>,
}

/// Curves below each other, evenly spaced points from left to right, the vertical axes from nought.
pub fn curves(title: &str, curves: &[Curve]) -> String {
    let mut body = text(10.0, 24.0, "title", "start", title);
    for (number, curve) in curves.iter().enumerate() {
        body += &panel(curve, 40.0 + number as f64 * PANEL);
    }
    document(40.0 + curves.len() as f64 * PANEL, &body)
}

fn panel(curve: &Curve, top: f64) -> String {
    let (left, bottom) = (60.0, top + PANEL - 50.0);
    let most = curve
        .points
        .iter()
        .map(|(_, spread)| spread.most)
        .fold(0.0, f64::max);
    let x = |index: usize| {
        left + 40.0 + index as f64 * (WIDTH - left - 120.0) / (curve.points.len().max(2) - 1) as f64
    };
    let y = |value: f64| bottom - value / most * (PANEL - 100.0);
    let mut body = text(10.0, top + 18.0, "label", "start", curve.title);
    body += &line(left, bottom, WIDTH - 20.0, bottom);
    body += &line(left, bottom, left, y(most));
    body += &text(
        left - 6.0,
        y(most) + 5.0,
        "label",
        "end",
        &format!("{most:.0}"),
    );
    body += &text(left - 6.0, bottom, "label", "end", "0");
    let path: Vec<String> = curve
        .points
        .iter()
        .enumerate()
        .map(|(index, (_, spread))| format!("{:.1},{:.1}", x(index), y(spread.median)))
        .collect();
    let _ = writeln!(
        body,
        "<polyline class='curve' points='{}'/>",
        path.join(" ")
    );
    for (index, (count, spread)) in curve.points.iter().enumerate() {
        body += &line(x(index), y(spread.least), x(index), y(spread.most));
        body += &text(
            x(index) + 6.0,
            y(spread.median) - 8.0,
            "label",
            "start",
            &format!("{:.0}", spread.median),
        );
        body += &text(x(index), bottom + 20.0, "label", "middle", &grouped(*count));
    }
    body
}

/// 1000000 as 1,000,000.
pub fn grouped(number: usize) -> String {
    match number {
        0..1000 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), number % 1000),
    }
}

fn text(x: f64, y: f64, class: &str, anchor: &str, text: &str) -> String {
    let text = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;");
    format!("<text class='{class}' x='{x:.1}' y='{y:.1}' text-anchor='{anchor}'>{text}</text>\n")
}

fn line(x1: f64, y1: f64, x2: f64, y2: f64) -> String {
    format!("<line x1='{x1:.1}' y1='{y1:.1}' x2='{x2:.1}' y2='{y2:.1}'/>\n")
}

fn document(height: f64, body: &str) -> String {
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH:.0} {height:.0}' font-family='sans-serif' font-size='13'>\n\
         <style>.title{{font-size:16px;font-weight:bold}}.bar{{fill:#4a7fb5}}line{{stroke:#222}}\
         .curve{{fill:none;stroke:#4a7fb5;stroke-width:2}}</style>\n\
         <rect width='100%' height='100%' fill='#fff'/>\n{body}</svg>\n"
    )
}
