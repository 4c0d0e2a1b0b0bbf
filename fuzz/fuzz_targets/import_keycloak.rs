//! Exports of Keycloak: whatever is made of one can be registered, no secret of it is among that, and
//! none of it has power over the server.

#![no_main]

use std::{future::Future as _, pin::pin, sync::LazyLock, task};

use grantor::{
    admin::{Error, Fault, Imported, Kind, PlanRequest, PlanStores, Plans, ServerTerms},
    clock::UnixTime,
    jose::Algorithm,
    storage::MemoryStore,
    types::Scope,
};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

static TERMS: LazyLock<ServerTerms> = LazyLock::new(|| {
    let mut terms = ServerTerms::new("https://fuzz.invalid".parse().expect("an issuer"));
    terms.assertion_algorithms = Algorithm::ALL.to_vec();
    terms
});

fuzz_target!(|input: &[u8]| {
    let imported = match Imported::of_keycloak(input) {
        Ok(imported) => imported,
        Err(Error::Invalid(faults)) => {
            assert_eq!(faults.len(), 1);
            return;
        }
        Err(error) => panic!("{error}"),
    };
    let lax: Value = serde_json::from_slice(input.strip_prefix(b"\xef\xbb\xbf").unwrap_or(input))
        .expect("an export that was read is JSON");
    for one in &imported.left_out {
        let found = lax.pointer(&one.pointer);
        // A member that is missing is named too.
        let parent = one
            .pointer
            .rsplit_once('/')
            .map_or("", |(parent, _)| parent);
        let is_attribute = parent.ends_with("/attributes") || parent.ends_with("/config");
        assert!(
            found.is_some() || lax.pointer(parent).is_some() || is_attribute,
            "{one:?}"
        );
        assert!(!one.why.is_empty());
    }
    let registrations = &imported.registrations;
    assert!(registrations.trust.is_empty() && registrations.permission.is_empty());
    for client in registrations.of(Kind::Client) {
        let scope = client
            .get("scope")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let scope = Scope::parse(scope).expect("a scope");
        assert_eq!(scope.reserved_tokens().next(), None);
        assert!(client.get("secret").is_none_or(|secret| secret == "make"));
    }
    assert_eq!(faults(&imported), [], "{registrations:?}");
});

/// What is wrong with a plan of it for an empty registry.
fn faults(imported: &Imported) -> Vec<Fault> {
    let store = MemoryStore::new();
    let plans = Plans::new(PlanStores::of(&store), &TERMS, UnixTime::from_millis(0));
    let request = PlanRequest::new(imported.registrations.clone());
    let made = pin!(plans.make(&request)).poll(&mut task::Context::from_waker(task::Waker::noop()));
    match made {
        task::Poll::Ready(Ok(_)) => Vec::new(),
        task::Poll::Ready(Err(Error::Invalid(faults))) => faults,
        task::Poll::Ready(Err(error)) => panic!("{error}"),
        task::Poll::Pending => unreachable!("memory does not wait"),
    }
}
