//! What an operator should know about the issuers and trusts that are registered, as far as no
//! network has to be asked.

use grantor::{
    admin::{Error, IssuerDocument, trusts::check},
    registry::{Mode, Trust, TrustedIssuer},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Administration;

/// How it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// To be mended.
    Wrong,
}

/// A note.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Note {
    /// What was looked at.
    pub check: String,
    /// How it is.
    pub verdict: Severity,
    /// What there is.
    pub message: String,
    /// What to do.
    pub remedy: String,
}

/// What notes about audiences are called.
pub const AUDIENCE: &str = "audience";
/// What notes about trusts are called.
pub const TRUST: &str = "trust";
/// Most notes.
const MOST: usize = 100;

/// The notes about what is registered, so many at most.
///
/// # Errors
/// [`Error::Store`]
pub async fn of_registered(admin: &Administration) -> Result<Vec<Note>, Error> {
    let mut notes = Vec::new();
    for document in admin.every_issuer().await? {
        notes.extend(of_audiences(&document));
        let issuer = admin.issuers().find(document.iss.as_str()).await?;
        let trusts = admin.store.issuer_source.trusts(&issuer).await?;
        let trusts = trusts.all().iter();
        notes.extend(trusts.flat_map(|trust| of_trust(&issuer, trust)));
        if notes.len() >= MOST {
            notes.truncate(MOST);
            break;
        }
    }
    Ok(notes)
}

/// Audiences that are not this server's alone (T013).
pub fn of_audiences(issuer: &IssuerDocument) -> impl Iterator<Item = Note> {
    issuer.shared_audiences.iter().map(|audience| Note {
        check: AUDIENCE.to_owned(),
        verdict: Severity::Note,
        message: format!(
            "issuer {}: {audience} is no name of this server: whoever else takes it can use these JWTs here",
            issuer.name
        ),
        remedy: "Have the issuer put this server's own name into `aud`, if it can.".to_owned(),
    })
}

/// A stored condition that is none turns its trust off (T038); and what is refused today may have
/// been made by an earlier version.
pub fn of_trust(issuer: &TrustedIssuer, trust: &Trust) -> Vec<Note> {
    if trust.mode == Mode::Off {
        return Vec::new();
    }
    let name = &trust.name;
    let note = |message: String, remedy: String| Note {
        check: TRUST.to_owned(),
        verdict: Severity::Wrong,
        message,
        remedy,
    };
    let condition = trust.condition.as_ref();
    if let Some(fault) = condition.and_then(|condition| condition.fault()) {
        return vec![note(
            format!("trust {name} takes nothing, for its condition is none: {fault}"),
            format!("Write it anew: grantor trust update {name} --condition CEL"),
        )];
    }
    let faults = check(issuer, trust).into_iter();
    let refused = faults.map(|fault| {
        note(
            format!(
                "trust {name} could not be registered today: {}",
                fault.detail
            ),
            format!(
                "Mend it with grantor trust update {name}, or run grantor trust disable {name}"
            ),
        )
    });
    refused.collect()
}
