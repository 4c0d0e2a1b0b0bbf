//! What all registered things have in common.

use std::{fmt, hash::Hash};

use serde_json::{Value, json};

use super::{
    Client, ClientFilter, ClientKey, ClientSecret, CredentialId, Filter, IssuerFilter, Operator,
    OperatorFilter, Passkey, PasskeyFilter, Password, PasswordFilter, Permission, PermissionFilter,
    PermissionId, Revision, ScopeFilter, ScopeText, Subject, SubjectFilter, Trust, TrustFilter,
    TrustedIssuer, UploadedKey,
};
use crate::types::{ClientId, IssuerId, Name, ScopeToken, SubjectId};

/// Something that is registered under a name: a client, a subject, a permission.
pub trait Resource: Clone + fmt::Debug + Send + Sync + 'static {
    /// Its name, unique among those of its kind.
    type Id: ResourceId;

    /// Which of its kind are asked for.
    type Filter: Filter<Self>;

    /// The kind, as errors and records of changes say it.
    const NAME: &'static str;

    /// The name.
    fn id(&self) -> Self::Id;

    /// Which registration this is, and which state of it.
    fn revision(&self) -> Revision;

    /// The same registration, known to be this one: for backends.
    #[must_use]
    fn with_revision(self, revision: Revision) -> Self;

    /// The name under which files say what it is, if they do.
    fn managed_by(&self) -> Option<&Name> {
        None
    }

    /// All of its members, for the record of a change. Keys and secrets appear as fingerprints
    /// only.
    fn document(&self) -> Value;
}

/// The name of a resource.
pub trait ResourceId: Clone + fmt::Debug + Eq + Ord + Hash + Send + Sync + 'static {
    /// The name as one text, which no other name has.
    fn to_text(&self) -> String;

    /// The name of this text, if there is one.
    fn from_text(text: &str) -> Option<Self>;
}

/// Names that are texts.
macro_rules! texts {
    ($($id:ty),*) => {
        $(impl ResourceId for $id {
            fn to_text(&self) -> String {
                self.to_string()
            }

            fn from_text(text: &str) -> Option<Self> {
                Self::parse(text).ok()
            }
        })*
    };
}

texts!(
    ClientId,
    SubjectId,
    ScopeToken,
    IssuerId,
    Name,
    CredentialId
);

/// What resources with these members answer alike.
macro_rules! resource {
    ($kind:literal, $id:ident: $id_type:ty, $filter:ty) => {
        type Id = $id_type;
        type Filter = $filter;

        const NAME: &'static str = $kind;

        fn id(&self) -> Self::Id {
            self.$id.clone()
        }

        fn revision(&self) -> Revision {
            self.revision
        }

        fn with_revision(self, revision: Revision) -> Self {
            Self { revision, ..self }
        }
    };
}

/// The manager in the member of this name.
macro_rules! managed {
    () => {
        fn managed_by(&self) -> Option<&Name> {
            self.managed_by.as_ref()
        }
    };
}

impl Resource for TrustedIssuer {
    resource!("issuer", id: IssuerId, IssuerFilter);
    managed!();

    fn document(&self) -> Value {
        let fingerprint = |UploadedKey { key, added_at }: &UploadedKey| json!({"name": key.name(), "fingerprint": key.fingerprint(), "added_at": added_at, "expires_at": key.expires_at});
        let mut document = json!(self);
        if let Some(keys) = self.keys.uploaded() {
            document["keys"]["keys"] = keys.iter().map(fingerprint).collect();
        }
        document
    }
}

impl Resource for Trust {
    resource!("trust", name: Name, TrustFilter);
    managed!();

    fn document(&self) -> Value {
        json!(self)
    }
}

impl Resource for Client {
    type Id = ClientId;
    type Filter = ClientFilter;

    const NAME: &'static str = "client";

    fn id(&self) -> ClientId {
        self.metadata().id.clone()
    }

    fn revision(&self) -> Revision {
        Self::revision(self)
    }

    fn with_revision(self, revision: Revision) -> Self {
        Self::with_revision(self, revision)
    }

    fn managed_by(&self) -> Option<&Name> {
        self.metadata().managed_by.as_ref()
    }

    fn document(&self) -> Value {
        let key = |key: &ClientKey| json!({"name": key.name(), "fingerprint": key.fingerprint(), "expires_at": key.expires_at});
        let secret = |secret: &ClientSecret| json!({"fingerprint": secret.fingerprint(), "expires_at": secret.expires_at});
        let mut document = json!(self.metadata());
        document["keys"] = self.keys().iter().map(key).collect();
        document["secrets"] = self.secrets().iter().map(secret).collect();
        document
    }
}

impl Resource for Subject {
    resource!("subject", id: SubjectId, SubjectFilter);
    managed!();

    fn document(&self) -> Value {
        json!(self)
    }
}

impl Resource for Permission {
    type Id = PermissionId;
    type Filter = PermissionFilter;

    const NAME: &'static str = "permission";

    fn id(&self) -> PermissionId {
        Self::id(self)
    }

    fn revision(&self) -> Revision {
        self.revision
    }

    fn with_revision(self, revision: Revision) -> Self {
        Self { revision, ..self }
    }

    managed!();

    fn document(&self) -> Value {
        json!(self)
    }
}

impl Resource for ScopeText {
    resource!("scope", name: ScopeToken, ScopeFilter);
    managed!();

    fn document(&self) -> Value {
        json!(self)
    }
}

impl Resource for Operator {
    resource!("operator", subject: SubjectId, OperatorFilter);

    fn document(&self) -> Value {
        json!(self)
    }
}

impl Resource for Password {
    resource!("password", subject: SubjectId, PasswordFilter);

    /// Nothing of the digest, not even a fingerprint: it tells nothing that the time does not.
    fn document(&self) -> Value {
        json!({"subject": self.subject, "changed_at": self.changed_at})
    }
}

impl Resource for Passkey {
    resource!("passkey", credential: CredentialId, PasskeyFilter);

    fn document(&self) -> Value {
        json!({
            "credential": self.credential.as_str(),
            "subject": self.subject,
            "key": self.key.fingerprint(),
            "name": self.name,
            "created_at": self.created_at,
        })
    }
}
