//! JSON as a security token may contain it: one object, no duplicate members at any level, bounded
//! depth and member count.
//!
//! RFC 8259 leaves duplicates open and RFC 7519 §4 lets a parser take the last; two parsers that
//! choose differently are an attack, so duplicates are refused. serde_json does the grammar; this
//! module adds the refusals.

use std::{borrow::Cow, cell::Cell, fmt, marker::PhantomData};

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
/// [`JsonError`] for anything that is not exactly one object, for duplicate members, and beyond
/// [`MAX_DEPTH`] or [`MAX_ITEMS`]. The caller caps the input's size.
pub fn parse_object(input: &[u8]) -> Result<Object, JsonError> {
    members(input).map(Object::from)
}

/// Parses one UTF-8 JSON value that is the whole input, with the same refusals as [`parse_object`].
///
/// # Errors
/// [`JsonError`] as for [`parse_object`], any type of value allowed at the top.
pub fn parse(input: &[u8]) -> Result<Value, JsonError> {
    let budget = Budget::full();
    budget
        .read(input, Strict::outermost(&budget))
        .map(Value::from)
}

/// As [`parse_object`], for a document of an operator that has this many members and array elements
/// at most.
///
/// # Errors
/// [`JsonError`] as for [`parse_object`], beyond `max_items` instead of [`MAX_ITEMS`].
pub fn parse_large_object(input: &[u8], max_items: usize) -> Result<Object, JsonError> {
    let budget = Budget::of(max_items);
    let outermost = Outermost(Strict::outermost(&budget), PhantomData::<Members<'_>>);
    budget.read(input, outermost).map(Object::from)
}

/// As [`parse_object`], for whoever needs a few members of it: what has no escapes stays in the
/// input.
pub(crate) fn members(input: &[u8]) -> Result<Members<'_>, JsonError> {
    gather(input)
}

/// As [`members`], for whoever has a place for each.
pub(crate) fn gather<'a, G: Gather<'a>>(input: &'a [u8]) -> Result<G, JsonError> {
    let budget = Budget::full();
    let gathered = budget.read(input, Outermost(Strict::outermost(&budget), PhantomData));
    // What is no object may be no JSON either.
    gathered.map_err(|error| {
        if error == JsonError::NotAnObject {
            parse(input).err().unwrap_or(error)
        } else {
            error
        }
    })
}

/// What is made of an object's members, in the order they were sent.
pub(crate) trait Gather<'a>: Default {
    /// Takes the next member.
    fn take(&mut self, name: Cow<'a, str>, node: Node<'a>);

    /// Whether two had the same name.
    fn has_duplicates(&self) -> bool;
}

/// A JSON value whose texts are borrowed from the input where they have no escapes.
pub(crate) enum Node<'a> {
    /// `null`, a Boolean or a number.
    Scalar(Value),
    Text(Cow<'a, str>),
    Array(Vec<Node<'a>>),
    Object(Members<'a>),
}

impl Node<'_> {
    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// The members of an object, each name once, in the order they were sent.
pub(crate) struct Members<'a>(Vec<(Cow<'a, str>, Node<'a>)>);

impl Default for Members<'_> {
    /// With room for what headers and keys usually have.
    fn default() -> Self {
        Self(Vec::with_capacity(8))
    }
}

impl<'a> Members<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&Node<'a>> {
        self.0
            .iter()
            .find(|member| member.0 == name)
            .map(|member| &member.1)
    }

    /// The text of this member, `None` if there is no such member, the error if it is something
    /// else.
    pub(crate) fn text<E>(&self, name: &str, wrong_type: E) -> Result<Option<&str>, E> {
        self.get(name)
            .map(|node| node.as_text().ok_or(wrong_type))
            .transpose()
    }
}

impl<'a> Gather<'a> for Members<'a> {
    fn take(&mut self, name: Cow<'a, str>, node: Node<'a>) {
        self.0.push((name, node));
    }

    fn has_duplicates(&self) -> bool {
        has_duplicates(&self.0)
    }
}

/// More names than this are sorted to find one that is repeated; fewer are compared each with each.
const FEW: usize = 16;

/// Whether two of these members have the same name.
pub(crate) fn has_duplicates<N: AsRef<str>, V>(members: &[(N, V)]) -> bool {
    if members.len() <= FEW {
        let name = |at: usize| members[at].0.as_ref();
        return (1..members.len()).any(|at| (0..at).any(|earlier| name(earlier) == name(at)));
    }
    let mut names: Vec<&str> = members.iter().map(|(name, _)| name.as_ref()).collect();
    names.sort_unstable();
    names.windows(2).any(|pair| pair[0] == pair[1])
}

impl<'a> IntoIterator for Members<'a> {
    type Item = (Cow<'a, str>, Node<'a>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<Members<'_>> for Object {
    fn from(members: Members<'_>) -> Self {
        members
            .into_iter()
            .map(|(name, node)| (name.into_owned(), node.into()))
            .collect()
    }
}

impl From<Node<'_>> for Value {
    fn from(node: Node<'_>) -> Self {
        match node {
            Node::Scalar(value) => value,
            Node::Text(text) => Self::String(text.into_owned()),
            Node::Array(nodes) => Self::Array(nodes.into_iter().map(Self::from).collect()),
            Node::Object(members) => Self::Object(members.into()),
        }
    }
}

/// What is left to spend, and which limit broke: serde's error type cannot carry ours through.
struct Budget {
    items: Cell<usize>,
    broken: Cell<Option<JsonError>>,
}

impl Budget {
    fn full() -> Self {
        Self::of(MAX_ITEMS)
    }

    fn of(items: usize) -> Self {
        Self {
            items: Cell::new(items),
            broken: Cell::new(None),
        }
    }

    /// Reads what `seed`, which spends this budget, is for.
    fn read<'a, S: DeserializeSeed<'a>>(
        &self,
        input: &'a [u8],
        seed: S,
    ) -> Result<S::Value, JsonError> {
        let text = str::from_utf8(input).map_err(|_| JsonError::Syntax)?;
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let read = seed
            .deserialize(&mut deserializer)
            .and_then(|value| deserializer.end().map(|()| value));
        read.map_err(|error| match self.broken.take() {
            Some(broken) => broken,
            // An error of data that is none of ours: `Outermost` has met another type of value.
            None if error.is_data() => JsonError::NotAnObject,
            None => JsonError::Syntax,
        })
    }

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

impl<'a> Strict<'a> {
    fn outermost(budget: &'a Budget) -> Self {
        Self { budget, depth: 0 }
    }

    fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth {
            MAX_DEPTH => Err(self.budget.refuse(JsonError::TooDeep)),
            depth => Ok(Self {
                depth: depth + 1,
                ..self
            }),
        }
    }

    fn gather<'de, G: Gather<'de>, A: MapAccess<'de>>(
        self,
        mut gathered: G,
        mut access: A,
    ) -> Result<G, A::Error> {
        let inner = self.deeper()?;
        while let Some(name) = access.next_key_seed(Name)? {
            self.budget.spend()?;
            gathered.take(name, access.next_value_seed(inner)?);
        }
        match gathered.has_duplicates() {
            true => Err(self.budget.refuse(JsonError::DuplicateMember)),
            false => Ok(gathered),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node<'de>, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Node<'de>, E> {
        Ok(Node::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node<'de>, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(node) = access.next_element_seed(inner)? {
            self.budget.spend()?;
            array.push(node);
        }
        Ok(Node::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<Node<'de>, A::Error> {
        // No room in advance: there may be thousands of these.
        self.gather(Members(Vec::new()), access).map(Node::Object)
    }
}

/// Reads an object, and nothing else, into a `G`.
struct Outermost<'b, G>(Strict<'b>, PhantomData<G>);

impl<'de, G: Gather<'de>> DeserializeSeed<'de> for Outermost<'_, G> {
    type Value = G;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<G, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de, G: Gather<'de>> Visitor<'de> for Outermost<'_, G> {
    type Value = G;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<G, A::Error> {
        self.0.gather(G::default(), access)
    }
}

/// Reads a member's name: borrowed where it can be, which serde's own reading of a `Cow` is not.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn nested(depth: usize) -> String {
        format!(
            "{{\"a\":{}{}}}",
            "[".repeat(depth - 1),
            "]".repeat(depth - 1)
        )
    }

    #[test]
    fn refuses_duplicates_at_every_level_also_when_escaped() {
        assert!(parse_object(br#"{"a":1,"b":{"a":2}}"#).is_ok());
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"b":[{"a":1,"a":2}]}"#,
        ] {
            assert_eq!(
                parse_object(text.as_bytes()),
                Err(JsonError::DuplicateMember),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_duplicates_among_few_members_and_among_many() {
        for count in [2, FEW, FEW + 1, 1000] {
            let names = |last: usize| {
                (1..count)
                    .chain([last])
                    .map(|name| format!("\"{name}\":0"))
                    .collect::<Vec<_>>()
                    .join(",")
            };
            assert_eq!(
                parse_object(format!("{{{}}}", names(count)).as_bytes()).map(|object| object.len()),
                Ok(count)
            );
            for earlier in [1, count.div_ceil(2), count - 1] {
                let text = format!("{{{}}}", names(earlier));
                assert_eq!(
                    parse_object(text.as_bytes()),
                    Err(JsonError::DuplicateMember),
                    "{earlier} of {count}"
                );
            }
        }
    }

    #[test]
    fn depth_and_items_are_bounded_at_the_limit() {
        assert!(parse_object(nested(MAX_DEPTH).as_bytes()).is_ok());
        assert_eq!(
            parse_object(nested(MAX_DEPTH + 1).as_bytes()),
            Err(JsonError::TooDeep)
        );
        assert_eq!(
            parse_object(nested(100_000).as_bytes()),
            Err(JsonError::TooDeep)
        );
        let array = |count: usize| format!("{{\"a\":[{}0]}}", "0,".repeat(count - 1));
        assert!(parse_object(array(MAX_ITEMS - 1).as_bytes()).is_ok());
        assert_eq!(
            parse_object(array(MAX_ITEMS).as_bytes()),
            Err(JsonError::TooManyItems)
        );
    }

    #[test]
    fn refuses_what_is_not_one_object() {
        for text in ["[]", "\"x\"", "1", "null", "true"] {
            assert_eq!(
                parse_object(text.as_bytes()),
                Err(JsonError::NotAnObject),
                "{text}"
            );
        }
        for text in [
            "",
            "{} {}",
            "{}x",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{\"a\":1e400}",
            "{/**/}",
        ] {
            assert_eq!(
                parse_object(text.as_bytes()),
                Err(JsonError::Syntax),
                "{text}"
            );
        }
        assert_eq!(parse_object(b"{\"a\":\"\xff\"}"), Err(JsonError::Syntax));
        for text in ["[", "[1,]", "[] x", "1 2", "\"a", "nul"] {
            assert_eq!(
                parse_object(text.as_bytes()),
                Err(JsonError::Syntax),
                "{text:?}"
            );
        }
        assert_eq!(
            parse_object(br#"[{"a":1,"a":2}]"#),
            Err(JsonError::DuplicateMember)
        );
        assert_eq!(
            parse_object("[".repeat(100_000).as_bytes()),
            Err(JsonError::TooDeep)
        );
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
