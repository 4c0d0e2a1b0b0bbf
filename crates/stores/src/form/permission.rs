//! Permissions: a column for each member.

use grantor::{
    clock::UnixTime,
    registry::{Origin, Permission, PermissionId, Revision},
    types::{ClientId, GrantType, Scope, SubjectId},
};

use super::{Unreadable, from_document, manager, unreadable};

const WHAT: &str = "permission";

/// A permission as it is stored; times in milliseconds since 1970.
pub(crate) struct PermissionRow {
    pub(crate) client: String,
    pub(crate) subject: String,
    pub(crate) origin: String,
    pub(crate) scope: Option<String>,
    pub(crate) grants: String,
    pub(crate) created_at: Option<i64>,
    pub(crate) expires_at: Option<i64>,
    pub(crate) text_version: Option<String>,
    pub(crate) last_used_at: Option<i64>,
    pub(crate) managed_by: Option<String>,
    pub(crate) revision: Revision,
}

impl PermissionRow {
    pub(crate) fn read(self) -> Result<Permission, Unreadable> {
        let PermissionId {
            client,
            subject,
            origin,
        } = id([&self.client, &self.subject, &self.origin])?;
        let scope = self.scope.map(|scope| Scope::parse(&scope)).transpose();
        let scope = scope.map_err(|error| unreadable(WHAT, error))?;
        let mut permission = Permission::new(client, subject, scope);
        permission.origin = origin;
        permission.grants = from_document(WHAT, &self.grants)?;
        permission.created_at = self.created_at.map(UnixTime::from_millis);
        permission.expires_at = self.expires_at.map(UnixTime::from_millis);
        permission.text_version = self.text_version;
        permission.last_used_at = self.last_used_at.map(UnixTime::from_millis);
        permission.managed_by = manager(self.managed_by)?;
        permission.revision = self.revision;
        Ok(permission)
    }
}

/// The name in the columns of client, subject and origin.
pub(crate) fn id([client, subject, origin]: [&str; 3]) -> Result<PermissionId, Unreadable> {
    let unknown = || unreadable(WHAT, format!("unknown origin {origin:?}"));
    Ok(PermissionId {
        client: ClientId::parse(client).map_err(|error| unreadable(WHAT, error))?,
        subject: SubjectId::parse(subject).map_err(|error| unreadable(WHAT, error))?,
        origin: Origin::from_name(origin).ok_or_else(unknown)?,
    })
}

pub(crate) fn scope(permission: &Permission) -> Option<String> {
    permission.scope.as_ref().map(Scope::to_string)
}

/// The grants as a document.
pub(crate) fn grants(permission: &Permission) -> String {
    let grants: &Vec<GrantType> = &permission.grants;
    serde_json::to_string(grants).expect("names are JSON")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> PermissionRow {
        PermissionRow {
            client: "a".to_owned(),
            subject: "b".to_owned(),
            origin: "person".to_owned(),
            scope: Some("read".to_owned()),
            grants: r#"["refresh_token"]"#.to_owned(),
            created_at: Some(5_000),
            expires_at: None,
            text_version: Some("1".to_owned()),
            last_used_at: None,
            managed_by: None,
            revision: Revision::new(3, 2),
        }
    }

    #[test]
    fn what_is_written_of_a_permission_is_what_was_read() {
        let permission = row().read().expect("a permission");
        assert_eq!(permission.origin, Origin::Person);
        assert_eq!(scope(&permission), row().scope);
        assert_eq!(grants(&permission), row().grants);
        assert_eq!(permission.created_at, Some(UnixTime::from_millis(5_000)));
        assert_eq!(permission.revision, Revision::new(3, 2));
    }

    #[test]
    fn a_permission_of_an_origin_that_nobody_knows_is_unreadable() {
        let unknown = PermissionRow {
            origin: "anybody".to_owned(),
            ..row()
        };
        let error = unknown.read().expect_err("nobody knows it");
        assert_eq!(
            error.to_string(),
            r#"stored permission cannot be read: unknown origin "anybody""#
        );
    }
}
