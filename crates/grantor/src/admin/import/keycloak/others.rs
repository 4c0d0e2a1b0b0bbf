//! What else is in a realm: counted, a line for each kind.

use grantor_jose::json::Value;

use super::{Import, READ};
use crate::admin::import::{LeftOut, part::Part};

/// What is known to be in an export, what that is, and what there is instead.
const KNOWN: [(&str, &str, &str); 22] = [
    (
        "roles",
        "roles",
        "what a client may do, its scope and permissions say",
    ),
    ("groups", "groups", "there are none of subjects"),
    ("defaultRoles", "default roles", "there are no roles"),
    (
        "defaultRole",
        "members of the default role",
        "there are no roles",
    ),
    ("defaultGroups", "default groups", "there are no groups"),
    ("scopeMappings", "scope mappings", "there are no roles"),
    (
        "clientScopeMappings",
        "client scope mappings",
        "there are no roles",
    ),
    (
        "authenticationFlows",
        "authentication flows",
        "how people sign in is not configured",
    ),
    (
        "authenticatorConfig",
        "authenticator configurations",
        "how people sign in is not configured",
    ),
    ("requiredActions", "required actions", "there are none"),
    (
        "components",
        "components",
        "signing keys are made here, and users are not looked up elsewhere",
    ),
    (
        "identityProviderMappers",
        "identity provider mappers",
        "trusts say what JWTs are worth (grantor trust create)",
    ),
    (
        "userFederationProviders",
        "user federations",
        "users are not looked up elsewhere",
    ),
    (
        "userFederationMappers",
        "user federation mappers",
        "users are not looked up elsewhere",
    ),
    (
        "federatedUsers",
        "federated users",
        "users are not looked up elsewhere",
    ),
    ("organizations", "organizations", "there are none"),
    (
        "clientProfiles",
        "client profiles",
        "rules hold for all clients (configuration key profile)",
    ),
    (
        "clientPolicies",
        "client policies",
        "rules hold for all clients (configuration key profile)",
    ),
    ("smtpServer", "settings of outgoing mail", "no mail is sent"),
    (
        "browserSecurityHeaders",
        "headers of pages",
        "they are not configured",
    ),
    (
        "localizationTexts",
        "languages of texts",
        "pages have their own texts",
    ),
    (
        "protocolMappers",
        "protocol mappers",
        "which claims tokens have is not configured",
    ),
];

/// How long tokens live, where a client says no other.
const LIFETIME: &str = "accessTokenLifespan";

impl Import<'_> {
    pub(super) fn others(&mut self, realm: &Part<'_>) {
        let Value::Object(members) = realm.value else {
            return;
        };
        let is_other = |name: &str| !READ.contains(&name) && name != LIFETIME;
        let mut settings = 0;
        for (name, value) in members.iter().filter(|(name, _)| is_other(name)) {
            let known = KNOWN.iter().find(|(known, ..)| known == name);
            match (known, value) {
                (_, Value::Null) => {}
                (None, Value::Array(_) | Value::Object(_)) => {
                    let count = counted(value);
                    let why = format!("{count} entries, which have no meaning here");
                    self.counted(realm, name, count, why);
                }
                (None, _) => settings += 1,
                (Some((_, what, instead)), value) => {
                    let count = counted(value);
                    self.counted(realm, name, count, format!("{count} {what}: {instead}"));
                }
            }
        }
        if let Some(Value::Number(seconds)) = members.get(LIFETIME) {
            let why = format!(
                "tokens live {seconds} s there; here the configuration says it (token.lifetime)"
            );
            self.made.leave_out(realm.left_out(LIFETIME, why));
        }
        if settings > 0 {
            let why = format!(
                "{settings} settings of the realm itself: the configuration of a server is its \
                 grantor.toml"
            );
            self.made.leave_out(LeftOut::new("", why));
        }
    }

    fn counted(&mut self, realm: &Part<'_>, name: &str, count: usize, why: String) {
        if count > 0 {
            let place = realm.left_out(name, why);
            self.made.leave_out(place);
        }
    }
}

/// How many entries there are, in groups perhaps.
fn counted(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.len(),
        Value::Object(members) => members.values().map(counted).sum(),
        _ => 1,
    }
}
