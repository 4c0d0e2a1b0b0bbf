//! Passwords: which are taken, and argon2id (RFC 9106), a bounded number at once.

use std::{
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
    thread,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};
use grantor::{registry::PasswordDigest, types::SubjectId};
use tokio::sync::Semaphore;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

/// Fewest characters: a password is the only factor (NIST SP 800-63B-4 §3.1.1.2).
pub const MIN_CHARACTERS: usize = 15;
/// Most octets, as NFC.
pub const MAX_BYTES: usize = 1024;

/// Memory of one hash, in KiB.
const MEMORY: u32 = 19 * 1024;
const ITERATIONS: u32 = 2;
/// A stored hash that would cost more than this is not computed: KiB, iterations, lanes.
const MOST: (u32, u32, u32) = (64 * 1024, 4, 4);
/// Compared where nobody has a password, so that it takes as long: it costs what [`hash`] does.
const DECOY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGhhcyB0aGlzLg$bm8gcGFzc3dvcmQgaGFzIHRoaXMgZm9yIGEgaGFzaC4";
/// Hashes at once, for each core.
const AT_ONCE_PER_CORE: usize = 2;
/// Hashes that wait for their turn.
const WAITING: usize = 64;

/// A password as it was typed, in normal form C. It is wiped when it is dropped.
#[derive(Default)]
pub struct Password(Zeroizing<String>);

/// Why a password cannot be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    #[error(
        "A password has at least {MIN_CHARACTERS} characters. A few words that do not belong together are a good one."
    )]
    Short,
    #[error("A password has at most {MAX_BYTES} octets.")]
    Long,
    #[error("A password has no control characters.")]
    Control,
    #[error("The password is your name, or the name of this server. Others would try it first.")]
    Guessable,
}

impl Password {
    /// What was typed, if it could be a password at all.
    ///
    /// # Errors
    /// [`Unfit::Long`], [`Unfit::Control`]
    pub fn typed(text: &str) -> Result<Self, Unfit> {
        // Normalising never makes a text so much shorter that more need be looked at.
        if text.len() > 4 * MAX_BYTES {
            return Err(Unfit::Long);
        }
        let normal: Zeroizing<String> = Zeroizing::new(text.nfc().collect());
        if normal.len() > MAX_BYTES {
            return Err(Unfit::Long);
        }
        if normal.chars().any(char::is_control) {
            return Err(Unfit::Control);
        }
        Ok(Self(normal))
    }

    /// What was typed, if it may be the new password of this subject, at a server of this name.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn chosen(text: &str, subject: &SubjectId, host: &str) -> Result<Self, Unfit> {
        let password = Self::typed(text)?;
        if password.0.chars().count() < MIN_CHARACTERS {
            return Err(Unfit::Short);
        }
        let folded = password.0.to_lowercase();
        if folded == subject.as_str().to_lowercase() || folded == host {
            return Err(Unfit::Guessable);
        }
        Ok(password)
    }
}

/// So many passwords are being looked at that another cannot wait for its turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too many people are signing in at this moment")]
pub struct Busy;

/// Makes and compares hashes, as many at once as the machine bears. Cloning it shares that.
#[derive(Clone)]
pub struct Passwords {
    at_work: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

/// There is one machine for all pages.
static SHARED: LazyLock<Passwords> = LazyLock::new(Passwords::new);

impl Passwords {
    /// With the bounds of this machine, which all that use them in this process share.
    pub fn shared() -> Self {
        SHARED.clone()
    }

    fn new() -> Self {
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_work = AT_ONCE_PER_CORE * cores;
        Self {
            at_work: Arc::new(Semaphore::new(at_work)),
            waiting: Arc::new(Semaphore::new(WAITING + at_work)),
        }
    }

    /// What is kept of a password.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn hash(&self, password: Password) -> Result<PasswordDigest, Busy> {
        self.work(move || hash(&password)).await
    }

    /// Whether this is the password that has the hash. Without a hash it takes as long, and is not.
    ///
    /// # Errors
    /// [`Busy`]
    pub async fn matches(&self, password: Password, stored: Option<&str>) -> Result<bool, Busy> {
        let known = stored.is_some();
        let stored: Arc<str> = stored.unwrap_or(DECOY).into();
        self.work(move || verify(&password, &stored) & known).await
    }

    /// Works on a thread of its own. The place belongs to the work: a request that is given up
    /// frees none before the work is done.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Busy> {
        let place = self.waiting.clone().try_acquire_owned().map_err(|_| Busy)?;
        let turn = self
            .at_work
            .clone()
            .acquire_owned()
            .await
            .map_err(|_| Busy)?;
        let work = move || {
            let done = work();
            drop((turn, place));
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Busy)
    }
}

fn hash(password: &Password) -> PasswordDigest {
    let params = Params::new(MEMORY, ITERATIONS, 1, None).expect("parameters of RFC 9106");
    let hash = Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password(password.0.as_bytes())
        .expect("the operating system gives random octets");
    PasswordDigest::parse(&hash.to_string()).expect("argon2id in PHC string format")
}

fn verify(password: &Password, stored: &str) -> bool {
    let Ok(parsed) = PasswordHash::new(stored) else {
        return false;
    };
    let is_bearable = Params::try_from(&parsed).is_ok_and(|params| {
        let cost = (params.m_cost(), params.t_cost(), params.p_cost());
        cost.0 <= MOST.0 && cost.1 <= MOST.1 && cost.2 <= MOST.2
    });
    is_bearable
        && Argon2::default()
            .verify_password(password.0.as_bytes(), &parsed)
            .is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "correct horse battery staple";

    fn chosen(text: &str) -> Result<(), Unfit> {
        let subject = SubjectId::parse("alice@long-enough.example").expect("a subject");
        Password::chosen(text, &subject, "authorization.example").map(drop)
    }

    #[test]
    fn c094_a_new_password_is_long_enough_short_enough_and_no_name() {
        assert_eq!(chosen(GOOD), Ok(()));
        assert_eq!(chosen("fifteen letters"), Ok(()));
        assert_eq!(chosen("fourteen chars"), Err(Unfit::Short));
        // Fifteen characters are counted as such, not as octets.
        assert_eq!(chosen(&"é".repeat(15)), Ok(()));
        assert_eq!(chosen(&"é".repeat(14)), Err(Unfit::Short));
        assert_eq!(chosen(&"a".repeat(MAX_BYTES)), Ok(()));
        assert_eq!(chosen(&"a".repeat(MAX_BYTES + 1)), Err(Unfit::Long));
        assert_eq!(chosen(&"a".repeat(1 << 20)), Err(Unfit::Long));
        assert_eq!(chosen("correct horse\0 battery"), Err(Unfit::Control));
        assert_eq!(chosen("Alice@long-enough.example"), Err(Unfit::Guessable));
        assert_eq!(chosen("authorization.example"), Err(Unfit::Guessable));
    }

    #[tokio::test]
    async fn ca39_a_password_is_known_in_both_normal_forms_and_no_other_is() {
        let passwords = Passwords::new();
        let typed = |text: &str| Password::typed(text).expect("could be a password");
        let hash = passwords.hash(typed("caf\u{e9} in the morning")).await;
        let hash = hash.expect("a place");
        let hash = hash.expose();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        for (text, expected) in [
            ("caf\u{e9} in the morning", true),
            ("cafe\u{301} in the morning", true),
            ("cafe in the morning", false),
            ("caf\u{e9} in the morning ", false),
            ("", false),
        ] {
            let matches = passwords.matches(typed(text), Some(hash)).await;
            assert_eq!(matches, Ok(expected), "{text:?}");
        }
        // The decoy costs as much as a hash, and is the hash of nothing.
        let cost = |hash: &str| hash.rsplitn(3, '$').last().map(str::to_owned);
        assert_eq!(cost(DECOY), cost(hash));
        let lengths = |hash: &str| hash.split('$').map(str::len).collect::<Vec<_>>();
        assert_eq!(lengths(DECOY), lengths(hash));
        let decoy = PasswordHash::new(DECOY).expect("a hash");
        assert!(decoy.salt.is_some() && decoy.hash.is_some());
        assert_eq!(passwords.matches(typed(""), None).await, Ok(false));
    }

    #[tokio::test]
    async fn c096_a_stored_hash_that_would_cost_too_much_is_not_computed() {
        let passwords = Passwords::new();
        let typed = || Password::typed(GOOD).expect("could be a password");
        let hash = passwords.hash(typed()).await.expect("a place");
        let hash = hash.expose();
        assert_eq!(passwords.matches(typed(), Some(hash)).await, Ok(true));
        for (from, to) in [("m=19456", "m=4194304"), ("t=2", "t=100"), ("p=1", "p=200")] {
            let dear = hash.replace(from, to);
            assert_eq!(passwords.matches(typed(), Some(&dear)).await, Ok(false));
        }
        assert_eq!(passwords.matches(typed(), Some("no hash")).await, Ok(false));
    }

    #[tokio::test]
    async fn c096_so_many_wait_and_the_next_is_told_at_once() {
        let passwords = Passwords {
            at_work: Arc::new(Semaphore::new(0)),
            ..Passwords::new()
        };
        let typed = || Password::typed(GOOD).expect("could be a password");
        let places = passwords.waiting.available_permits();
        let waiting: Vec<_> = (0..places)
            .map(|_| {
                let passwords = passwords.clone();
                tokio::spawn(async move { passwords.matches(typed(), None).await })
            })
            .collect();
        while passwords.waiting.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(passwords.matches(typed(), None).await, Err(Busy));
        // Who waited gets in, and so does the next.
        passwords.at_work.add_permits(2);
        for each in waiting {
            assert_eq!(each.await.expect("ended"), Ok(false));
        }
        assert_eq!(passwords.matches(typed(), None).await, Ok(false));
    }
}
