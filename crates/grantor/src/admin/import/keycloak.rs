//! The export of a realm of Keycloak.

mod client;
mod keys;
mod others;
mod provider;
mod scope;
mod user;

use grantor_jose::{
    JsonError,
    json::{self, Value},
};

use self::scope::KnownScopes;
use super::{Imported, LeftOut, made::Made, part::Part};
use crate::admin::{Error, Fault, Registrations};

pub(super) fn read(export: &[u8]) -> Result<Imported, Error> {
    let realm = Value::Object(parse(export)?);
    let realm = Part::whole(&realm);
    let mut import = Import {
        made: Made::new(),
        scopes: KnownScopes::default(),
    };
    import.scopes(&realm.items("clientScopes").map_err(refused)?);
    import.clients(&realm.items("clients").map_err(refused)?);
    import.users(&realm.items("users").map_err(refused)?);
    import.providers(&realm.items("identityProviders").map_err(refused)?);
    import.others(&realm);
    Ok(import.made.into_imported())
}

/// What was made so far, and what the rest is read by.
struct Import<'e> {
    made: Made,
    scopes: KnownScopes<'e>,
}

/// The members of an export of which one is there.
const READ: [&str; 4] = ["clients", "clientScopes", "users", "identityProviders"];

fn parse(export: &[u8]) -> Result<json::Object, Error> {
    if export.len() > Imported::MAX_BYTES {
        let most = Imported::MAX_BYTES / (1024 * 1024);
        let detail = format!("has more than {most} MiB; export the users in files of their own");
        return Err(Fault::of_all(detail).into());
    }
    // Some editors write a byte order mark (RFC 8259 §8.1).
    let text = export.strip_prefix(b"\xef\xbb\xbf").unwrap_or(export);
    if text.trim_ascii_start().starts_with(b"[") {
        let detail = "is a list, of realms perhaps; give the export of one, as jq '.[0]' makes it";
        return Err(Fault::of_all(detail).into());
    }
    let realm = json::parse_large_object(text, Registrations::MAX_ITEMS).map_err(unread)?;
    match READ.into_iter().any(|member| realm.contains_key(member)) {
        true => Ok(realm),
        false => {
            let detail = "is no export of a realm of Keycloak: it has neither clients nor users";
            Err(Fault::of_all(detail).into())
        }
    }
}

fn unread(error: JsonError) -> Error {
    let remedy = match error {
        JsonError::TooDeep => "; without its groups it may be less deep: jq 'del(.groups)'",
        _ => "; expected the JSON of a realm export",
    };
    Fault::of_all(format!("{error}{remedy}")).into()
}

/// What is wrong with a member of the realm itself.
fn refused(wrong: LeftOut) -> Error {
    let mut fault = Fault::of_all(wrong.why);
    fault.pointer = wrong.pointer;
    fault.into()
}
