//! All issuers, and all trusts of one issuer, so that finding the few that may take a JWT costs the
//! same whether there are ten or ten thousand.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};

use grantor_jose::{Claims, json::Value};

use super::{Mode, Pin, PinValue, Trust, TrustedIssuer};
use crate::types::{ClaimPath, IssuerId, Name};

/// All issuers that are registered, disabled ones included.
#[derive(Clone, Debug, Default)]
pub struct Issuers {
    by_id: HashMap<IssuerId, Arc<TrustedIssuer>>,
    by_domain: HashMap<String, IssuerId>,
    by_number: HashMap<u64, IssuerId>,
}

impl Issuers {
    /// These issuers.
    pub fn new(issuers: impl IntoIterator<Item = Arc<TrustedIssuer>>) -> Self {
        let mut all = Self::default();
        for issuer in issuers {
            let id = issuer.id.clone();
            if let Some(domain) = &issuer.trust_domain {
                all.by_domain.insert(domain.clone(), id.clone());
            }
            all.by_number.insert(issuer.revision.number, id.clone());
            all.by_id.insert(id, issuer);
        }
        all
    }

    /// The issuer whose `iss` is this, to the letter.
    pub fn get(&self, iss: &str) -> Option<&Arc<TrustedIssuer>> {
        self.by_id.get(iss)
    }

    /// The issuer of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<TrustedIssuer>> {
        self.iter().find(|issuer| issuer.name.as_str() == name)
    }

    /// The issuer of this SPIFFE trust domain.
    pub fn of_domain(&self, domain: &str) -> Option<&Arc<TrustedIssuer>> {
        self.by_id.get(self.by_domain.get(domain)?)
    }

    /// The issuer whose registration has this number.
    pub fn numbered(&self, number: u64) -> Option<&Arc<TrustedIssuer>> {
        self.by_id.get(self.by_number.get(&number)?)
    }

    /// All, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<TrustedIssuer>> {
        self.by_id.values()
    }
}

/// All trusts of one issuer, each filed under the rarest of its pins.
#[derive(Clone, Debug, Default)]
pub struct Trusts {
    all: Vec<Arc<Trust>>,
    by_number: HashMap<u64, usize>,
    filed: BTreeMap<ClaimPath, HashMap<PinValue, Vec<usize>>>,
    /// Those without pins.
    unpinned: Vec<usize>,
    shadows: Vec<usize>,
    /// The values that claims are pinned to by trusts that grant something.
    pinned: HashMap<ClaimPath, HashSet<PinValue>>,
}

impl Trusts {
    /// These trusts, in order of their names.
    pub fn new(trusts: impl IntoIterator<Item = Arc<Trust>>) -> Self {
        let mut all: Vec<Arc<Trust>> = trusts.into_iter().collect();
        all.sort_by(|one, other| one.name.cmp(&other.name));
        let mut counts: HashMap<(&ClaimPath, &PinValue), usize> = HashMap::new();
        for pin in all.iter().flat_map(|trust| &trust.pins) {
            *counts.entry((&pin.claim, &pin.value)).or_default() += 1;
        }
        let mut filed: BTreeMap<ClaimPath, HashMap<PinValue, Vec<usize>>> = BTreeMap::new();
        let mut unpinned = Vec::new();
        for (index, trust) in all.iter().enumerate() {
            let rarest = trust
                .pins
                .iter()
                .min_by_key(|pin| counts[&(&pin.claim, &pin.value)]);
            match rarest {
                Some(Pin { claim, value }) => filed
                    .entry(claim.clone())
                    .or_default()
                    .entry(value.clone())
                    .or_default()
                    .push(index),
                None => unpinned.push(index),
            }
        }
        let mut pinned: HashMap<ClaimPath, HashSet<PinValue>> = HashMap::new();
        let granting = all.iter().filter(|trust| trust.mode != Mode::Shadow);
        for pin in granting.flat_map(|trust| &trust.pins) {
            let values = pinned.entry(pin.claim.clone()).or_default();
            values.insert(pin.value.clone());
        }
        let shadows = (0..all.len()).filter(|index| all[*index].mode == Mode::Shadow);
        let shadows = shadows.collect();
        let by_number = all.iter().enumerate();
        let by_number = by_number
            .map(|(index, trust)| (trust.revision.number, index))
            .collect();
        Self {
            by_number,
            all,
            filed,
            unpinned,
            shadows,
            pinned,
        }
    }

    /// All, in order of their names.
    pub fn all(&self) -> &[Arc<Trust>] {
        &self.all
    }

    /// The trust of this name.
    pub fn named(&self, name: &Name) -> Option<&Arc<Trust>> {
        let found = self.all.binary_search_by(|trust| trust.name.cmp(name));
        self.all.get(found.ok()?)
    }

    /// The trust whose registration has this number.
    pub fn numbered(&self, number: u64) -> Option<&Arc<Trust>> {
        self.all.get(*self.by_number.get(&number)?)
    }

    /// The trusts that may take a JWT with these claims: all that do, and few that do not.
    pub fn candidates(&self, claims: &Claims) -> Vec<&Arc<Trust>> {
        let mut found = self.unpinned.clone();
        for (claim, values) in &self.filed {
            let Some(value) = claim.find(claims) else {
                continue;
            };
            for value in met_by(&value) {
                found.extend(values.get(&value).into_iter().flatten());
            }
        }
        found.sort_unstable();
        found.dedup();
        found.iter().map(|index| &self.all[*index]).collect()
    }

    /// Those that are tried beside the others and grant nothing.
    pub fn shadows(&self) -> impl Iterator<Item = &Arc<Trust>> {
        self.shadows.iter().map(|index| &self.all[*index])
    }

    /// Whether one of the claims that tell tenants apart has a value that some trust pins which is
    /// no shadow. On an issuer that strangers share nothing is told before.
    pub fn know_tenant(&self, tenant_claims: &[ClaimPath], claims: &Claims) -> bool {
        tenant_claims.iter().any(|claim| {
            let Some(pinned) = self.pinned.get(claim) else {
                return false;
            };
            let value = claim.find(claims);
            value.is_some_and(|value| met_by(&value).any(|value| pinned.contains(&value)))
        })
    }
}

/// The values of pins that a claim of this value meets.
fn met_by(claim: &Value) -> impl Iterator<Item = PinValue> {
    let one = match claim {
        Value::String(text) => Some(PinValue::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(PinValue::Integer),
        Value::Bool(boolean) => Some(PinValue::Boolean(*boolean)),
        _ => None,
    };
    let members = claim.as_array().into_iter().flatten();
    // Each once, however often it is there.
    let members: BTreeSet<_> = members.filter_map(|member| member.as_str()).collect();
    let members = members.into_iter();
    let members = members.map(|text| PinValue::Contains(text.to_owned()));
    one.into_iter().chain(members)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::UnixTime, registry::Condition};

    fn pin(claim: &str, value: &str) -> Pin {
        let claim = claim.parse().expect("a claim");
        Pin::new(claim, PinValue::Text(value.to_owned()))
    }

    /// So many trusts of one owner, of which each pins its own repository and asks for an event.
    fn trusts(count: u64) -> Trusts {
        let condition = Condition::parse("assertion.event_name in ['push', 'release']");
        let condition = condition.expect("a condition");
        Trusts::new((0..count).map(|number| {
            let name = format!("ci-{number}").parse().expect("a name");
            let issuer = IssuerId::parse("https://ci.example").expect("an issuer");
            let client = "deployer".parse().expect("a client");
            let mut trust = Trust::new(name, issuer, client, UnixTime::from_millis(0));
            trust.pins = vec![
                pin("repository_owner_id", "123456"),
                pin("repository_id", &number.to_string()),
                pin("ref", "refs/heads/main"),
            ];
            trust.condition = Some(condition.clone());
            trust.revision.number = number;
            Arc::new(trust)
        }))
    }

    #[test]
    fn ten_thousand_trusts_are_asked_no_more_than_ten() {
        let claims = br#"{"repository_owner_id":"123456","repository_id":"7","ref":"refs/heads/main","event_name":"push"}"#;
        let claims = Claims::parse(claims).expect("claims");
        for count in [10, 10_000] {
            let trusts = trusts(count);
            let asked = trusts.candidates(&claims);
            let asked: Vec<_> = asked.iter().map(|trust| trust.name.as_str()).collect();
            assert_eq!(asked, ["ci-7"], "{count}");
            assert!(trusts.candidates(&claims)[0].takes(&claims));
        }
    }
}
