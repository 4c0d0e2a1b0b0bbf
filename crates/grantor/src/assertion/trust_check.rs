//! What trusts made of a JWT: every pin, match and condition, expected and got.

use std::fmt;

use grantor_jose::{Claims, json::Value};
use serde::{Deserialize, Serialize};

use super::Verdict;
use crate::{
    registry::{Condition, Mode, PinValue, Trust},
    types::{ClientId, Name, Shown},
};

/// What a row of a [`TrustCheck`] is about. Complete: these are what a trust compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ClaimRule {
    /// A claim has a fixed value.
    Pin,
    /// A claim matches a glob.
    Match,
    /// A condition holds.
    Condition,
}

/// As tables show it.
impl fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pin => "pin",
            Self::Match => "match",
            Self::Condition => "condition",
        })
    }
}

/// One pin, match or condition of a trust.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct ClaimCheck {
    /// What it is.
    pub rule: ClaimRule,
    /// The claim; empty for a condition.
    pub claim: String,
    /// What the trust expects.
    pub expected: String,
    /// What the JWT has: of claims that no trust mentions nothing is kept.
    pub got: String,
    /// Whether it holds. No row is left out: each is looked at.
    pub verdict: Verdict,
}

/// What one trust made of a JWT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[non_exhaustive]
pub struct TrustCheck {
    /// Its name.
    pub trust: Name,
    /// Its client.
    pub client: ClientId,
    /// Whether it counts.
    pub mode: Mode,
    /// Why it was not asked at all: it is for another use, or for another client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<SetAside>,
    /// Every pin, match and condition.
    pub rows: Vec<ClaimCheck>,
}

/// Why a trust of the issuer was not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum SetAside {
    /// It is off.
    Off,
    /// It is not for this use.
    OtherUse,
    /// The request names another client.
    OtherClient,
    /// It authenticates by a pattern of `sub`, and the request names no client.
    NoClient,
}

/// As tables show it.
impl fmt::Display for SetAside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "it is off",
            Self::OtherUse => "it is not for this use",
            Self::OtherClient => "the request names another client",
            Self::NoClient => {
                "it authenticates by a pattern of sub, and the request has no client_id"
            }
        })
    }
}

/// What trusts made of a JWT, for its record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tried {
    /// The trusts that came nearest, those that take it first.
    pub(crate) trusts: Vec<TrustCheck>,
    /// How many others there are.
    pub(crate) others: u32,
    /// What those made of it that grant nothing.
    pub(crate) shadows: Vec<TrustCheck>,
}

/// Most octets of a value in a table.
const MAX_VALUE_BYTES: usize = 160;

impl TrustCheck {
    /// Looks at every pin, match and condition.
    pub(crate) fn of(trust: &Trust, claims: &Claims) -> Self {
        let verdict = |holds| match holds {
            true => Verdict::Pass,
            false => Verdict::Fail,
        };
        let pins = trust.pins.iter().map(|pin| ClaimCheck {
            rule: ClaimRule::Pin,
            claim: pin.claim.to_string(),
            expected: cell(&pin.value.to_string()),
            got: shown(pin.claim.find(claims).as_deref()),
            verdict: verdict(pin.holds(claims)),
        });
        let matches = trust.matches.iter().map(|one| ClaimCheck {
            rule: ClaimRule::Match,
            claim: one.claim.to_string(),
            expected: cell(one.glob.as_str()),
            got: shown(one.claim.find(claims).as_deref()),
            verdict: verdict(one.holds(claims)),
        });
        let condition = trust.condition.iter().map(|condition| {
            let held = condition.holds(claims);
            ClaimCheck {
                rule: ClaimRule::Condition,
                claim: String::new(),
                expected: cell(condition.as_str()),
                got: decided(condition, &held, claims),
                verdict: verdict(held == Ok(true)),
            }
        });
        Self {
            trust: trust.name.clone(),
            client: trust.client.clone(),
            mode: trust.mode,
            set_aside: None,
            rows: pins.chain(matches).chain(condition).collect(),
        }
    }

    /// The same, not asked for this reason.
    pub(crate) fn aside(self, set_aside: Option<SetAside>) -> Self {
        Self { set_aside, ..self }
    }

    /// Whether the trust takes the JWT by its claims.
    pub fn takes(&self) -> bool {
        !self.rows.is_empty() && self.failing().next().is_none()
    }

    /// The rows that do not hold.
    pub fn failing(&self) -> impl Iterator<Item = &ClaimCheck> {
        let rows = self.rows.iter();
        rows.filter(|row| row.verdict != Verdict::Pass)
    }
}

/// What came of a condition, and the claims that it mentions.
fn decided(condition: &Condition, held: &Result<bool, String>, claims: &Claims) -> String {
    let held = match held {
        Ok(held) => held.to_string(),
        Err(reason) => format!("not decided: {reason}"),
    };
    let mentioned = condition.mentions().iter();
    let told = mentioned.fold(held, |told, path| {
        format!("{told}; {path} is {}", shown(path.find(claims).as_deref()))
    });
    cell(&told)
}

/// A claim as a table shows it, and as pins are written: strings bare, integers and booleans with
/// their types, everything else as JSON.
fn shown(claim: Option<&Value>) -> String {
    let pin = match claim {
        None => return "missing".to_owned(),
        Some(Value::String(text)) => Some(PinValue::Text(text.clone())),
        Some(Value::Bool(boolean)) => Some(PinValue::Boolean(*boolean)),
        Some(Value::Number(number)) => number.as_i64().map(PinValue::Integer),
        Some(_) => None,
    };
    match (pin, claim) {
        (Some(pin), _) => cell(&pin.to_string()),
        (None, claim) => cell(&claim.map(Value::to_string).unwrap_or_default()),
    }
}

fn cell(text: &str) -> String {
    Shown::known(text, MAX_VALUE_BYTES).to_string()
}
