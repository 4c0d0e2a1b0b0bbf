//! JSON as a security token may contain it: one object, no duplicate members at any level, bounded depth and member count.
//!
//! RFC 8259 leaves duplicates open and RFC 7519 §4 lets a parser take the last; two parsers that choose differently are an
//! attack, so duplicates are refused. serde_json does the grammar; this module adds the refusals.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
pub use serde_json::{Map, Value};

use crate::JsonError;

/// Deepest nesting of arrays and objects that is read, the outermost object counting 1.
pub const MAX_DEPTH: usize = 16;
/// Most members and array elements, all levels together.
pub const MAX_ITEMS: usize = 4096;

/// A JSON object without duplicate members.
pub type Object = Map<String, Value>;

/// Parses one UTF-8 JSON object that is the whole input.
///
/// # Errors
/// [`JsonError`] for anything that is not exactly one object, for duplicate members, and beyond [`MAX_DEPTH`] or
/// [`MAX_ITEMS`]. The caller caps the input's size.
pub fn parse_object(input: &[u8]) -> Result<Object, JsonError> {
    match parse(input)? {
        Value::Object(object) => Ok(object),
        _ => Err(JsonError::NotAnObject),
    }
}

/// Parses one UTF-8 JSON value that is the whole input, with the same refusals as [`parse_object`].
///
/// # Errors
/// [`JsonError`] as for [`parse_object`], any type of value allowed at the top.
pub fn parse(input: &[u8]) -> Result<Value, JsonError> {
    let budget = Budget { items: Cell::new(MAX_ITEMS), broken: Cell::new(None) };
    let mut deserializer = serde_json::Deserializer::from_slice(input);
    let parsed =
        Strict { budget: &budget, depth: 0 }.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    parsed.map_err(|_| budget.broken.take().unwrap_or(JsonError::Syntax))
}

/// What is left to spend, and which limit broke: serde's error type cannot carry ours through.
struct Budget {
    items: Cell<usize>,
    broken: Cell<Option<JsonError>>,
}

impl Budget {
    fn refuse<E: serde::de::Error>(&self, error: JsonError) -> E {
        self.broken.set(Some(error));
        E::custom("refused")
    }

    fn spend<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.items.get().checked_sub(1) {
            Some(left) => self.items.set(left),
            None => return Err(self.refuse(JsonError::TooManyItems)),
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
struct Strict<'a> {
    budget: &'a Budget,
    depth: usize,
}

impl Strict<'_> {
    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth {
            MAX_DEPTH => Err(self.budget.refuse(JsonError::TooDeep)),
            depth => Ok(Self { depth: depth + 1, ..self }),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(value) = access.next_element_seed(inner)? {
            self.budget.spend()?;
            array.push(value);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Object::new();
        while let Some(name) = access.next_key::<String>()? {
            self.budget.spend()?;
            if object.contains_key(&name) {
                return Err(self.budget.refuse(JsonError::DuplicateMember));
            }
            let value = access.next_value_seed(inner)?;
            object.insert(name, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(depth: usize) -> String {
        format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1))
    }

    #[test]
    fn refuses_duplicates_at_every_level_also_when_escaped() {
        assert!(parse_object(br#"{"a":1,"b":{"a":2}}"#).is_ok());
        for text in [r#"{"a":1,"a":1}"#, r#"{"a":1,"\u0061":2}"#, r#"{"b":[{"a":1,"a":2}]}"#] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn depth_and_items_are_bounded_at_the_limit() {
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(parse_object(nested(MAX_DEPTH + 1).as_bytes()), Err(JsonError::TooDeep));
        assert_eq!(parse_object(nested(100_000).as_bytes()), Err(JsonError::TooDeep));
        let array = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count - 1));
        assert!(parse_object(array(MAX_ITEMS - 1).as_bytes()).is_ok());
        assert_eq!(parse_object(array(MAX_ITEMS).as_bytes()), Err(JsonError::TooManyItems));
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        for text in ["[]", "\"x\"", "1", "null", "true"] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::NotAnObject), "{text}");
        }
        for text in ["", "{} {}", "{}x", "{\"a\":1,}", "{'a':1}", "{\"a\":NaN}", "\u{feff}{}", "{\"a\":1e400}", "{/**/}"] {
            assert_eq!(parse_object(text.as_bytes()), Err(JsonError::Syntax), "{text}");
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
    }

    proptest! {
        #[test]
        fn never_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&input);
        }

        #[test]
        fn agrees_with_serde_json_where_it_accepts(text in r#"[\[\]{}",:a0-9\\u ]{0,40}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).ok(), Some(value));
            }
        }
    }
}
