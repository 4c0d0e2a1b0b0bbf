//! Challenges: each for one browser, one purpose and one use, within five minutes (C091).
//!
//! A challenge is a sealed value: nothing is kept for one that is given out, so that pages cost
//! strangers nothing here. Its use is claimed once everything else has proven good.

use std::time::Duration;

use grantor::{
    clock::UnixTime,
    registry::Subject,
    server::{Context, SealKind},
    storage::{Claim, ReplayKey, ReplayKind},
};
use serde::{Deserialize, Serialize};

use super::{Page, PasskeyError};

const CHALLENGE: SealKind = SealKind::new("grantor:passkey-challenge");
const USED: ReplayKind = ReplayKind::new("grantor:passkey-challenge");

/// How long a challenge is good.
pub const LIFETIME: Duration = Duration::from_secs(5 * 60);
/// For so long after its end its use is remembered: clocks of several servers differ.
const REMEMBERED_BEYOND: Duration = Duration::from_secs(60);

/// What a passkey is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To be made.
    Make,
    /// To sign in somebody, whoever it is.
    SignIn,
    /// To confirm that the person who is signed in is there.
    Confirm,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Self::Make => "make",
            Self::SignIn => "sign in",
            Self::Confirm => "confirm",
        }
    }
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Sealed {
    made_at: UnixTime,
}

/// A challenge that came back in time to where it was given out.
#[derive(Debug)]
pub struct Challenge {
    pub text: String,
    made_at: UnixTime,
}

/// A new challenge, in base64url.
pub fn give_out(page: &Page<'_>, purpose: Purpose) -> String {
    let sealed = Sealed {
        made_at: page.context.now(),
    };
    let seals = page.context.seals();
    seals.seal(CHALLENGE, &holder(page, purpose), &sealed)
}

impl Challenge {
    /// The challenge of this text, if this browser was given it for this purpose, not long ago.
    pub fn open(page: &Page<'_>, purpose: Purpose, text: &str) -> Result<Self, PasskeyError> {
        let (seals, now) = (page.context.seals(), page.context.now());
        let sealed: Option<Sealed> = seals.open(CHALLENGE, &holder(page, purpose), text);
        let Some(Sealed { made_at }) = sealed else {
            return Err(PasskeyError::Challenge("is none of this browser's"));
        };
        let is_good = now < made_at.plus(LIFETIME) && made_at < now.plus(REMEMBERED_BEYOND);
        match is_good {
            true => Ok(Self {
                text: text.to_owned(),
                made_at,
            }),
            false => Err(PasskeyError::Challenge("has ended")),
        }
    }

    /// Uses it up: exactly one caller succeeds.
    pub async fn use_up(&self, context: &Context, subject: &Subject) -> Result<(), PasskeyError> {
        let end = self.made_at.plus(LIFETIME).plus(REMEMBERED_BEYOND);
        let key = ReplayKey::of(USED, subject.id.as_str(), &self.text);
        match context.claim_once(key.until(end), self.made_at).await? {
            Claim::Fresh => Ok(()),
            Claim::Replayed(_) => Err(PasskeyError::Challenge("was used")),
            Claim::OverQuota => Err(PasskeyError::Challenge("is one of too many")),
        }
    }
}

/// To whom a challenge belongs.
fn holder(page: &Page<'_>, purpose: Purpose) -> String {
    format!("{}\n{}", purpose.name(), page.browser.expose())
}
