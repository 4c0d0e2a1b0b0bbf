//! The law of what was used of an issuer that is registered again.

use super::{
    NOW, QUOTA, Two, at,
    registry::{Hooked, by, issuer},
};
use crate::storage::{Claim, ReplayGuard, ReplayKey};

/// Generates a test for the law of a backend that keeps issuers and what was used.
/// `issuer_replay_suite!(run make)` is a future that tries it.
#[macro_export]
macro_rules! issuer_replay_suite {
    ($make:path) => { $crate::issuer_replay_suite!(@tests $make); };
    (run $make:path) => { $crate::issuer_replay_suite!(@run $make) };
    (@$how:ident $make:path) => {
        $crate::laws! { $how issuer_replay $make:
            t092_what_was_used_stays_used_though_its_issuer_is_another_one
        }
    };
}

/// T092, law 3: a JWT of the old registration opens nothing at the new one.
pub async fn t092_what_was_used_stays_used_though_its_issuer_is_another_one<S>([one, two]: Two<S>)
where
    S: Hooked + ReplayGuard,
{
    let idp = issuer("https://idp.example", "idp");
    let claim = async |node: &S, jti: &str| {
        let key = ReplayKey::new(idp.id.as_str(), jti);
        let claimed = node.claim(&[key.until(at(60))], NOW, QUOTA).await;
        (claimed.expect("the store answers"), key)
    };
    let created = one.issuer_registry().create(idp.clone(), &by()).await;
    created.expect("created");
    assert_eq!(claim(&one, "used").await.0, Claim::Fresh);
    let deleted = two.issuer_registry().delete(&idp.id, &by()).await;
    deleted.expect("deleted");
    let created = two.issuer_registry().create(idp.clone(), &by()).await;
    created.expect("created");
    for node in [&one, &two] {
        let (claimed, key) = claim(node, "used").await;
        assert_eq!(claimed, Claim::Replayed(key));
    }
    assert_eq!(claim(&one, "new").await.0, Claim::Fresh);
}
