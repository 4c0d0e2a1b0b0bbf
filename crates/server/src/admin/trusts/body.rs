//! A trust that is to be registered: its members; or some of them, and the template that makes the
//! others of its options.

use grantor::{
    admin::{
        Document, Error, Fault, IssuerDocument, NewTrust, Patch, TemplateOptions, Templates,
        TrustDocument,
    },
    jose::json::{Object, Value},
    types::{IssuerId, Name},
};
use schemars::{JsonSchema as _, Schema, SchemaGenerator};
use serde_json::json;

use crate::admin::{Content, Problem, content};

/// The member with the options of a template.
const OPTIONS: &str = "options";
/// The member with the issuer that is registered along with the trust.
const NEW_ISSUER: &str = "new_issuer";

/// A trust that is to be registered.
#[derive(Debug)]
pub struct TrustBody(pub NewTrust);

impl Content for TrustBody {
    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let mut object = content::object(octets)?;
        let made = match object.remove(OPTIONS) {
            Some(options) => by_template(object, options),
            None => by_members(object),
        };
        made.map(Self).map_err(|error| Problem::from(&error))
    }

    fn to_json(&self) -> Option<String> {
        let mut body = serde_json::to_value(&self.0.document).ok()?;
        if let Some(issuer) = &self.0.issuer {
            body[NEW_ISSUER] = json!(issuer);
        }
        Some(body.to_string())
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        let mut schema = TrustDocument::json_schema(schemas);
        let issuer = schemas.subschema_for::<IssuerDocument>();
        schema.insert("required".to_owned(), json!(["name"]));
        let members = schema.get_mut("properties")?.as_object_mut()?;
        members.insert(NEW_ISSUER.to_owned(), json!({
            "description": "The issuer, which is registered along with the trust if there is none of its iss.",
            "anyOf": [issuer, {"type": "null"}],
        }));
        members.insert(OPTIONS.to_owned(), json!({
            "description": "Options of the template that `template` names: it makes the issuer and the other members.",
            "type": "object",
            "additionalProperties": {"type": ["string", "boolean", "null"]},
        }));
        let template = members.remove("template")?;
        members.insert(
            "template".to_owned(),
            json!({"anyOf": [template, {"type": "string"}]}),
        );
        Some(schema)
    }
}

fn by_members(mut object: Object) -> Result<NewTrust, Error> {
    let issuer = match object.remove(NEW_ISSUER) {
        None | Some(Value::Null) => None,
        Some(Value::Object(issuer)) => Some(Document::read(issuer).map_err(below_issuer)?),
        Some(_) => return Err(Fault::new(NEW_ISSUER, "expected an issuer").into()),
    };
    let mut new = NewTrust::new(Document::read(object)?);
    new.issuer = issuer;
    Ok(new)
}

fn below_issuer(faults: Vec<Fault>) -> Vec<Fault> {
    let below = |mut fault: Fault| {
        fault.pointer = format!("/{NEW_ISSUER}{}", fault.pointer);
        fault
    };
    faults.into_iter().map(below).collect()
}

fn by_template(mut object: Object, options: Value) -> Result<NewTrust, Error> {
    let text = |object: &mut Object, member: &str, expected: &str| match object.remove(member) {
        Some(Value::String(text)) => Ok(text),
        _ => Err(Fault::new(member, format!("expected {expected}"))),
    };
    let template = text(
        &mut object,
        "template",
        "the name of a template, for its options",
    )?;
    let unknown = |_| Fault::new("template", "there is none of this name; see /templates");
    let template = Templates::get(&template).map_err(unknown)?;
    let options = read_options(options)?;
    let name = text(&mut object, "name", "a name")
        .and_then(|name| Name::parse(&name).map_err(|error| Fault::new("name", error.to_string())));
    // All that is wrong at once: without its own name, a trust has another until it is refused.
    let mut faults = Vec::new();
    let name = name.unwrap_or_else(|fault| {
        faults.push(fault);
        Name::parse(&template.name).expect("templates have names")
    });
    let made = template.make(&name, &options);
    let begun = match &made {
        Ok(made) => made.trust.clone(),
        Err(_) => TrustDocument::new(name, IssuerId::parse(&template.name).expect("a text")),
    };
    let trust = begun.with(&Patch::of(object));
    match (made, trust) {
        (Ok(made), Ok(trust)) if faults.is_empty() => {
            let mut new = NewTrust::from(made);
            new.document = trust;
            Ok(new)
        }
        (made, trust) => {
            for error in [made.err(), trust.err()].into_iter().flatten() {
                match error {
                    Error::Invalid(more) => faults.extend(more),
                    other => return Err(other),
                }
            }
            Err(faults.into())
        }
    }
}

/// Options by their names: flags are true.
fn read_options(options: Value) -> Result<TemplateOptions, Error> {
    let Value::Object(options) = options else {
        return Err(Fault::new(OPTIONS, "expected an object of options").into());
    };
    let read = |(name, value)| match value {
        Value::String(text) => Ok(Some((name, text))),
        Value::Bool(true) => Ok(Some((name, String::new()))),
        Value::Bool(false) | Value::Null => Ok(None),
        _ => Err(Error::from(Fault::new(
            OPTIONS,
            "expected texts, or true for a flag",
        ))),
    };
    let read: Result<Vec<_>, _> = options.into_iter().map(read).collect();
    Ok(read?.into_iter().flatten().collect())
}
