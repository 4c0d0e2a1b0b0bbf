//! Which names are registered.

use super::Fault;

/// What is wrong with the name of a new client or subject, which stands in the member `member`: the
/// path `.` or `..` leads elsewhere, and `~` begins a name in base64url (`~` and more).
pub(super) fn fault_of(member: &str, name: &str) -> Option<Fault> {
    let detail = match name {
        "." | ".." => "is a step in a path",
        _ if name.starts_with('~') => "begins with ~, as names in base64url do in paths",
        _ => return None,
    };
    let detail = format!("the name {name} {detail}; choose another one");
    Some(Fault::new(member, detail))
}
