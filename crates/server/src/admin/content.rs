//! What bodies hold: read strictly, all that is wrong at once, and written by remote commands.

use std::marker::PhantomData;

use grantor::{
    admin::{Document, Fault, Patch},
    jose::{
        Algorithm,
        json::{self, Object, Value},
    },
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::json;

use super::{Problem, Slug};

/// The member that answers have, which says where the resource is.
pub const SELF: &str = "self";

/// Largest body in octets, where nothing else is said.
pub const LARGEST: usize = 64 * 1024;

/// What a body holds.
pub trait Content: Sized + Send + Sync + 'static {
    /// Its largest size in octets.
    const LARGEST: usize = LARGEST;
    /// Whether it is a merge patch, which has a media type of its own (RFC 7396 §4).
    const IS_PATCH: bool = false;

    /// Reads it.
    ///
    /// # Errors
    /// Why it is none: all that is wrong with it.
    fn read(octets: &[u8]) -> Result<Self, Problem>;

    /// As it is sent; `None` for no body.
    fn to_json(&self) -> Option<String>;

    /// What it may be; `None` for no body.
    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema>;
}

/// No body.
impl Content for () {
    const LARGEST: usize = 0;

    fn read(_: &[u8]) -> Result<Self, Problem> {
        Ok(())
    }

    fn to_json(&self) -> Option<String> {
        None
    }

    fn schema(_: &mut SchemaGenerator) -> Option<Schema> {
        None
    }
}

/// The members of a body.
///
/// # Errors
/// It is no JSON object, or has a member twice.
pub fn object(octets: &[u8]) -> Result<Object, Problem> {
    let object = json::parse_object(octets);
    let mut object = object.map_err(|error| {
        let fault = Fault::of_all(format!("{error}; write a JSON object"));
        Problem::at_fault(Slug::Malformed, vec![fault])
    })?;
    // What was answered may be sent back.
    object.remove(SELF);
    Ok(object)
}

/// Reads a document of these members.
///
/// # Errors
/// All faults.
pub fn document<D: Document>(object: Object) -> Result<D, Problem> {
    D::read(object).map_err(|faults| Problem::at_fault(Slug::Invalid, faults))
}

/// The members of a small body, each of which is read by itself: of what is wrong nothing is quoted.
pub struct Members {
    object: Object,
    faults: Vec<Fault>,
}

impl Members {
    /// Those of this body.
    ///
    /// # Errors
    /// As [`object`].
    pub fn read(octets: &[u8]) -> Result<Self, Problem> {
        Ok(Self {
            object: object(octets)?,
            faults: Vec::new(),
        })
    }

    /// A member that may be left out, or null.
    pub fn take<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.object.remove(name).filter(|value| !value.is_null())?;
        let read = read(&value);
        if read.is_none() {
            let fault = Fault::new(name, format!("expected {expected}"));
            self.faults.push(fault);
        }
        read
    }

    /// A member that has to be there.
    pub fn need<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        if self.object.get(name).is_none_or(Value::is_null) {
            self.object.remove(name);
            let fault = Fault::new(name, format!("missing; expected {expected}"));
            self.faults.push(fault);
            return None;
        }
        self.take(name, expected, read)
    }

    /// Succeeds if all members were read, and nothing is wrong with any.
    ///
    /// # Errors
    /// All faults.
    pub fn end(mut self) -> Result<(), Problem> {
        let unknown = self.object.keys();
        let unknown = unknown.map(|name| Fault::new(name, "unknown; leave it out"));
        self.faults.extend(unknown);
        match self.faults.is_empty() {
            true => Ok(()),
            false => Err(Problem::at_fault(Slug::Invalid, self.faults)),
        }
    }
}

/// Makes documents the bodies of operations.
macro_rules! bodies {
    ($($document:ty),* $(,)?) => {$(
        impl $crate::admin::Content for $document {
            fn read(octets: &[u8]) -> Result<Self, $crate::admin::Problem> {
                $crate::admin::content::document($crate::admin::content::object(octets)?)
            }

            fn to_json(&self) -> Option<String> {
                Some(serde_json::to_string(self).expect("documents have texts for keys"))
            }

            fn schema(schemas: &mut schemars::SchemaGenerator) -> Option<schemars::Schema> {
                Some(schemas.subschema_for::<Self>())
            }
        }
    )*};
}
pub(crate) use bodies;

/// The members that change, of documents of a kind (RFC 7396).
#[derive(Debug)]
pub struct PatchOf<D> {
    /// The members.
    pub patch: Patch,
    document: PhantomData<fn() -> D>,
}

impl<D> From<Patch> for PatchOf<D> {
    fn from(patch: Patch) -> Self {
        Self {
            patch,
            document: PhantomData,
        }
    }
}

impl<D: JsonSchema + 'static> Content for PatchOf<D> {
    const IS_PATCH: bool = true;

    fn read(octets: &[u8]) -> Result<Self, Problem> {
        Ok(Patch::of(object(octets)?).into())
    }

    fn to_json(&self) -> Option<String> {
        Some(json!(self.patch.members()).to_string())
    }

    /// The document's, of which every member may be left out, and null for its default.
    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let name = format!("{}Patch", D::schema_name());
        let mut schema = D::json_schema(schemas);
        schema.remove("required");
        if let Some(Value::Object(members)) = schema.get_mut("properties") {
            for member in members.values_mut() {
                *member = or_null(member.take());
            }
        }
        schema.insert("title".to_owned(), name.into());
        Some(schema)
    }
}

/// The algorithm of a key pair that is to be made.
///
/// # Errors
/// The member names none for which there are key pairs.
pub fn algorithm(member: &str, name: &Value) -> Result<Algorithm, Problem> {
    let algorithm = name.as_str().and_then(Algorithm::from_name);
    algorithm
        .filter(|algorithm| !algorithm.is_mac())
        .ok_or_else(|| {
            let fault = Fault::new(member, "expected ES256, RS256, PS256, ES384 or Ed25519");
            Problem::at_fault(Slug::Invalid, vec![fault])
        })
}

/// What [`algorithm`] reads, where it may be left out.
pub fn algorithm_schema(description: &str) -> Value {
    or_null(json!({"type": "string", "description": description, "examples": ["ES256", "RS256"]}))
}

/// The schema of a member that may be null, as if it were left out.
pub fn or_null(schema: impl Into<Value>) -> Value {
    json!({"anyOf": [schema.into(), {"type": "null"}]})
}
