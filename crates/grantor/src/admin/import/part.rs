//! A part of a document, and where it is: what is of another type than expected is said with its
//! place.

use std::borrow::Cow;

use grantor_jose::json::Value;

use super::LeftOut;

/// A part of a document. A member that is null is not there.
#[derive(Clone)]
pub(super) struct Part<'e> {
    pub value: &'e Value,
    pub pointer: String,
}

impl<'e> Part<'e> {
    pub fn whole(value: &'e Value) -> Self {
        Self {
            value,
            pointer: String::new(),
        }
    }

    /// The place of a member.
    pub fn place(&self, member: &str) -> String {
        let name = member.replace('~', "~0").replace('/', "~1");
        format!("{}/{name}", self.pointer)
    }

    /// What is wrong with a member, or can be done about it.
    pub fn left_out(&self, member: &str, why: impl Into<String>) -> LeftOut {
        LeftOut::new(self.place(member), why)
    }

    pub fn member(&self, name: &str) -> Option<Self> {
        let value = self.value.get(name).filter(|value| !value.is_null())?;
        Some(Self {
            value,
            pointer: self.place(name),
        })
    }

    /// The parts of an array; of none where it is not there.
    pub fn items(&self, member: &str) -> Result<Vec<Self>, LeftOut> {
        let Some(part) = self.member(member) else {
            return Ok(Vec::new());
        };
        let Value::Array(items) = part.value else {
            return Err(LeftOut::new(part.pointer, "expected an array"));
        };
        let item = |(place, value)| Self {
            value,
            pointer: format!("{}/{place}", part.pointer),
        };
        Ok(items.iter().enumerate().map(item).collect())
    }

    /// The object in a member; an empty one where it is not there.
    pub fn object(&self, member: &str) -> Result<Self, LeftOut> {
        static NOTHING: Value = Value::Null;
        match self.member(member) {
            Some(part) if part.value.is_object() => Ok(part),
            Some(part) => Err(LeftOut::new(part.pointer, "expected an object")),
            None => Ok(Self {
                value: &NOTHING,
                pointer: self.place(member),
            }),
        }
    }

    /// The part itself, as a text.
    pub fn own_text(&self) -> Result<&'e str, LeftOut> {
        let text = self.value.as_str();
        text.ok_or_else(|| LeftOut::new(&*self.pointer, "expected a text"))
    }

    /// A text; an empty one is none.
    pub fn text(&self, member: &str) -> Result<Option<&'e str>, LeftOut> {
        let Some(part) = self.member(member) else {
            return Ok(None);
        };
        part.own_text()
            .map(|text| Some(text).filter(|text| !text.is_empty()))
    }

    /// A setting, which may be a text, a number or a Boolean; an empty one is none.
    pub fn setting(&self, member: &str) -> Result<Option<Cow<'e, str>>, LeftOut> {
        let Some(part) = self.member(member) else {
            return Ok(None);
        };
        match part.value {
            Value::String(text) => Ok(Some(Cow::from(text)).filter(|text| !text.is_empty())),
            Value::Bool(value) => Ok(Some(value.to_string().into())),
            Value::Number(value) => Ok(Some(value.to_string().into())),
            _ => Err(LeftOut::new(part.pointer, "expected a text")),
        }
    }

    /// Whether it is so; what is not there is not.
    pub fn flag(&self, member: &str) -> Result<bool, LeftOut> {
        let wrong = || self.left_out(member, "expected true or false");
        match self.setting(member).map_err(|_| wrong())?.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(wrong()),
        }
    }
}
