//! What operators do with subjects.

use grantor_jose::json::Object;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Error, Fault, Named, Patch, Standing,
    document::{Document, time},
    error::none_of,
    manager::fault_of_manager,
    name, yes,
};
use crate::{
    clock::UnixTime,
    registry::{Actor, Revision, Subject, SubjectFilter},
    storage::{Cursor, Page, Registry},
    types::{DisplayName, Language, Name, SubjectId},
};

/// What is registered about a subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct SubjectDocument {
    /// The value of `sub`.
    pub id: SubjectId,
    /// Whether tokens are issued about it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// What operators call it; its id if absent. Lists find it by either.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<DisplayName>,
    /// In which language it wants to be addressed: for programs that do. Pages go by the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Language>,
    /// When it was registered (RFC 3339); null if nobody has kept that. Not read.
    #[serde(default, with = "time::optional")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<String>"))]
    pub created_at: Option<UnixTime>,
    /// The name under which files say what it is. Only `apply` sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub managed_by: Option<Name>,
    /// The state that it shows. Not a member: HTTP has it as `ETag`.
    #[serde(skip)]
    #[cfg_attr(feature = "schema", schemars(skip))]
    pub revision: Revision,
}

impl Document for SubjectDocument {
    fn least() -> Object {
        Object::from_iter([("id".to_owned(), json!("x"))])
    }
}

impl SubjectDocument {
    /// An enabled subject.
    pub fn new(id: SubjectId) -> Self {
        Self {
            id,
            enabled: true,
            display_name: None,
            language: None,
            created_at: None,
            managed_by: None,
            revision: Revision::default(),
        }
    }

    /// What is registered about this subject.
    pub fn of(subject: &Subject) -> Self {
        Self {
            id: subject.id.clone(),
            enabled: subject.enabled,
            display_name: subject.display_name.clone(),
            language: subject.language,
            created_at: subject.created_at,
            managed_by: subject.managed_by.clone(),
            revision: subject.revision,
        }
    }

    /// Reads a document strictly: what is unknown in it, or there twice, is refused.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn parse(text: &[u8]) -> Result<Self, Error> {
        Ok(Self::parse_document(text)?)
    }

    /// This document with the members that the patch names; one that is null there has its default.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn with(&self, patch: &Patch) -> Result<Self, Error> {
        Ok(self.patched(patch)?)
    }

    /// Whether a subject can be registered so: before a store is asked.
    ///
    /// # Errors
    /// [`Error::Invalid`]
    pub fn check(&self) -> Result<(), Error> {
        let fault = name::fault_of("id", self.id.as_str());
        none_of(Vec::from_iter(fault))
    }

    /// The subject that it registers, with this time of registration.
    pub(super) fn subject(self, created_at: UnixTime) -> Subject {
        Subject {
            enabled: self.enabled,
            display_name: self.display_name,
            language: self.language,
            managed_by: self.managed_by,
            ..Subject::new(self.id).registered_at(created_at)
        }
    }
}

/// The subjects of a registry.
#[derive(Clone, Copy)]
pub struct Subjects<'a> {
    registry: &'a dyn Registry<Subject>,
    now: UnixTime,
}

impl<'a> Subjects<'a> {
    /// Those of this registry, at this time.
    pub fn new(registry: &'a dyn Registry<Subject>, now: UnixTime) -> Self {
        Self { registry, now }
    }

    /// At most `limit` subjects in the order of their names. A page may be shorter although there is
    /// a next one.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a cursor that is none, [`Error::Store`]
    pub async fn page(
        &self,
        filter: &SubjectFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SubjectDocument>, Error> {
        let page = self.registry.page(filter, after, limit).await?;
        Ok(page.map(|subject| SubjectDocument::of(&subject)))
    }

    /// One subject.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn get(&self, id: &SubjectId) -> Result<SubjectDocument, Error> {
        let subject = self.registry.get(id).await?;
        subject
            .map(|subject| SubjectDocument::of(&subject))
            .ok_or_else(|| Error::NotFound(Named::Subject(id.clone())))
    }

    /// Registers a subject.
    ///
    /// # Errors
    /// [`Error::Invalid`], [`Error::Exists`] also for a client of this name, [`Error::Store`]
    pub async fn create(
        &self,
        document: SubjectDocument,
        by: &Actor,
    ) -> Result<SubjectDocument, Error> {
        document.check()?;
        none_of(Vec::from_iter(fault_of_manager(
            &document.managed_by,
            &None,
        )))?;
        let id = document.id.clone();
        let created = self.registry.create(document.subject(self.now), by).await;
        let created = created.map_err(|error| Error::from(error).about(Named::Subject(id)))?;
        Ok(SubjectDocument::of(&created))
    }

    /// Replaces the members that the patch names; one that is null there has its default.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Invalid`], [`Error::Conflict`], [`Error::Store`]
    pub async fn update(
        &self,
        id: &SubjectId,
        patch: &Patch,
        by: &Actor,
    ) -> Result<SubjectDocument, Error> {
        let patched = |subject: &Subject| with_patch(subject, patch);
        let changed = self.registry.change(id, by, patched).await;
        let changed = changed.map_err(|error| error.about(Named::Subject(id.clone())))?;
        Ok(SubjectDocument::of(&changed))
    }

    /// Enables or disables a subject.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Conflict`], [`Error::Store`]
    pub async fn set_standing(
        &self,
        id: &SubjectId,
        standing: Standing,
        by: &Actor,
    ) -> Result<SubjectDocument, Error> {
        let change = |subject: &Subject| {
            Ok::<_, Error>(match standing {
                Standing::Enabled => subject.clone().enabled(),
                Standing::Disabled => subject.clone().disabled(),
            })
        };
        let changed = self.registry.change(id, by, change).await;
        let changed = changed.map_err(|error| error.about(Named::Subject(id.clone())))?;
        Ok(SubjectDocument::of(&changed))
    }

    /// Removes a subject with all permissions for it.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Store`]
    pub async fn delete(&self, id: &SubjectId, by: &Actor) -> Result<(), Error> {
        let deleted = self.registry.delete(id, by).await;
        deleted.map_err(|error| Error::from(error).about(Named::Subject(id.clone())))
    }
}

/// The subject with the members of a patch.
fn with_patch(subject: &Subject, patch: &Patch) -> Result<Subject, Error> {
    let before = SubjectDocument::of(subject);
    let after = before.patched(patch)?;
    let seconds = |at: Option<UnixTime>| at.map(UnixTime::seconds);
    let is_same_time = seconds(after.created_at) == seconds(before.created_at);
    let members = [("id", after.id == before.id), ("created_at", is_same_time)];
    let changed = members.into_iter().filter(|(_, is_same)| !is_same);
    let mut faults: Vec<_> = changed
        .map(|(member, _)| Fault::new(member, "does not change; leave it out"))
        .collect();
    faults.extend(fault_of_manager(&after.managed_by, &before.managed_by));
    none_of(faults)?;
    Ok(Subject {
        enabled: after.enabled,
        display_name: after.display_name,
        language: after.language,
        ..subject.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{MemoryStore, Registries as _};

    const NOW: UnixTime = UnixTime::from_millis(1_800_000_000_000);

    fn id(name: &str) -> SubjectId {
        SubjectId::parse(name).expect("a name")
    }

    #[tokio::test]
    async fn a_subject_is_registered_disabled_and_removed() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let subjects = Subjects::new(store.subjects(), NOW);
        let (alice, new) = (id("alice"), || SubjectDocument::new(id("alice")));
        let made = subjects.create(new(), &by).await.expect("registered");
        assert!(made.enabled && made.created_at == Some(NOW));
        let text = serde_json::to_vec(&made).expect("JSON");
        let read = SubjectDocument::parse(&text).expect("a document");
        assert_eq!(json!(read), json!(made));
        let again = subjects
            .create(new(), &by)
            .await
            .expect_err("registered already");
        assert!(matches!(again, Error::Exists(Named::Subject(_))));
        for (standing, is_enabled) in [(Standing::Disabled, false), (Standing::Enabled, true)] {
            let changed = subjects.set_standing(&alice, standing, &by).await;
            assert_eq!(changed.expect("changed").enabled, is_enabled);
            let read = subjects.get(&alice).await.expect("registered");
            assert_eq!(read.enabled, is_enabled);
        }
        subjects.delete(&alice, &by).await.expect("removed");
        for error in [
            subjects.get(&alice).await.expect_err("removed"),
            subjects.delete(&alice, &by).await.expect_err("removed"),
            subjects
                .set_standing(&alice, Standing::Enabled, &by)
                .await
                .expect_err("removed"),
        ] {
            assert!(matches!(error, Error::NotFound(Named::Subject(name)) if name == alice));
        }
    }

    #[tokio::test]
    async fn m010_a_subject_is_called_otherwise_and_reads_another_language() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let subjects = Subjects::new(store.subjects(), NOW);
        let text = br#"{"id":"alice","display_name":"Alice","language":"fr"}"#;
        let document = SubjectDocument::parse(text).expect("a document");
        let made = subjects.create(document, &by).await.expect("registered");
        assert_eq!(made.language, Some(Language::French));
        let patch = |text: &str| Patch::parse(text.as_bytes()).expect("a patch");
        for (text, name, language) in [
            (
                r#"{"language":"en"}"#,
                Some("Alice"),
                Some(Language::English),
            ),
            (
                r#"{"display_name":"A."}"#,
                Some("A."),
                Some(Language::English),
            ),
            (r#"{"display_name":null,"language":null}"#, None, None),
        ] {
            let changed = subjects.update(&id("alice"), &patch(text), &by).await;
            let changed = changed.expect("changed");
            let called = changed.display_name.as_ref().map(DisplayName::as_str);
            assert_eq!((called, changed.language), (name, language), "{text}");
        }
        for (wrong, pointer) in [
            (r#"{"language":"de"}"#, "/language"),
            (r#"{"language":"FR"}"#, "/language"),
            (r#"{"display_name":""}"#, "/display_name"),
            (r#"{"display_name":7}"#, "/display_name"),
        ] {
            let refused = subjects.update(&id("alice"), &patch(wrong), &by).await;
            let Err(Error::Invalid(faults)) = refused else {
                unreachable!("{wrong}: {refused:?}");
            };
            assert_eq!(faults[0].pointer, pointer, "{wrong}");
        }
    }

    #[tokio::test]
    async fn no_subject_has_a_name_that_a_path_reads_otherwise() {
        let (store, by) = (MemoryStore::new(), Actor::program("test"));
        let subjects = Subjects::new(store.subjects(), NOW);
        for (name, is_taken) in [(".", false), ("..", false), ("~a", false), ("a~", true)] {
            let created = subjects.create(SubjectDocument::new(id(name)), &by).await;
            assert_eq!(created.is_ok(), is_taken, "{name}");
        }
        let page = subjects.page(&SubjectFilter::default(), None, 50).await;
        assert_eq!(page.expect("a page").items.len(), 1);
    }
}
