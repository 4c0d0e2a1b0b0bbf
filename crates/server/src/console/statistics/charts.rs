//! The charts of counts: columns over time, bars by kind.

use grantor::storage::CountBy;

use super::Words;
use crate::{
    console::picture::{Counts, Picture},
    pages::{
        chart::{Bar, Bars, Caption, Column, Columns, Series, Tone},
        count, writer,
    },
};

/// Most bars of a chart.
const MOST_BARS: usize = 12;

/// Makes charts of counts in the language of a page.
#[derive(Clone, Copy, Debug)]
pub struct Charts(pub Words);

impl Charts {
    /// How requests ended over time.
    pub fn outcomes(self, counts: &Counts, id: &'static str, title: &str) -> Picture {
        let words = self.0;
        let kinds = [
            ("granted", words.granted(), Tone::First),
            ("refused", words.refused(), Tone::Second),
            ("undecided", words.undecided(), Tone::Other),
        ];
        // What never happened needs no colour; but these two are asked for always.
        let kinds = kinds
            .iter()
            .filter(|(key, ..)| *key != "undecided" || counts.sum(key) > 0);
        let kinds: Vec<_> = kinds.copied().collect();
        let message = words.outcomes(
            counts.sum("granted"),
            counts.sum("refused"),
            counts.peak("refused"),
        );
        self.over_time(counts, &kinds, (id, title, message))
    }

    /// How many there were over time, whatever is counted.
    pub fn all(self, counts: &Counts, by: CountBy, id: &'static str, title: &str) -> Picture {
        let (name, tone) = match by {
            CountBy::Rule => (self.0.refused(), Tone::Second),
            CountBy::Outcome | CountBy::Endpoint => (self.0.requests(), Tone::First),
        };
        let mut total = vec![0; counts.columns.len()];
        for of_key in counts.of.values() {
            for (sum, count) in total.iter_mut().zip(of_key) {
                *sum += count;
            }
        }
        let sum = total.iter().sum();
        let counts = Counts {
            columns: counts.columns.clone(),
            each: counts.each,
            of: [(String::new(), total)].into(),
        };
        let message = self.0.in_all(sum, counts.peak(""));
        self.over_time(&counts, &[("", name, tone)], (id, title, message))
    }

    fn over_time(
        self,
        counts: &Counts,
        kinds: &[(&str, &str, Tone)],
        (id, title, message): (&'static str, &str, String),
    ) -> Picture {
        let of_kinds: Vec<_> = kinds.iter().map(|(key, ..)| counts.key(key)).collect();
        let column = |(place, (_, label)): (usize, &(_, String))| Column {
            label: label.clone(),
            counts: of_kinds.iter().map(|counts| counts[place]).collect(),
        };
        let chart = Columns {
            caption: Caption {
                id,
                title: title.to_owned(),
                message,
                empty: self.0.nothing().to_owned(),
            },
            series: kinds
                .iter()
                .map(|(_, name, tone)| Series {
                    name: (*name).to_owned(),
                    tone: *tone,
                })
                .collect(),
            columns: counts.columns.iter().enumerate().map(column).collect(),
            number: writer(self.0.0),
        };
        let names = kinds.iter().map(|(_, name, _)| (*name).to_owned());
        let head = [self.0.time().to_owned()].into_iter().chain(names);
        Picture::of(&chart, chart.rows(), title.to_owned(), head.collect())
    }

    /// How many there are of each kind.
    pub fn kinds(self, counts: &Counts, by: CountBy, id: &'static str, title: &str) -> Picture {
        let (words, sums) = (self.0, counts.sums());
        let (kind, tone) = match by {
            CountBy::Outcome => (words.outcome(), Tone::First),
            CountBy::Rule => (words.rule(), Tone::Second),
            CountBy::Endpoint => (words.endpoint(), Tone::First),
        };
        let message = match sums.first() {
            Some((key, most)) => words.most(key, &count(*most, words.0)),
            None => words.nothing().to_owned(),
        };
        let mut bars: Vec<_> = sums
            .iter()
            .map(|(key, count)| Bar {
                label: key.clone(),
                count: *count,
            })
            .collect();
        let rest: u64 = bars.iter().skip(MOST_BARS).map(|bar| bar.count).sum();
        bars.truncate(MOST_BARS);
        if rest > 0 {
            let label = words.others().to_owned();
            bars.push(Bar { label, count: rest });
        }
        let chart = Bars {
            caption: Caption {
                id,
                title: title.to_owned(),
                message,
                empty: words.nothing_of(by).to_owned(),
            },
            tone,
            bars,
            number: writer(words.0),
        };
        let head = vec![kind.to_owned(), words.number().to_owned()];
        Picture::of(&chart, chart.rows(), title.to_owned(), head)
    }
}
