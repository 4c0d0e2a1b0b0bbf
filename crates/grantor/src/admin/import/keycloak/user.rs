//! Users: the subjects. A subject is its id, which is `sub` in Keycloak's tokens too; names,
//! passwords and roles stay behind.

use grantor_jose::json::{Object, Value};

use super::Import;
use crate::admin::import::{LeftOut, part::Part};

/// How many users have something that stays behind.
#[derive(Default)]
struct Counts {
    service_accounts: usize,
    credentials: usize,
    consents: usize,
    links: usize,
    subjects: usize,
}

impl Import<'_> {
    pub(super) fn users(&mut self, parts: &[Part<'_>]) {
        let mut counts = Counts::default();
        for part in parts {
            if let Err(wrong) = self.user(part, &mut counts) {
                let name = part.text("username").ok().flatten();
                self.made.leave_out(match name {
                    Some(name) => wrong.called(name),
                    None => wrong,
                });
            }
        }
        for why in counts.said() {
            self.made.leave_out(LeftOut::new("/users", why));
        }
    }

    fn user(&mut self, part: &Part<'_>, counts: &mut Counts) -> Result<(), LeftOut> {
        if part.text("serviceAccountClientId")?.is_some() {
            counts.service_accounts += 1;
            return Ok(());
        }
        let Some(id) = part.text("id")? else {
            let why = "has no id, which is what sub is in its tokens; an export has one";
            return Err(part.left_out("id", why));
        };
        let mut object = Object::new();
        object.insert("id".to_owned(), id.into());
        if !part.flag("enabled")? {
            object.insert("enabled".to_owned(), false.into());
        }
        let has = |member| match part.member(member).map(|part| part.value) {
            Some(Value::Array(items)) => usize::from(!items.is_empty()),
            _ => 0,
        };
        counts.subjects += 1;
        counts.credentials += has("credentials");
        counts.consents += has("clientConsents");
        counts.links += has("federatedIdentities");
        self.made.subject(part, id, object);
        Ok(())
    }
}

impl Counts {
    fn said(&self) -> impl Iterator<Item = String> {
        let all = [
            (
                self.subjects,
                "user names, addresses, attributes, groups and roles of",
                "a subject is its id here, which is sub in its tokens",
            ),
            (
                self.credentials,
                "passwords and second factors of",
                "each chooses a new password by a link (grantor subject invite)",
            ),
            (
                self.consents,
                "what was allowed to clients by",
                "they are asked again, or an operator gives permissions (grantor permission create)",
            ),
            (
                self.links,
                "accounts elsewhere of",
                "which JWTs are about whom, trusts say (grantor trust create)",
            ),
        ];
        let service = (self.service_accounts > 0).then(|| {
            format!(
                "{} users that are service accounts: here a client is its own subject, and sub is \
                 its client id, no longer the id of such a user",
                self.service_accounts
            )
        });
        let all = all.into_iter().filter(|(count, ..)| *count > 0);
        all.map(|(count, what, why)| format!("{what} {count} users: {why}"))
            .chain(service)
    }
}
