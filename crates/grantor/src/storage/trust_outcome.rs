//! What a trust made of the JWT of a decision, beside what was decided: what reports of trusts
//! count.

use std::collections::BTreeMap;

use crate::{
    assertion::TrustCheck,
    server::{Decision, Outcome},
    types::Name,
};

/// What a trust made of a JWT that it was asked about.
///
/// Complete: a report that forgets one does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustOutcome {
    /// It took the JWT, and the request was granted.
    Granted,
    /// It did not take the JWT, and no other trust did.
    Refused,
    /// It is a shadow and would have taken the JWT; the request was granted.
    WouldGrant,
    /// It is a shadow and would have taken the JWT; the request was not granted.
    WouldLetIn,
    /// It is a shadow and would not have taken the JWT; the request was not granted.
    WouldRefuse,
    /// It is a shadow and would not have taken the JWT; the request was granted.
    WouldKeepOut,
}

impl TrustOutcome {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::Granted,
        Self::Refused,
        Self::WouldGrant,
        Self::WouldLetIn,
        Self::WouldRefuse,
        Self::WouldKeepOut,
    ];

    /// The letter that databases keep for it: fixed, since rows of earlier versions have it.
    pub fn letter(self) -> char {
        match self {
            Self::Granted => 'g',
            Self::Refused => 'r',
            Self::WouldGrant => 'G',
            Self::WouldLetIn => 'L',
            Self::WouldRefuse => 'R',
            Self::WouldKeepOut => 'K',
        }
    }

    /// Whether the trust turned the JWT away, or would have.
    pub fn is_against(self) -> bool {
        matches!(self, Self::Refused | Self::WouldRefuse | Self::WouldKeepOut)
    }

    /// The outcome of every trust that a decision says something of, each trust once.
    pub fn all_of(decision: &Decision) -> Vec<(&TrustCheck, Self)> {
        let is_granted = matches!(decision.outcome, Outcome::Granted);
        let shadows = decision.shadows.iter().map(|shadow| {
            let outcome = match (shadow.takes(), is_granted) {
                (true, true) => Self::WouldGrant,
                (true, false) => Self::WouldLetIn,
                (false, true) => Self::WouldKeepOut,
                (false, false) => Self::WouldRefuse,
            };
            (shadow, outcome)
        });
        let taken = decision.trust.iter().filter(|_| is_granted);
        let taken = taken.map(|taken| (taken, Self::Granted));
        let explained = decision.explanation.iter();
        let explained = explained.flat_map(|explanation| &explanation.trusts);
        let explained = explained.filter(|check| !check.takes());
        let explained = explained.map(|check| (check, Self::Refused));
        let mut all: Vec<(&TrustCheck, Self)> = Vec::new();
        for (check, outcome) in shadows.chain(taken).chain(explained) {
            let is_known = all.iter().any(|(known, _)| known.trust == check.trust);
            if check.set_aside.is_none() && !is_known {
                all.push((check, outcome));
            }
        }
        all
    }
}

/// What a trust made of JWTs, in the newest decisions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TrustOutcomes {
    /// How often each outcome was that of the trust. Those that never were are left out.
    pub counts: BTreeMap<TrustOutcome, u64>,
    /// The newest decisions with an outcome [against](TrustOutcome::is_against) the JWT, as JSON, the
    /// newest first.
    pub against: Vec<String>,
}

impl TrustOutcomes {
    /// How many outcomes were against the JWT, also those whose decisions are left out.
    pub fn all_against(&self) -> u64 {
        let against = self
            .counts
            .iter()
            .filter(|(outcome, _)| outcome.is_against());
        against.map(|(_, count)| count).sum()
    }
}

/// An outcome with the name of its trust.
pub(super) fn named(decision: &Decision) -> Vec<(Name, TrustOutcome)> {
    let all = TrustOutcome::all_of(decision).into_iter();
    all.map(|(check, outcome)| (check.trust.clone(), outcome))
        .collect()
}
