//! What is in a request of OTLP: protocol buffers, read field by field. A field that is not known here is
//! a failure, so that nothing is sent which is not looked at.

use std::collections::BTreeMap;

/// What is said of something, by names.
pub type Attributes = BTreeMap<String, String>;

/// The spans of one resource.
#[derive(Debug)]
pub struct Export {
    pub resource: Attributes,
    pub scope: String,
    pub spans: Vec<Span>,
}

#[derive(Debug)]
pub struct Span {
    pub name: String,
    pub attributes: Attributes,
}

/// What `ExportTraceServiceRequest` has.
pub fn read(request: &[u8]) -> Vec<Export> {
    let exports = fields(request).into_iter().map(|field| match field {
        (1, Value::Octets(resource_spans)) => export(resource_spans),
        other => unknown("request", &other),
    });
    exports.collect()
}

fn export(resource_spans: &[u8]) -> Export {
    let mut export = Export {
        resource: Attributes::new(),
        scope: String::new(),
        spans: Vec::new(),
    };
    for field in fields(resource_spans) {
        match field {
            (1, Value::Octets(resource)) => {
                for field in fields(resource) {
                    match field {
                        (1, Value::Octets(pair)) => export.resource.extend([attribute(pair)]),
                        other => unknown("resource", &other),
                    }
                }
            }
            (2, Value::Octets(scope_spans)) => {
                for field in fields(scope_spans) {
                    match field {
                        (1, Value::Octets(scope)) => export.scope = scope_name(scope),
                        (2, Value::Octets(one)) => export.spans.push(span(one)),
                        other => unknown("spans of a scope", &other),
                    }
                }
            }
            other => unknown("spans of a resource", &other),
        }
    }
    export
}

fn scope_name(scope: &[u8]) -> String {
    match fields(scope).as_slice() {
        [(1, Value::Octets(name))] => text(name),
        other => unreachable!("scope: {other:?}"),
    }
}

fn span(message: &[u8]) -> Span {
    let mut span = Span {
        name: String::new(),
        attributes: Attributes::new(),
    };
    for field in fields(message) {
        match field {
            // The ids of trace and span, which are drawn.
            (1, Value::Octets(id)) => assert_eq!(id.len(), 16, "{id:?}"),
            (2, Value::Octets(id)) => assert_eq!(id.len(), 8, "{id:?}"),
            (5, Value::Octets(name)) => span.name = text(name),
            // The kind, when it began and ended, and flags.
            (6..=8 | 16, Value::Number(_)) => {}
            (9, Value::Octets(pair)) => span.attributes.extend([attribute(pair)]),
            // No status.
            (15, Value::Octets([])) => {}
            other => unknown("span", &other),
        }
    }
    span
}

fn attribute(pair: &[u8]) -> (String, String) {
    match fields(pair).as_slice() {
        [(1, Value::Octets(name)), (2, Value::Octets(value))] => {
            let value = match fields(value).as_slice() {
                [(1, Value::Octets(value))] => text(value),
                [(3, Value::Number(value))] => value.to_string(),
                other => unreachable!("value: {other:?}"),
            };
            (text(name), value)
        }
        other => unreachable!("attribute: {other:?}"),
    }
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).expect("UTF-8")
}

fn unknown(of: &str, field: &Field<'_>) -> ! {
    unreachable!("{of}: {field:?}")
}

/// The number of a field, and its value.
type Field<'m> = (u64, Value<'m>);

#[derive(Debug)]
enum Value<'m> {
    Number(u64),
    Octets(&'m [u8]),
}

/// The fields of a message, in order.
fn fields(mut message: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    while !message.is_empty() {
        let tag = varint(&mut message);
        let value = match tag & 7 {
            0 => Value::Number(varint(&mut message)),
            1 => Value::Number(little_endian(take(&mut message, 8))),
            2 => {
                let length = varint(&mut message);
                Value::Octets(take(&mut message, length as usize))
            }
            5 => Value::Number(little_endian(take(&mut message, 4))),
            kind => unreachable!("a field of kind {kind}"),
        };
        fields.push((tag >> 3, value));
    }
    fields
}

fn take<'m>(message: &mut &'m [u8], count: usize) -> &'m [u8] {
    let (taken, rest) = message.split_at_checked(count).expect("as many octets");
    *message = rest;
    taken
}

fn little_endian(octets: &[u8]) -> u64 {
    let number = |number, octet: &u8| number << 8 | u64::from(*octet);
    octets.iter().rev().fold(0, number)
}

fn varint(message: &mut &[u8]) -> u64 {
    let mut number = 0;
    for place in (0..64).step_by(7) {
        let octet = take(message, 1)[0];
        number |= u64::from(octet & 0x7f) << place;
        if octet < 0x80 {
            return number;
        }
    }
    unreachable!("a number of more than ten octets")
}
