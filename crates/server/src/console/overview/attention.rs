//! What needs attention: what ends soon, and what is refused more than before.

use std::time::Duration;

use grantor::{
    admin::{ClientDocument, ClientFilter, StatisticsDocument, StatisticsQuery},
    clock::UnixTime,
    storage::{CountBy, CountStep},
    types::Rule,
};

use super::words::Words;
use crate::{
    admin::{Input, Portion, clients::ListClients, statistics::CountDecisions},
    console::{Error, Visit},
    pages::{Coded, Markup, Named, time},
};

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What ends within this time is listed.
const SOON: Duration = Duration::from_secs(30 * 86_400);
/// What ended longer ago than this is not news.
const LATELY: Duration = Duration::from_secs(7 * 86_400);
/// Most clients that are listed.
const MOST: u32 = 10;
/// Fewer refusals in an hour say nothing.
const SOME: u64 = 10;

/// Something that needs attention.
pub struct Item {
    /// `bad` or `warn`.
    pub tone: &'static str,
    pub sign: &'static str,
    pub tag: &'static str,
    pub sentence: Markup,
    /// What one does about it: a page, and what the link says.
    pub next: (String, &'static str),
}

/// A key or secret that ends.
pub struct End {
    pub client: String,
    pub name: String,
    pub at: UnixTime,
    pub path: String,
}

/// What ends soon or has just ended, the first first; and whether there is more.
pub async fn ends(visit: &Visit) -> Result<(Vec<End>, Vec<Item>, bool), Error> {
    let now = visit.now();
    let mut filter = ClientFilter::default();
    filter.enabled = Some(true);
    filter.ends_before = Some(now.plus(SOON));
    let input = Input::<ListClients> {
        path: (),
        query: filter,
        portion: Portion {
            limit: MOST,
            ..Portion::default()
        },
        body: (),
    };
    let found = visit.ask(input).await?;
    let words = Words(visit.language());
    let (mut ends, mut unusable) = (Vec::new(), Vec::new());
    for client in &found.items {
        let path = visit.at("/clients/{client}", &[client.client_id.as_str()]);
        for key in client.keys.iter().filter(|key| key.refused.is_some()) {
            unusable.push(Item {
                tone: "bad",
                sign: "✗",
                tag: words.unusable(),
                sentence: words.key_unusable(Named(name_of(client)), Coded(&key.name)),
                next: (path.clone(), words.look_at_client()),
            });
        }
        let keys = client.keys.iter().filter_map(|key| key.expires_at);
        let secrets = client.secrets.iter().filter_map(|secret| secret.expires_at);
        let window = now.minus(LATELY)..now.plus(SOON);
        let next = keys.chain(secrets).filter(|at| window.contains(at)).min();
        ends.extend(next.map(|at| End {
            client: client.client_id.to_string(),
            name: name_of(client).to_owned(),
            at,
            path,
        }));
    }
    ends.sort_by_key(|end| end.at);
    Ok((ends, unusable, found.next.is_some()))
}

/// All that needs attention.
pub async fn items(visit: &Visit, ends: &[End]) -> Result<Vec<Item>, Error> {
    let (words, now) = (Words(visit.language()), visit.now());
    let mut items: Vec<_> = ends.iter().map(|end| of_end(visit, end, now)).collect();
    let outcomes = count(
        visit,
        now.minus(2 * HOUR),
        CountStep::Minute,
        CountBy::Outcome,
    )
    .await?;
    let refused = |from: UnixTime, to: UnixTime| sum(&outcomes, "refused", from, to);
    let (lately, before) = (
        refused(now.minus(HOUR), now),
        refused(now.minus(2 * HOUR), now.minus(HOUR)),
    );
    let decisions = |rule: &str| {
        let query = match rule {
            "" => "refused=true".to_owned(),
            rule => format!("refused=true&rule={rule}"),
        };
        format!("{}?{query}", visit.at("/decisions", &[]))
    };
    if lately >= SOME && lately > 2 * before {
        items.push(Item {
            tone: "bad",
            sign: "✗",
            tag: words.refused(),
            sentence: words.rising(lately, before),
            next: (decisions(""), words.see_why()),
        });
    }
    let rules = count(visit, now.minus(DAY), CountStep::Hour, CountBy::Rule).await?;
    let reused = sum(&rules, Rule::RefreshReuse.name(), now.minus(DAY), now);
    if reused > 0 {
        items.push(Item {
            tone: "bad",
            sign: "✗",
            tag: words.reused(),
            sentence: words.refresh_reuse(reused),
            next: (decisions(Rule::RefreshReuse.name()), words.see_why()),
        });
    }
    let waiting = count(visit, now.minus(HOUR), CountStep::Minute, CountBy::Rule).await?;
    let throttled = sum(&waiting, Rule::Throttled.name(), now.minus(HOUR), now);
    if throttled > 0 {
        items.push(Item {
            tone: "warn",
            sign: "!",
            tag: words.waits(),
            sentence: words.throttled(throttled),
            next: (decisions(Rule::Throttled.name()), words.see_why()),
        });
    }
    Ok(items)
}

fn of_end(visit: &Visit, end: &End, now: UnixTime) -> Item {
    let words = Words(visit.language());
    let when = time::distance(end.at, now, visit.language());
    let (tag, sentence, tone, sign) = match end.at > now {
        true => (
            words.ends(),
            words.key_ends(Named(&end.name), when.as_str()),
            "warn",
            "!",
        ),
        false => (
            words.ended(),
            words.key_ended(Named(&end.name), when.as_str()),
            "bad",
            "✗",
        ),
    };
    let next = match visit.may_edit() {
        true => (
            visit.at("/clients/{client}/keys/new", &[&end.client]),
            words.add_next(),
        ),
        false => (end.path.clone(), words.look_at_client()),
    };
    Item {
        tone,
        sign,
        tag,
        sentence,
        next,
    }
}

/// What was counted from then until now.
pub async fn count(
    visit: &Visit,
    from: UnixTime,
    step: CountStep,
    by: CountBy,
) -> Result<StatisticsDocument, Error> {
    let query = StatisticsQuery {
        from: Some(from),
        step,
        by,
        ..StatisticsQuery::default()
    };
    visit
        .ask(Input::<CountDecisions>::at(()).asking(query))
        .await
}

fn sum(counted: &StatisticsDocument, key: &str, from: UnixTime, to: UnixTime) -> u64 {
    let within = counted
        .counts
        .iter()
        .filter(|row| row.key == key && row.start >= from && row.start < to);
    within.map(|row| row.count).sum()
}

fn name_of(client: &ClientDocument) -> &str {
    let name = client.client_name.as_ref();
    name.map_or(client.client_id.as_str(), |name| name.as_str())
}
