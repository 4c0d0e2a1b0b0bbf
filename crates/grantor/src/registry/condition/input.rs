//! The claims of a JWT as the values that conditions read.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use cel::{
    ExecutionError,
    common::{
        traits::{Container, Indexer},
        types::{
            CelBool, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelNull, CelString, CelUInt,
            MAP_TYPE, Type,
        },
        value::{CowVal, Val},
    },
};
use grantor_jose::{AudienceClaim, Claims, NumericDate, SmolStr, json::Value};

use crate::types::whole_seconds;

/// The claims of one JWT, of which each is read when the first condition asks for it.
///
/// They are what the JWT says, and nothing in them is ever read as part of a condition.
#[derive(Debug)]
pub struct ConditionInput<'c> {
    pub(super) claims: &'c Claims,
    /// One for each registered claim, then one for each other.
    values: OnceLock<Vec<OnceLock<Option<Owned<'c>>>>>,
}

type Owned<'c> = Box<dyn Val + 'c>;

/// What the name of a claim that is not there begins with, in errors. No other name does: members of
/// claims are shown.
pub(super) const NO_CLAIM: &str = "\u{0}";

/// The claims that have a field in [`Claims`].
const REGISTERED: [&str; 7] = ["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

impl<'c> ConditionInput<'c> {
    /// These claims.
    pub fn new(claims: &'c Claims) -> Self {
        let values = OnceLock::new();
        Self { claims, values }
    }

    fn value(&self, name: &str) -> Option<&(dyn Val + 'c)> {
        let slots = || {
            let count = REGISTERED.len() + self.claims.other.iter().len();
            (0..count).map(|_| OnceLock::new()).collect()
        };
        let slots = self.values.get_or_init(slots);
        let registered = REGISTERED.iter().position(|known| *known == name);
        if let Some(place) = registered {
            return slots[place]
                .get_or_init(|| self.registered(name))
                .as_deref();
        }
        let mut others = self.claims.other.iter().enumerate();
        let (place, (_, value)) = others.find(|(_, (known, _))| *known == name)?;
        slots[REGISTERED.len() + place]
            .get_or_init(|| Some(read(value)))
            .as_deref()
    }

    fn registered(&self, name: &str) -> Option<Owned<'c>> {
        let claims = self.claims;
        match name {
            "iss" => claims.issuer.as_ref().map(text),
            "sub" => claims.subject.as_ref().map(text),
            "jti" => claims.token_id.as_ref().map(text),
            "aud" => claims.audience.as_ref().map(|audience| match audience {
                AudienceClaim::One(value) => text(value),
                AudienceClaim::Many(values) => {
                    Box::new(CelList::from(values.iter().map(text).collect::<Vec<_>>()))
                }
            }),
            "exp" => claims.expires.map(number),
            "nbf" => claims.not_before.map(number),
            "iat" => claims.issued_at.map(number),
            _ => None,
        }
    }
}

fn text(text: &SmolStr) -> Owned<'_> {
    Box::new(CelString::from(text.as_str()))
}

fn number<'c>(time: NumericDate) -> Owned<'c> {
    match whole_seconds(time) {
        Some(seconds) => Box::new(CelInt::from(seconds)),
        None => Box::new(CelDouble::from(time.seconds())),
    }
}

fn read(value: &Value) -> Owned<'_> {
    match value {
        Value::Null => Box::new(CelNull),
        Value::Bool(boolean) => Box::new(CelBool::from(*boolean)),
        Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Box::new(CelInt::from(number)),
            (None, Some(number)) => Box::new(CelUInt::from(number)),
            (None, None) => Box::new(CelDouble::from(number.as_f64().unwrap_or(f64::NAN))),
        },
        Value::String(text) => Box::new(CelString::from(text.as_str())),
        Value::Array(members) => {
            Box::new(CelList::from(members.iter().map(read).collect::<Vec<_>>()))
        }
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| {
                (
                    CelMapKey::String(CelString::from(name.as_str())),
                    read(value),
                )
            });
            Box::new(CelMap::from(members.collect::<HashMap<_, _>>()))
        }
    }
}

/// The name `assertion`: a map of which a condition reads members by name, and which it asks
/// whether it has one. It does nothing else with it, so that nothing else is here.
#[derive(Debug)]
pub(super) struct Assertion<'i, 'c>(pub &'i ConditionInput<'c>);

impl Val for Assertion<'_, '_> {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &MAP_TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
    where
        Self: 'v,
    {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
    where
        Self: 'v,
    {
        Box::new(Self(self.0))
    }
}

impl Container for Assertion<'_, '_> {
    fn contains(&self, name: &dyn Val) -> Result<bool, ExecutionError> {
        let name = name.downcast_ref::<CelString>();
        Ok(name.is_some_and(|name| self.0.value(name.inner()).is_some()))
    }
}

impl Indexer for Assertion<'_, '_> {
    fn get<'b, 'v>(&'b self, name: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
    where
        Self: 'v,
    {
        let name = name
            .downcast_ref::<CelString>()
            .map_or("", |name| name.inner());
        match self.0.value(name) {
            Some(value) => Ok(CowVal::Borrowed(value)),
            None => Err(ExecutionError::NoSuchKey(Arc::new(format!(
                "{NO_CLAIM}{name}"
            )))),
        }
    }

    fn steal<'v>(self: Box<Self>, name: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
    where
        Self: 'v,
    {
        self.get(name).map(CowVal::into_owned)
    }
}
