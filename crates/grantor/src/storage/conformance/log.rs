//! The laws of [`Log`](crate::storage::Log) and [`DecisionStore`].

use std::{collections::BTreeSet, sync::Arc};

use serde_json::json;

use super::{NOW, Two, at, id, subject_id};
use crate::{
    clock::{UnixTime, time_text},
    server::{Decision, Outcome, Request},
    storage::{
        Cursor, DecisionFilter, DecisionIndex, DecisionStore, Entry, LogPage, RefusalGroup,
        RefusalGroups, Start, StoreError, TrustOutcome,
    },
    types::{ErrorCode, Name, Rule},
};

/// Generates one test for each law of a [`DecisionStore`]. `log_suite!(run make)` is a future that
/// tries them one after the other.
#[macro_export]
macro_rules! log_suite {
    ($make:path) => { $crate::log_suite!(@tests $make); };
    (run $make:path) => { $crate::log_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how log $make:
            decisions_are_read_in_pages_in_their_order
            decisions_are_found_by_what_they_say
            decisions_are_found_by_what_they_are_about
            decisions_are_found_by_the_beginning_of_their_ids
            the_last_decisions_are_found_and_then_followed
            a_log_that_is_followed_gives_each_decision_once
            decisions_are_read_backwards_from_a_place
            refusals_are_grouped_by_rule_and_party
            the_newest_decisions_of_some_clients_are_found
            what_trusts_made_of_jwts_is_counted
            when_subjects_were_last_granted_something_is_found
            a_cursor_of_something_else_is_refused
        }
    };
}

fn refused(party: &str, rule: Rule, at: UnixTime) -> Decision {
    let mut decision = Decision::new("token", &Request::blank(at));
    decision.claims_client(party);
    decision.outcome = Outcome::Refused {
        error: ErrorCode::INVALID_GRANT,
        rule,
        cause: "a cause".to_owned(),
    };
    decision
}

fn granted(party: &str) -> Decision {
    let mut decision = Decision::new("token", &Request::blank(NOW));
    decision.claims_client(party);
    decision.outcome = Outcome::Granted;
    decision
}

async fn record(store: &impl DecisionStore, decision: &Decision) -> String {
    store.record(decision);
    store.flush().await.expect("flushed");
    DecisionIndex::of(decision).id
}

async fn page(
    store: &impl DecisionStore,
    filter: &DecisionFilter,
    start: Start,
    limit: u32,
) -> LogPage {
    let page = store.page(filter, start, limit).await;
    page.expect("the store answers")
}

fn ids(entries: &[Entry]) -> Vec<String> {
    let id = |entry: &Entry| {
        let document: serde_json::Value = serde_json::from_str(&entry.document).expect("JSON");
        document["id"].as_str().expect("an id").to_owned()
    };
    entries.iter().map(id).collect()
}

/// What one handle records, another reads; what comes later is behind the last page.
pub async fn decisions_are_read_in_pages_in_their_order<S: DecisionStore>([one, other]: Two<S>) {
    let all = DecisionFilter::default();
    let mut recorded = Vec::new();
    for number in 0..5 {
        recorded.push(record(&*one, &granted(&number.to_string())).await);
    }
    let first = page(&*other, &all, Start::Oldest, 2).await;
    let second = page(&*other, &all, Start::After(first.next), 3).await;
    let none = page(&*other, &all, Start::After(second.next), 3).await;
    assert_eq!(ids(&first.entries), recorded[..2]);
    assert_eq!(ids(&second.entries), recorded[2..]);
    assert_eq!(none.entries, []);
    let from_within = Start::After(second.entries[0].cursor.clone());
    assert_eq!(
        page(&*other, &all, from_within, 9).await.entries,
        second.entries[1..]
    );
    let late = record(&*one, &granted("late")).await;
    let last = page(&*other, &all, Start::After(none.next), 3).await;
    assert_eq!(ids(&last.entries), [late]);
    assert_eq!((one.dropped(), other.dropped()), (0, 0));
}

/// Each member of the filter, and two at once.
pub async fn decisions_are_found_by_what_they_say<S: DecisionStore>([one, other]: Two<S>) {
    let granted = record(&*one, &granted("a")).await;
    let audience = record(&*one, &refused("a", Rule::Audience, at(1))).await;
    let expired = record(&*one, &refused("b", Rule::Expiry, at(2))).await;
    let found = async |set: fn(&mut DecisionFilter)| {
        let mut filter = DecisionFilter::default();
        set(&mut filter);
        ids(&page(&*other, &filter, Start::Oldest, 10).await.entries)
    };
    let refused = [audience.clone(), expired.clone()];
    assert_eq!(found(|filter| filter.refused = true).await, refused);
    assert_eq!(found(|filter| filter.since = Some(at(1))).await, refused);
    let of_a = [granted, audience.clone()];
    assert_eq!(
        found(|filter| filter.party = Some("a".to_owned())).await,
        of_a
    );
    let by_rule: fn(&mut _) = |filter: &mut DecisionFilter| {
        filter.rule = Some(Rule::Expiry.name().to_owned());
    };
    assert_eq!(found(by_rule).await, [expired]);
    let both: fn(&mut _) = |filter: &mut DecisionFilter| {
        (filter.party, filter.refused) = (Some("a".to_owned()), true);
    };
    assert_eq!(found(both).await, std::slice::from_ref(&audience));
    let by_id = |id: &str| {
        let id = Some(id.to_owned());
        DecisionFilter {
            id,
            ..DecisionFilter::default()
        }
    };
    let one_of_them = page(&*other, &by_id(&audience), Start::Oldest, 10).await;
    assert_eq!(ids(&one_of_them.entries), [audience]);
    let none = page(&*other, &by_id("none"), Start::Oldest, 10).await;
    assert_eq!(none.entries, []);
}

/// By each of what they are about, and until a time.
pub async fn decisions_are_found_by_what_they_are_about<S: DecisionStore>([one, other]: Two<S>) {
    let mut about = granted("claimed");
    about.subject = Some(subject_id("alice"));
    about.issuer = Name::parse("github").ok();
    about.claims_issuer("https://idp.example");
    let check = json!({"trust": "ci", "client": "deploy", "mode": "on", "rows": []});
    about.trust = serde_json::from_value(check).expect("a check");
    let about = record(&*one, &about).await;
    let mut by_another = refused("b", Rule::Expiry, at(5));
    by_another.endpoint = "introspect".into();
    by_another.client = Some(id("b"));
    let by_another = record(&*one, &by_another).await;
    for (asked, expected) in [
        (json!({"client": "claimed"}), Some(&about)),
        (json!({"client": "b"}), Some(&by_another)),
        (json!({"client": "nobody"}), None),
        (json!({"issuer": "github"}), Some(&about)),
        (json!({"issuer": "https://idp.example"}), Some(&about)),
        (json!({"issuer": "https://idp.example/"}), None),
        (json!({"trust": "ci"}), Some(&about)),
        (json!({"subject": "alice"}), Some(&about)),
        (json!({"subject": "bob"}), None),
        (json!({"endpoint": "introspect"}), Some(&by_another)),
        (json!({"endpoint": "introspect", "subject": "alice"}), None),
        (json!({"until": time_text(at(5))}), Some(&about)),
        (json!({"since": time_text(at(5))}), Some(&by_another)),
        (json!({"until": time_text(NOW)}), None),
    ] {
        let filter: DecisionFilter = serde_json::from_value(asked.clone()).expect("a filter");
        for start in [Start::Oldest, Start::Last(9)] {
            let found = page(&*other, &filter, start, 9).await;
            let found = ids(&found.entries);
            assert_eq!(
                found.iter().collect::<Vec<_>>(),
                Vec::from_iter(expected),
                "{asked}"
            );
        }
    }
}

/// By as much of an id as is known, in their order as ever, and by that as a text and no pattern.
pub async fn decisions_are_found_by_the_beginning_of_their_ids<S: DecisionStore>(
    [one, other]: Two<S>,
) {
    let first = record(&*one, &granted("a")).await;
    let later = record(&*one, &refused("b", Rule::Expiry, at(400))).await;
    assert_ne!(first[..4], later[..4], "control");
    let again = record(&*one, &refused("c", Rule::Expiry, NOW)).await;
    let found = async |begins: &str, start| {
        let id_begins = Some(begins.to_owned());
        let filter = DecisionFilter {
            id_begins,
            ..DecisionFilter::default()
        };
        let found = page(&*other, &filter, start, 2).await.entries;
        (ids(&found), other.groups(&filter, 9).await.expect("groups"))
    };
    for start in [Start::Oldest, Start::Last(2)] {
        let of = async |begins: &str| found(begins, start.clone()).await.0;
        assert_eq!(of(&first[..4]).await, [first.clone(), again.clone()]);
        assert_eq!(of(&later[..4]).await, std::slice::from_ref(&later));
        assert_eq!(of(&first).await, std::slice::from_ref(&first));
        for nobody in ["%", "_", "*", &format!("{first}0"), &later[1..]] {
            assert_eq!(of(nobody).await, [""; 0], "{nobody}");
        }
    }
    let (last, groups) = found(&first[..4], Start::Last(1)).await;
    assert_eq!((last, groups.refused), (vec![again], 1));
    assert_eq!(found("", Start::Oldest).await.1.refused, 2, "control");
}

/// The newest so many that pass the filter, page by page, or only what comes from now on.
pub async fn the_last_decisions_are_found_and_then_followed<S: DecisionStore>(
    [one, other]: Two<S>,
) {
    let mut of_a = Vec::new();
    for _ in 0..4 {
        of_a.push(record(&*one, &granted("a")).await);
        record(&*one, &granted("b")).await;
    }
    let filter = DecisionFilter {
        party: Some("a".to_owned()),
        ..DecisionFilter::default()
    };
    let first = page(&*other, &filter, Start::Last(3), 2).await;
    assert_eq!(ids(&first.entries), of_a[1..3]);
    let second = page(&*other, &filter, Start::After(first.next), 2).await;
    assert_eq!(ids(&second.entries), of_a[3..]);
    let more = page(&*other, &filter, Start::Last(100), 100).await;
    assert_eq!(ids(&more.entries), of_a);

    let end = page(&*other, &filter, Start::Last(0), 100).await;
    assert_eq!(end.entries, []);
    let late = record(&*one, &granted("a")).await;
    let followed = page(&*other, &filter, Start::After(end.next), 100).await;
    assert_eq!(ids(&followed.entries), [late]);
}

/// Two handles record at the same time; the one that follows reads neither too little nor twice.
pub async fn a_log_that_is_followed_gives_each_decision_once<S: DecisionStore>(
    [one, other]: Two<S>,
) {
    const EACH: usize = 300;
    let recording = |store: Arc<S>, party: &'static str| {
        tokio::spawn(async move {
            let mut recorded = Vec::new();
            for number in 0..EACH {
                let decision = granted(party);
                store.record(&decision);
                recorded.push(DecisionIndex::of(&decision).id);
                if number % 10 == 0 {
                    store.flush().await.expect("flushed");
                }
            }
            store.flush().await.expect("flushed");
            recorded
        })
    };
    let all = DecisionFilter::default();
    let mut next = page(&*one, &all, Start::Last(0), 1).await.next;
    let tasks = [recording(one.clone(), "one"), recording(other, "other")];
    let mut seen = Vec::new();
    loop {
        // First: what was recorded before is on the pages that follow.
        let is_done = tasks.iter().all(tokio::task::JoinHandle::is_finished);
        let LogPage {
            entries,
            next: then,
            ..
        } = page(&*one, &all, Start::After(next), 7).await;
        next = then;
        if is_done && entries.is_empty() {
            break;
        }
        seen.extend(ids(&entries));
    }
    let mut recorded = BTreeSet::new();
    for task in tasks {
        recorded.extend(task.await.expect("no panic"));
    }
    assert_eq!(seen.len(), 2 * EACH);
    assert_eq!(BTreeSet::from_iter(seen), recorded);
}

/// From the newest page to the oldest, whatever is recorded meanwhile; and forward again from each.
pub async fn decisions_are_read_backwards_from_a_place<S: DecisionStore>([one, other]: Two<S>) {
    let mut of_a = Vec::new();
    for _ in 0..5 {
        of_a.push(record(&*one, &granted("a")).await);
        record(&*one, &granted("b")).await;
    }
    let filter = DecisionFilter {
        party: Some("a".to_owned()),
        ..DecisionFilter::default()
    };
    let newest = page(&*other, &filter, Start::Last(2), 2).await;
    assert_eq!(ids(&newest.entries), of_a[3..]);
    record(&*one, &granted("a")).await;
    let before = |page: &LogPage| Start::Before(page.previous.clone().expect("a place"));
    let middle = page(&*other, &filter, before(&newest), 2).await;
    assert_eq!(ids(&middle.entries), of_a[1..3]);
    let oldest = page(&*other, &filter, before(&middle), 2).await;
    assert_eq!(ids(&oldest.entries), of_a[..1]);
    let none = page(&*other, &filter, before(&oldest), 2).await;
    assert_eq!((none.entries, none.previous), (Vec::new(), None));
    for (earlier, later) in [(oldest, &middle), (middle.clone(), &newest)] {
        let onward = page(&*other, &filter, Start::After(earlier.next), 2).await;
        assert_eq!(onward.entries, later.entries);
    }
}

/// The largest first, of equal ones that of the newest refusal; what was granted is in none.
pub async fn refusals_are_grouped_by_rule_and_party<S: DecisionStore>([one, other]: Two<S>) {
    let of = |party: &str, rule: Rule, time| refused(party, rule, at(time));
    record(&*one, &of("a", Rule::Audience, 1)).await;
    record(&*one, &granted("a")).await;
    let expired = record(&*one, &of("a", Rule::Expiry, 2)).await;
    let newest = record(&*one, &of("a", Rule::Audience, 3)).await;
    let of_b = record(&*one, &of("b", Rule::Audience, 4)).await;
    let all = DecisionFilter::default();
    let found = other.groups(&all, 2).await.expect("groups");
    assert_eq!((found.all, found.refused), (3, 4));
    let group = |rule, party: &str, count, [first, last]: [u64; 2], newest| RefusalGroup {
        rule,
        party: Some(party.to_owned()),
        count,
        first: at(first),
        last: at(last),
        newest,
    };
    let of_a = group(Rule::Audience, "a", 2, [1, 3], newest);
    let second = group(Rule::Audience, "b", 1, [4, 4], of_b);
    assert_eq!(found.groups, [of_a, second]);
    let filter = DecisionFilter {
        since: Some(at(2)),
        rule: Some(Rule::Expiry.name().to_owned()),
        ..DecisionFilter::default()
    };
    let found = other.groups(&filter, 9).await.expect("groups");
    let only = group(Rule::Expiry, "a", 1, [2, 2], expired);
    assert_eq!(found.groups, [only]);
    let none = DecisionFilter {
        party: Some("nobody".to_owned()),
        ..DecisionFilter::default()
    };
    let found = other.groups(&none, 9).await.expect("groups");
    assert_eq!(found, RefusalGroups::default());
}

/// Those of these clients, authenticated or claimed, and of nobody else.
pub async fn the_newest_decisions_of_some_clients_are_found<S: DecisionStore>(
    [one, other]: Two<S>,
) {
    let mut recorded = Vec::new();
    for party in ["a", "b", "c", "a", "%"] {
        recorded.push(record(&*one, &granted(party)).await);
    }
    let found = async |clients: &[&str], limit| {
        let clients: Vec<_> = clients.iter().map(|name| id(name)).collect();
        let found = other.newest_of(&clients, limit).await.expect("decisions");
        let read = found.iter().map(|document| {
            let read: serde_json::Value = serde_json::from_str(document).expect("JSON");
            read["id"].as_str().expect("an id").to_owned()
        });
        read.collect::<Vec<_>>()
    };
    let of = |places: &[usize]| -> Vec<_> {
        places
            .iter()
            .map(|place| recorded[*place].clone())
            .collect()
    };
    assert_eq!(found(&["a", "c"], 9).await, of(&[3, 2, 0]));
    assert_eq!(found(&["a", "c"], 2).await, of(&[3, 2]));
    assert_eq!(found(&["%"], 9).await, of(&[4]));
    assert_eq!(found(&[], 9).await, of(&[]));
}

/// A JWT that the trust `ci` was asked about at this time, with the shadow `next` and the trust `off`
/// that was set aside.
fn asked(time: u64, is_granted: bool, would_take: bool) -> Decision {
    let verdict = |holds| if holds { "pass" } else { "fail" };
    let row = |holds| json!({"rule": "pin", "claim": "team", "expected": "web", "got": "ops", "verdict": verdict(holds)});
    let check = |trust: &str, mode, holds| json!({"trust": trust, "client": "a", "mode": mode, "rows": [row(holds)]});
    let mut decision = match is_granted {
        true => granted("a"),
        false => refused("a", Rule::Trust, NOW),
    };
    decision.at = at(time);
    let mut record: serde_json::Value = serde_json::from_str(&decision.record()).expect("JSON");
    let mut off = check("off", "off", false);
    off["set_aside"] = json!("off");
    record["issuer"] = json!("idp");
    record["shadows"] = json!([check("next", "shadow", would_take)]);
    match is_granted {
        true => record["trust"] = check("ci", "on", true),
        false => {
            record["explanation"] = json!({"usage": "grant", "checks": [], "keys": [], "other_keys": 0,
                "trusts": [check("ci", "on", false), off], "other_trusts": 0});
        }
    }
    Decision::read(&record.to_string()).expect("a decision")
}

/// Each trust that was asked, also where another took the JWT; the newest that it turned away, first.
pub async fn what_trusts_made_of_jwts_is_counted<S: DecisionStore>([one, other]: Two<S>) {
    let mut recorded = vec![record(&*one, &granted("a")).await];
    for (time, is_granted, would_take) in [
        (1, true, true),
        (2, true, false),
        (3, false, true),
        (4, false, false),
        (5, false, false),
    ] {
        recorded.push(record(&*one, &asked(time, is_granted, would_take)).await);
    }
    let found = async |trust: &str, since: Option<u64>| {
        let trust = Name::parse(trust).expect("a name");
        let found = other.outcomes_of(&trust, since.map(at), 2).await;
        let found = found.expect("outcomes");
        let counts: Vec<_> = found.counts.into_iter().collect();
        let against = found.against.iter().map(|document| {
            let read: serde_json::Value = serde_json::from_str(document).expect("JSON");
            read["id"].as_str().expect("an id").to_owned()
        });
        (counts, against.collect::<Vec<_>>())
    };
    let of = |places: [usize; 2]| places.map(|place| recorded[place].clone()).to_vec();
    let counts = vec![(TrustOutcome::Granted, 2), (TrustOutcome::Refused, 3)];
    assert_eq!(found("ci", None).await, (counts, of([5, 4])));
    let shadow = vec![
        (TrustOutcome::WouldGrant, 1),
        (TrustOutcome::WouldLetIn, 1),
        (TrustOutcome::WouldRefuse, 2),
        (TrustOutcome::WouldKeepOut, 1),
    ];
    assert_eq!(found("next", None).await, (shadow, of([5, 4])));
    let late = vec![(TrustOutcome::WouldRefuse, 1)];
    let newest = vec![recorded[5].clone()];
    assert_eq!(found("next", Some(5)).await, (late, newest));
    for nobody in ["off", "n", "ext", "ci2"] {
        assert_eq!(found(nobody, None).await, (Vec::new(), Vec::new()));
    }
}

/// At these endpoints, and of these subjects alone; what was refused or not decided does not count.
pub async fn when_subjects_were_last_granted_something_is_found<S: DecisionStore>(
    [one, other]: Two<S>,
) {
    let granted_at = |endpoint: &'static str, subject: &str, time| {
        let mut decision = Decision::new(endpoint, &Request::blank(at(time)));
        decision.subject = Some(subject_id(subject));
        decision.outcome = Outcome::Granted;
        decision
    };
    for decision in [
        granted_at("signin", "anna", 1),
        granted_at("open", "anna", 3),
        granted_at("signin", "anna", 2),
        granted_at("token", "anna", 9),
        granted_at("signin", "berta", 4),
        granted_at("signin", "carla", 5),
    ] {
        record(&*one, &decision).await;
    }
    let mut late = granted_at("signin", "anna", 8);
    late.outcome = Outcome::Undecided;
    record(&*one, &late).await;
    let mut late = refused("a", Rule::Password, at(7));
    late.endpoint = "signin".into();
    late.subject = Some(subject_id("berta"));
    record(&*one, &late).await;
    let found = async |subjects: &[&str], endpoints: &[&str]| {
        let subjects: Vec<_> = subjects.iter().map(|name| subject_id(name)).collect();
        let found = other.last_granted(&subjects, endpoints).await;
        let mut found = found.expect("times");
        found.sort();
        found
    };
    let of = |subject: &str, time| (subject_id(subject), at(time));
    let ways = ["signin", "open"];
    let both = found(&["anna", "berta", "nobody"], &ways).await;
    assert_eq!(both, [of("anna", 3), of("berta", 4)]);
    assert_eq!(found(&["anna"], &ways[..1]).await, [of("anna", 2)]);
    assert_eq!(found(&[], &ways).await, []);
    assert_eq!(found(&["anna"], &[]).await, []);
}

/// A cursor comes from outside where a page is asked for by a request.
pub async fn a_cursor_of_something_else_is_refused<S: DecisionStore>([one, _]: Two<S>) {
    let foreign = Start::After(Cursor::from_text("not a place"));
    let page = one.page(&DecisionFilter::default(), foreign, 1).await;
    assert!(matches!(page, Err(StoreError::Cursor)), "{page:?}");
}
