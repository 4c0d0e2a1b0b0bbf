//! Strict JSON: what is accepted is what serde_json reads, without duplicates and within the
//! limits; what is refused was to be.

#![no_main]

use grantor::jose::{
    JsonError,
    json::{self, MAX_DEPTH, MAX_ITEMS, Value},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let lax = serde_json::from_slice::<Value>(input).ok();
    let shape = Shape::of_text(input);
    match (json::parse(input), lax) {
        (Ok(value), lax) => {
            assert_eq!(
                Some(&value),
                lax.as_ref(),
                "another value than serde_json's"
            );
            assert_eq!(Shape::of_value(&value), shape, "a member was lost");
            assert!(
                shape.depth <= MAX_DEPTH && shape.members + shape.elements <= MAX_ITEMS,
                "{shape:?}"
            );
            reads_back(&value);
        }
        (Err(JsonError::DuplicateMember), Some(lax)) => {
            assert!(Shape::of_value(&lax).members < shape.members);
            let deep = [&b"[[[[[[[["[..], input, b"]]]]]]]]"].concat();
            assert!(
                json::parse(&deep).is_err(),
                "a duplicate was overlooked further down"
            );
        }
        (Err(JsonError::TooDeep), Some(_)) => assert!(shape.depth > MAX_DEPTH, "{shape:?}"),
        (Err(JsonError::TooManyItems), Some(_)) => {
            assert!(shape.members + shape.elements > MAX_ITEMS, "{shape:?}")
        }
        (Err(error), Some(_)) => panic!("{error} of what serde_json reads"),
        (Err(_), None) => (),
    }
    let is_object = matches!(json::parse(input), Ok(Value::Object(_)));
    assert_eq!(json::parse_object(input).is_ok(), is_object);
});

/// Written and read again, the value is the same; fractions may move in their last bits, which
/// serde_json does not promise.
fn reads_back(value: &Value) {
    let again = json::parse(value.to_string().as_bytes()).expect("what serde_json writes");
    assert!(is_close(value, &again), "{value} became {again}");
}

fn is_close(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_close(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| is_close(a, b)))
        }
        (Value::Number(a), Value::Number(b)) if a.is_f64() => {
            let (Some(a), Some(b)) = (a.as_f64(), b.as_f64()) else {
                return false;
            };
            (a - b).abs() <= a.abs() * 8.0 * f64::EPSILON
        }
        _ => a == b,
    }
}

/// How much there is in a JSON text, counted without parsing it.
#[derive(Debug, PartialEq)]
struct Shape {
    depth: usize,
    members: usize,
    elements: usize,
}

impl Shape {
    /// Outside strings, every member has a colon. A list that is not empty has one element more
    /// than commas.
    fn of_text(text: &[u8]) -> Self {
        let mut shape = Self {
            depth: 0,
            members: 0,
            elements: 0,
        };
        let (mut open, mut in_string, mut escaped, mut list_begins) =
            (Vec::new(), false, false, false);
        for &octet in text {
            if in_string {
                in_string = escaped || octet != b'"';
                escaped = !escaped && octet == b'\\';
                continue;
            }
            let is_space = b" \t\r\n".contains(&octet);
            if list_begins && !is_space && octet != b']' {
                shape.elements += 1;
            }
            list_begins = octet == b'[' || (list_begins && is_space);
            match octet {
                b'"' => in_string = true,
                b':' => shape.members += 1,
                b',' if open.last() == Some(&b'[') => shape.elements += 1,
                b'[' | b'{' => open.push(octet),
                b']' | b'}' => drop(open.pop()),
                _ => (),
            }
            shape.depth = shape.depth.max(open.len());
        }
        shape
    }

    fn of_value(value: &Value) -> Self {
        let (inner, members, elements): (Vec<Self>, usize, usize) = match value {
            Value::Array(values) => (values.iter().map(Self::of_value).collect(), 0, values.len()),
            Value::Object(values) => (
                values.values().map(Self::of_value).collect(),
                values.len(),
                0,
            ),
            _ => {
                return Self {
                    depth: 0,
                    members: 0,
                    elements: 0,
                };
            }
        };
        Self {
            depth: 1 + inner.iter().map(|shape| shape.depth).max().unwrap_or(0),
            members: members + inner.iter().map(|shape| shape.members).sum::<usize>(),
            elements: elements + inner.iter().map(|shape| shape.elements).sum::<usize>(),
        }
    }
}
