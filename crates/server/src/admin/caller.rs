//! Who calls `/admin/v1`: an access token of this server, for this API alone, with what its client
//! and its subject may do now.

use grantor::{
    admin,
    clock::Clock as _,
    registry::{Role, Who},
    server::AccessToken,
    types::{CorrelationId, SubjectId},
};
use http::{HeaderValue, header, request::Parts};

use super::{Api, CLOCK, Problem, Route, Slug, answer::Rejected};

/// A caller who has authenticated.
#[derive(Debug)]
pub struct Caller {
    /// The token.
    pub token: AccessToken,
    /// The role that the token, its client and its subject have now.
    pub role: Role,
    /// The id of the request.
    pub request: CorrelationId,
}

impl Caller {
    /// The subject that the token is about, if that is not its client.
    pub fn subject(&self) -> Option<&SubjectId> {
        let subject = self.token.subject();
        let is_client = subject.as_str() == self.token.client().as_str();
        (!is_client).then_some(subject)
    }

    /// As changes record it.
    pub fn who(&self) -> Who {
        match self.subject() {
            Some(subject) => Who::Operator(subject.clone()),
            None => Who::Client(self.token.client().clone()),
        }
    }

    /// Succeeds if the role suffices.
    pub fn check(&self, needs: Role) -> Result<(), Problem> {
        match self.role >= needs {
            true => Ok(()),
            false => Err(Problem::needs(needs)),
        }
    }
}

impl Api {
    /// The caller, by the token in its one place (RFC 6750 §2.1).
    pub(super) async fn authenticate(&self, head: &Parts) -> Result<Caller, Rejected> {
        let mut fields = head.headers.get_all(header::AUTHORIZATION).iter();
        let Some(field) = fields.next() else {
            return Err(Rejected::no_token());
        };
        let refused = || Rejected::from(Problem::plain(Slug::Unauthenticated));
        let token = bearer(field).filter(|_| fields.next().is_none());
        let token = token.ok_or_else(refused)?;
        let found = self.server.access_token(token).await;
        let found = found.map_err(admin::Error::from)?;
        let found = found.filter(|token| token.audience() == self.resource);
        let token = found.ok_or_else(refused)?;
        match token.role() {
            Some(role) => Ok(Caller {
                token,
                role,
                request: CorrelationId::new(CLOCK.now()),
            }),
            // Its scope was taken meanwhile.
            None => Err(Rejected::from(Problem::needs(Role::Reader)).bearing(token)),
        }
    }

    /// Succeeds if the caller has not asked too often.
    pub(super) fn check_budget(&self, caller: &Caller, route: &Route) -> Result<(), Rejected> {
        let client = caller.token.client().as_str();
        let spent = self.budgets.spend(client);
        let spent = spent.and_then(|()| match route.is_much_work {
            true => self.sparing.spend(client),
            false => Ok(()),
        });
        spent.map_err(|wait| Rejected::wait(wait.as_secs() + 1))
    }
}

fn bearer(field: &HeaderValue) -> Option<&str> {
    let (scheme, token) = field.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim_matches(' '))
}
