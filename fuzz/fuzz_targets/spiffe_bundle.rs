//! SPIFFE bundles: a key is used if and only if it is named and for JWT-SVIDs, and what is used is
//! kept and read again as it was.

#![no_main]

use grantor::jose::{
    JwkSet, VerificationKey,
    json::{Object, Value},
};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let plain = JwkSet::parse(input);
    let Ok(bundle) = JwkSet::parse_spiffe(input) else {
        assert!(plain.is_err(), "refused as a bundle only");
        return;
    };
    assert!(plain.is_ok(), "refused as a plain set only");
    let members = members(input).expect("an accepted bundle has keys");
    assert_eq!(members.len(), bundle.keys.len() + bundle.skipped.len());
    let is_used = |index: &usize| !bundle.skipped.iter().any(|skipped| skipped.index == *index);
    let used = (0..members.len()).filter(is_used);
    for (key, index) in bundle.keys.iter().zip(used) {
        let text = |name| members[index].get(name).and_then(Value::as_str);
        assert_eq!(text("use"), Some("jwt-svid"));
        assert!(text("kid").is_some_and(|kid| !kid.is_empty()));
        assert_eq!(text("kid"), key.key_id());
    }
    let jwks = |set: &JwkSet| -> Vec<_> {
        let keys = set.keys.iter().filter_map(VerificationKey::jwk);
        keys.cloned().collect()
    };
    let written = json!({"keys": jwks(&bundle)}).to_string();
    let again = JwkSet::parse(written.as_bytes()).expect("what is kept");
    assert!(again.skipped.is_empty(), "{:?}", again.skipped);
    assert_eq!(jwks(&again), jwks(&bundle));
});

/// The keys as a lax parser reads them.
fn members(input: &[u8]) -> Option<Vec<Object>> {
    let set: Value = serde_json::from_slice(input).ok()?;
    set.get("keys")?
        .as_array()?
        .iter()
        .map(|key| key.as_object().cloned())
        .collect()
}
