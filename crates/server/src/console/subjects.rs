//! Subjects: whom tokens are about, how they sign in, and what they allowed.

mod delete;
mod edit;
mod end;
mod invite;
mod list;
mod new;
mod show;
mod switch;
mod words;

use grantor::{
    admin::PermissionFilter,
    clock::UnixTime,
    registry::{Revision, Role},
    server::Outcome,
    storage::DecisionFilter,
    types::SubjectId,
};

use self::words::Words;
pub use self::{
    delete::DeletePage,
    edit::EditPage,
    end::{EndCredentialsPage, EndInvitationsPage, EndSessionsPage, TakePasskeyPage},
    invite::{InvitePage, RecoverPage},
    list::ListPage,
    new::NewPage,
    show::SubjectPage,
    switch::SwitchPage,
};
use super::{Count, Error, Visit};
use crate::{
    admin::{
        Input, Portion,
        decisions::ListDecisions,
        permissions::ListPermissions,
        subjects::{ShowSubject, SubjectState},
    },
    pages::{Markup, time},
};

/// The paths of the pages of subjects below the console.
pub const SUBJECTS: &str = "/subjects";
/// The page of one.
pub const SUBJECT: &str = "/subjects/{subject}";
const TAKE_PASSKEY: &str = "/subjects/{subject}/passkeys/{passkey}";

/// A subject in the state in which it was read.
type Seen = (SubjectState, Option<Revision>);

/// The subject, for somebody who may change what hangs on it: that of an operator only an owner may,
/// who proved a moment ago who they are (M012, M112).
async fn to_change(visit: &Visit, id: &SubjectId) -> Result<Seen, Error> {
    let seen = visit.answered(Input::<ShowSubject>::at(id.clone())).await?;
    if seen.0.role.is_some() {
        if !visit.may(Role::Owner) {
            return Err(Error::Role(Role::Owner));
        }
        visit.check_fresh()?;
    }
    Ok(seen)
}

/// Whether changing a subject with this role, or without one, is offered (M113).
fn may_change(visit: &Visit, role: Option<Role>) -> bool {
    visit.may(role.map_or(Role::Editor, |_| Role::Owner))
}

/// How many permissions there are for a subject; of very many, how many are told.
async fn permissions_for(visit: &Visit, id: &SubjectId) -> Result<Count, Error> {
    let mut filter = PermissionFilter::default();
    filter.subject = Some(id.clone());
    let input = Input::<ListPermissions> {
        path: (),
        query: filter,
        portion: Portion {
            limit: Portion::MOST,
            ..Portion::default()
        },
        body: (),
    };
    let found = visit.ask(input).await?;
    Ok(Count::new(found.items.len(), found.next.as_ref()))
}

/// When a token was last granted about a subject.
async fn last_acted(visit: &Visit, id: &SubjectId) -> Result<Option<UnixTime>, Error> {
    let mut filter = DecisionFilter::default();
    filter.subject = Some(id.to_string());
    filter.endpoint = Some("token".to_owned());
    let found = visit.ask(Input::<ListDecisions> {
        path: (),
        query: filter,
        portion: Portion {
            limit: LOOKED_AT,
            ..Portion::default()
        },
        body: (),
    });
    let found = found.await?.items;
    let granted = |outcome: &Outcome| matches!(outcome, Outcome::Granted);
    let last = found.iter().rev().find(|kept| granted(&kept.0.outcome));
    Ok(last.map(|kept| kept.0.at))
}

/// How many of the newest decisions are looked through for one that granted something.
const LOOKED_AT: u32 = 50;

/// Sentences about what stops working for a subject: for how many clients, and since when nothing was
/// granted (M112).
async fn what_stops(visit: &Visit, id: &SubjectId) -> Result<Vec<Markup>, Error> {
    let words = Words(visit.language());
    let acting = words.clients_act(permissions_for(visit, id).await?);
    let last = match last_acted(visit, id).await? {
        Some(at) => {
            let ago = time::distance(at, visit.now(), visit.language());
            words.last_granted(&time::minute(at), &ago)
        }
        None => crate::pages::markup(words.nothing_granted_lately()),
    };
    Ok(vec![acting, last])
}
