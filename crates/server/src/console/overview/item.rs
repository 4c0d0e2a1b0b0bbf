//! What needs attention, as a word, a sentence and what one does about it.

use grantor::{
    clock::UnixTime,
    storage::DecisionFilter,
    types::{ClientId, Rule},
};

use super::words::Words;
use crate::{
    admin::attention::{Attention, End, Named as NamedClient, Repeated},
    console::{Visit, address},
    pages::{Coded, Markup, Named, count, markup, time},
};

/// Something that needs attention.
pub struct Item {
    /// Its colour, and the sign that says the same.
    pub class: &'static str,
    pub sign: &'static str,
    pub tag: String,
    pub sentence: Markup,
    /// What one does about it: a page, and what the link says.
    pub next: (String, &'static str),
}

const WRONG: (&str, &str) = ("bad", "✗");
const SOON: (&str, &str) = ("warn", "!");
const READY: (&str, &str) = ("good", "✓");

/// Names of which more are only counted.
const NAMED: usize = 3;

impl Item {
    /// Of this.
    pub fn of(visit: &Visit, attention: &Attention) -> Self {
        let items = Items {
            visit,
            words: Words(visit.language()),
        };
        let ((class, sign), tag, sentence, next) = items.parts(attention);
        Self {
            class,
            sign,
            tag,
            sentence,
            next,
        }
    }
}

type Parts = (
    (&'static str, &'static str),
    String,
    Markup,
    (String, &'static str),
);

struct Items<'v> {
    visit: &'v Visit,
    words: Words,
}

impl Items<'_> {
    fn parts(&self, attention: &Attention) -> Parts {
        let (visit, words) = (self.visit, self.words);
        let server = || (visit.at("/server", &[]), words.look_at_server());
        match attention {
            Attention::NotReady => (
                WRONG,
                words.not_ready().to_owned(),
                markup(words.storage_silent()),
                server(),
            ),
            Attention::DiskFull { free, size } => (
                WRONG,
                words.nearly_full().to_owned(),
                words.disk(&self.octets(*free), &self.octets(*size)),
                server(),
            ),
            Attention::DecisionsLost { count } => (
                SOON,
                words.lost().to_owned(),
                words.decisions_lost(&self.count(*count)),
                server(),
            ),
            Attention::Ended { client, at } => (
                WRONG,
                words.ended(&self.distance(*at)).0,
                words.has_none(Named(client.shown())),
                self.next_key(client),
            ),
            Attention::UnusableKey { client, key, .. } => (
                WRONG,
                words.unusable().to_owned(),
                words.verifies_nothing(Coded(key), Named(client.shown())),
                self.client(&client.client_id),
            ),
            Attention::RefreshReuse(reuse) => (
                WRONG,
                words.used_again().to_owned(),
                words.refresh_reuse(
                    Named(self.party(reuse)),
                    &words.times(reuse.count),
                    &time::minute(reuse.first),
                ),
                self.decisions(Some(&reuse.rule), reuse.party.as_deref()),
            ),
            Attention::Rising { lately, before } => (
                WRONG,
                words.rising().to_owned(),
                words.rises(&self.count(*lately), &self.count(*before)),
                self.decisions(None, None),
            ),
            Attention::Refused(refused) => self.refused(refused),
            Attention::Ends(end) => self.ends(end),
            Attention::Waiting { count } => (
                SOON,
                words.waiting().to_owned(),
                words.have_to_wait(&self.count(*count)),
                self.decisions(Some(Rule::Throttled.name()), None),
            ),
            Attention::OldSigningKey { kid, since } => (
                SOON,
                words.old().to_owned(),
                words.signs_since(Coded(kid), &time::day(*since)),
                (visit.at("/signing-keys", &[]), words.rotate_it()),
            ),
            Attention::MayBeStrict { clients } => (
                READY,
                words.ready().to_owned(),
                words.can_be_strict(self.names(clients)),
                self.strict(clients),
            ),
        }
    }

    /// `[18 a minute] partner-a is refused for aud since 00:21.`
    fn refused(&self, refused: &Repeated) -> Parts {
        let words = self.words;
        let minutes = (refused.last.millis() - refused.first.millis()) / 60_000 + 1;
        let a_minute = refused.count / minutes.unsigned_abs();
        let tag = match a_minute {
            0..2 => words.times(refused.count),
            _ => words.a_minute(&self.count(a_minute)).0,
        };
        let sentence = words.is_refused(
            Named(self.party(refused)),
            Coded(&refused.rule),
            &time::clock(refused.first),
        );
        let next = self.decisions(Some(&refused.rule), refused.party.as_deref());
        (WRONG, tag, sentence, next)
    }

    /// `[Ends in 9 days] The only key of billing.`
    fn ends(&self, end: &End) -> Parts {
        let (words, client) = (self.words, Named(end.client.shown()));
        let sentence = match (end.of, &end.key) {
            (1, Some(_)) => words.only_key(client),
            (1, None) => words.only_secret(client),
            _ => words.all_of(client),
        };
        let tag = words.ends(&self.distance(end.at)).0;
        (SOON, tag, sentence, self.next_key(&end.client))
    }

    /// Where one makes the next key, or looks at the client.
    fn next_key(&self, client: &NamedClient) -> (String, &'static str) {
        let id = client.client_id.as_str();
        match self.visit.may_edit() {
            true => (
                self.visit.at("/clients/{client}/keys/new", &[id]),
                self.words.add_next(),
            ),
            false => self.client(&client.client_id),
        }
    }

    fn client(&self, id: &ClientId) -> (String, &'static str) {
        let path = self.visit.at("/clients/{client}", &[id.as_str()]);
        (path, self.words.look_at_client())
    }

    fn strict(&self, clients: &[ClientId]) -> (String, &'static str) {
        match clients {
            [only] => self.client(only),
            _ => (legacy(self.visit), self.words.look_at_them()),
        }
    }

    /// The refusals for this rule and of this party.
    fn decisions(&self, rule: Option<&str>, party: Option<&str>) -> (String, &'static str) {
        let mut filter = DecisionFilter::default();
        filter.refused = true;
        filter.rule = rule.map(str::to_owned);
        filter.party = party.map(str::to_owned);
        let path = address(&self.visit.at("/decisions", &[]), &filter, &[]);
        (path, self.words.see_why())
    }

    fn party<'r>(&self, repeated: &'r Repeated) -> &'r str {
        let party = repeated.party.as_deref();
        party.unwrap_or_else(|| self.words.somebody())
    }

    /// `billing, nightly, reports and 2 others`.
    fn names(&self, clients: &[ClientId]) -> Markup {
        let named: Vec<_> = clients
            .iter()
            .take(NAMED)
            .map(|id| markup(Named(id.as_str())).0)
            .collect();
        let named = askama::filters::Safe(named.join(", "));
        match clients.len().saturating_sub(NAMED) {
            0 => named,
            others => self.words.and_others(named, others),
        }
    }

    fn distance(&self, at: UnixTime) -> String {
        time::distance(at, self.visit.now(), self.visit.language())
    }

    fn count(&self, number: u64) -> String {
        count(number, self.visit.language())
    }

    fn octets(&self, octets: u64) -> String {
        let mib = octets >> 20;
        match mib {
            0..10_240 => format!("{}\u{a0}{}", self.count(mib), self.words.mib()),
            _ => format!("{}\u{a0}{}", self.count(mib >> 10), self.words.gib()),
        }
    }
}

/// The list of the clients whose policy is `legacy`.
pub fn legacy(visit: &Visit) -> String {
    let clients = visit.at("/clients", &[]);
    address(&clients, &[("audience_policy", "legacy")], &[])
}
