//! What was decided about a client: its last hour, its latest refusals, and whether it is still in use.

use std::{collections::BTreeMap, time::Duration};

use grantor::{
    admin::ClientDocument,
    clock::UnixTime,
    server::{Decision, Outcome},
    storage::DecisionFilter,
    types::ClientId,
};

use super::words::Words;
use crate::{
    admin::{Input, NoQuery, Portion, decisions::ListDecisions},
    console::{Error, Visit, address},
    pages::{
        Coded, Markup,
        chart::{Caption, Column, Columns, Series, Tone},
        time::{distance, minute},
        writer,
    },
};

/// Most decisions of an hour that are looked at.
const MOST: u32 = 500;
/// Refusals that are shown.
const SHOWN: usize = 5;
const MINUTE: i64 = 60_000;
/// Minutes of the picture.
const MINUTES: i64 = 60;
/// A client about which nothing was decided for so long is perhaps not in use any more: 30 days.
const SILENCE: Duration = Duration::from_secs(30 * 86_400);

/// What a page shows of a client's decisions.
pub struct Activity {
    /// What is said where there is nothing to draw.
    pub silence: Option<Silence>,
    pub chart: Option<Columns>,
    pub message: String,
    /// What most refusals of the hour were for.
    pub mostly: Option<Markup>,
    pub refusals: Vec<Refusal>,
    pub all: String,
    pub refused: String,
}

/// Why nothing was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silence {
    /// In the last hour.
    Hour,
    /// The client is new.
    New,
    /// For a long time.
    Long,
}

/// A refusal.
pub struct Refusal {
    pub path: String,
    pub at: String,
    pub ago: String,
    pub rule: String,
    pub cause: String,
}

impl Activity {
    /// The activity of this client.
    pub async fn of(visit: &Visit, client: &ClientDocument) -> Result<Self, Error> {
        let (id, now) = (&client.client_id, visit.now());
        let hour = Duration::from_secs(3600);
        let decisions = latest(visit, id, now.minus(hour), MOST).await?;
        let words = Words(visit.language());
        let list = visit.at("/decisions", &[]);
        let of_client = ("party", id.as_str());
        let granted = decisions.iter().filter(|one| is_granted(one)).count();
        let refused: Vec<_> = decisions.iter().rev().filter_map(refusal).collect();
        let write = writer(visit.language());
        let number = |count: usize| write(u64::try_from(count).unwrap_or(u64::MAX));
        let mut message = words
            .hour_message(&number(granted), &number(refused.len()))
            .0;
        if decisions.len() >= usize::try_from(MOST).unwrap_or(usize::MAX) {
            message = format!("{message} {}", words.hour_cut(u64::from(MOST)).0);
        }
        let silence = match decisions.is_empty() {
            true => Some(silence(visit, client).await?),
            false => None,
        };
        let shown = refused.iter().take(SHOWN);
        Ok(Self {
            chart: silence
                .is_none()
                .then(|| chart(visit, &decisions, message.clone())),
            silence,
            message,
            mostly: mostly(words, &refused),
            refusals: shown
                .map(|(decision, rule, cause)| Refusal {
                    path: visit.at("/decisions/{decision}", &[decision.id.as_str()]),
                    at: minute(decision.at),
                    ago: distance(decision.at, now, visit.language()),
                    rule: (*rule).to_owned(),
                    cause: (*cause).to_owned(),
                })
                .collect(),
            all: address(&list, &NoQuery {}, &[of_client]),
            refused: address(&list, &NoQuery {}, &[of_client, ("refused", "true")]),
        })
    }
}

/// The latest decisions about requests of a client since a time, at most so many, oldest first.
pub async fn latest(
    visit: &Visit,
    client: &ClientId,
    since: UnixTime,
    most: u32,
) -> Result<Vec<Decision>, Error> {
    let mut filter = DecisionFilter::default();
    // The one that authenticated, or that a request claims to come from.
    filter.party = Some(client.to_string());
    filter.since = Some(since);
    let input = Input::<ListDecisions> {
        path: (),
        query: filter,
        portion: Portion {
            limit: most,
            last: Some(most),
            ..Portion::default()
        },
        body: (),
    };
    let found = visit.ask(input).await?;
    Ok(found.items.into_iter().map(|kept| kept.0).collect())
}

/// Whether a token was granted, or something else that was asked for.
pub fn is_granted(decision: &Decision) -> bool {
    decision.outcome == Outcome::Granted
}

type Refused<'d> = (&'d Decision, &'d str, &'d str);

fn refusal(decision: &Decision) -> Option<Refused<'_>> {
    match &decision.outcome {
        Outcome::Refused { rule, cause, .. } => Some((decision, rule.name(), cause)),
        Outcome::Granted | Outcome::Undecided => None,
    }
}

async fn silence(visit: &Visit, client: &ClientDocument) -> Result<Silence, Error> {
    let long_ago = visit.now().minus(SILENCE);
    let found = latest(visit, &client.client_id, long_ago, 1).await?;
    let is_new = client.created_at.is_none_or(|at| at > long_ago);
    Ok(match (found.is_empty(), is_new) {
        (false, _) => Silence::Hour,
        (true, true) => Silence::New,
        (true, false) => Silence::Long,
    })
}

/// What most were refused for, if there were several.
fn mostly(words: Words, refused: &[Refused<'_>]) -> Option<Markup> {
    let mut by_rule: BTreeMap<&str, u64> = BTreeMap::new();
    for (_, rule, _) in refused {
        *by_rule.entry(rule).or_default() += 1;
    }
    let (rule, count) = by_rule.into_iter().max_by_key(|(_, count)| *count)?;
    (count > 1).then(|| words.mostly(Coded(rule), count))
}

fn chart(visit: &Visit, decisions: &[Decision], message: String) -> Columns {
    let words = Words(visit.language());
    let end = visit.now().millis() / MINUTE;
    let begin = end - MINUTES + 1;
    let mut columns: Vec<_> = (begin..=end)
        .map(|at| Column {
            label: clock(at),
            counts: vec![0, 0],
        })
        .collect();
    for decision in decisions {
        let place = (decision.at.millis() / MINUTE - begin).max(0);
        let column = usize::try_from(place).ok();
        let Some(column) = column.and_then(|place| columns.get_mut(place)) else {
            continue;
        };
        match decision.outcome {
            Outcome::Granted => column.counts[0] += 1,
            Outcome::Refused { .. } => column.counts[1] += 1,
            Outcome::Undecided => {}
        }
    }
    let series = |name: &str, tone| Series {
        name: name.to_owned(),
        tone,
    };
    Columns {
        caption: Caption {
            id: "hour",
            title: words.requests_per_minute().to_owned(),
            message,
            empty: words.nothing_in_hour().to_owned(),
        },
        series: vec![
            series(words.granted(), Tone::First),
            series(words.refused(), Tone::Second),
        ],
        columns,
        number: writer(visit.language()),
    }
}

/// The time of day of this minute since 1970, as `00:21`.
fn clock(minute: i64) -> String {
    let of_day = minute.rem_euclid(24 * 60);
    format!("{:02}:{:02}", of_day / 60, of_day % 60)
}
