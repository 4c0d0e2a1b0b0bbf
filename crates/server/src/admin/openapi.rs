//! The OpenAPI 3.1 document, from the table of operations and the types that they take and answer.

use grantor::{admin::Fault, registry::Role};
use schemars::{Schema, SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{Content, Handler, Operation, Portion, Problem, Route, Slug, content::SELF};

/// The schemas of what is answered, and of what is taken: that may leave out more, and be null.
pub struct Schemas {
    answers: SchemaGenerator,
    bodies: SchemaGenerator,
}

impl Schemas {
    fn new() -> Self {
        let answers = SchemaSettings::draft2020_12()
            .for_serialize()
            .with(|settings| settings.definitions_path = "/components/schemas".into());
        // The same names would mean others.
        let bodies = SchemaSettings::draft2020_12()
            .for_deserialize()
            .with(|settings| settings.inline_subschemas = true);
        Self {
            answers: answers.into_generator(),
            bodies: bodies.into_generator(),
        }
    }
}

/// What is said of an operation.
pub struct Described {
    parameters: Vec<Value>,
    body: Option<(Schema, bool)>,
    answer: Schema,
}

impl Described {
    /// Of this one.
    pub fn of<O: Operation>(schemas: &mut Schemas) -> Self {
        let Schemas { answers, bodies } = schemas;
        Self {
            parameters: query_parameters(bodies.root_schema_for::<O::Query>().as_value()),
            body: O::Body::schema(bodies).map(|schema| (sent_back(schema), O::Body::IS_PATCH)),
            answer: answers.subschema_for::<O::Answer>(),
        }
    }
}

/// What was answered may be sent back with where it is.
fn sent_back(mut schema: Schema) -> Schema {
    if let Some(Value::Object(members)) = schema.get_mut("properties") {
        let place = json!({"description": "As it was answered. Not read."});
        members.insert(SELF.to_owned(), place);
    }
    schema
}

/// The members of a query's type, each of which is a parameter.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let members = schema["properties"]
        .as_object()
        .cloned()
        .unwrap_or_default();
    let parameter = |(name, schema): (String, Value)| {
        let description = schema["description"].clone();
        json!({"name": name, "in": "query", "description": description, "schema": schema})
    };
    members.into_iter().map(parameter).collect()
}

/// The document, as JSON.
pub fn document<'h>(base: &str, handlers: impl Iterator<Item = &'h dyn Handler>) -> String {
    let mut schemas = Schemas::new();
    let problem = schemas.answers.subschema_for::<ProblemDocument>();
    let mut paths = Map::new();
    let mut placed = Vec::new();
    for handler in handlers {
        let route = handler.route();
        let described = handler.describe(&mut schemas);
        placed.extend(
            described.answer.as_value()["$ref"]
                .as_str()
                .map(str::to_owned),
        );
        let path = paths
            .entry(route.path)
            .or_insert_with(|| json!({"parameters": names(route.path)}));
        let method = route.verb.method().as_str().to_ascii_lowercase();
        path[method] = operation(&route, described, &problem);
    }
    let mut definitions = schemas.answers.take_definitions(true);
    for name in placed.iter().filter_map(|place| place.rsplit('/').next()) {
        say_where(definitions.get_mut(name));
    }
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Grantor admin API",
            "version": "v1",
            "description": "What operators do, over HTTP. Errors are problem details (RFC 9457).",
        },
        "servers": [{"url": base}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": definitions,
            "securitySchemes": {"token": {
                "type": "http",
                "scheme": "bearer",
                "description": "An access token of this server whose audience is this API alone.",
            }},
        },
    });
    document.to_string()
}

/// Answers about a resource say where it is.
fn say_where(schema: Option<&mut Value>) {
    let members = schema.and_then(|schema| schema["properties"].as_object_mut());
    if let Some(members) = members {
        let place = json!({"type": "string", "description": "Where it is."});
        members.insert(SELF.to_owned(), place);
    }
}

fn names(path: &str) -> Vec<Value> {
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let parameter = |name| {
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": "One percent-encoded segment, or ~ and base64url of the name.",
            "schema": {"type": "string", "minLength": 1},
        })
    };
    names.map(parameter).collect()
}

fn operation(route: &Route, described: Described, problem: &Schema) -> Value {
    let mut parameters = described.parameters;
    if route.is_list {
        let after = json!({"type": "string", "description": "The `next` of the portion before."});
        let limit = json!({"type": "integer", "minimum": 1, "maximum": Portion::MOST, "default": Portion::USUAL});
        parameters.push(json!({"name": "after", "in": "query", "schema": after}));
        parameters.push(json!({"name": "limit", "in": "query", "schema": limit}));
    }
    if route.is_record {
        let last = json!({"type": "integer", "minimum": 0, "maximum": u32::MAX});
        let description = "Begins so that this many are left; without `after` only.";
        parameters.push(
            json!({"name": "last", "in": "query", "description": description, "schema": last}),
        );
        let description =
            "The `previous` of another portion: the newest before that; without `after` only.";
        let before = json!({"type": "string"});
        parameters.push(
            json!({"name": "before", "in": "query", "description": description, "schema": before}),
        );
    }
    if route.is_change {
        let overrides = "Change what a file manages all the same.";
        parameters.push(json!({"name": "override", "in": "query", "description": overrides, "schema": {"type": "boolean"}}));
        parameters.push(header(
            "Grantor-Reason",
            "Why, on one line of at most 256 characters, percent-encoded; kept with the change.",
        ));
    }
    if route.has_state {
        parameters.push(header("If-Match", "The ETag of the state that is changed."));
    }
    let mut operation = json!({
        "operationId": route.id,
        "summary": route.summary,
        "description": format!("Needs the scope `{}`.", route.needs.scope()),
        "parameters": parameters,
        "responses": responses(route, described.answer, problem),
    });
    if let Some((schema, is_patch)) = described.body {
        let mut content = json!({"application/json": {"schema": schema}});
        if is_patch {
            content["application/merge-patch+json"] = content["application/json"].clone();
        }
        operation["requestBody"] = json!({"required": true, "content": content});
    }
    operation
}

fn header(name: &str, description: &str) -> Value {
    json!({"name": name, "in": "header", "description": description, "schema": {"type": "string"}})
}

/// The answer, and the problems that each operation can come to.
fn responses(route: &Route, answer: Schema, problem: &Schema) -> Value {
    let is_nothing = answer.as_value()["type"] == "null";
    let done = match is_nothing {
        true => json!({"description": "Done."}),
        false => {
            json!({"description": "Done.", "content": {"application/json": {"schema": answer}}})
        }
    };
    let status = match is_nothing {
        true => "204".to_owned(),
        false => route.success.as_u16().to_string(),
    };
    let mut responses = Map::from_iter([(status, done)]);
    for slug in Slug::ALL.iter().copied() {
        let status = slug.status().as_u16().to_string();
        let mut response = json!({
            "description": slug.title(),
            "content": {"application/problem+json": {"schema": problem}},
        });
        if let Some(before) = responses.get(&status) {
            let title = format!(
                "{} / {}",
                before["description"].as_str().unwrap_or_default(),
                slug.title()
            );
            response["description"] = title.into();
        }
        responses.insert(status, response);
    }
    // Below the interface, where a request has no operation yet.
    let too_long = json!({"description": "The head of the request is too long."});
    responses.insert("431".to_owned(), too_long);
    Value::Object(responses)
}

/// A problem as it is answered.
#[derive(schemars::JsonSchema, serde::Serialize, serde::Deserialize, Debug)]
#[schemars(rename = "Problem")]
pub struct ProblemDocument {
    /// The page that explains it.
    pub r#type: String,
    /// The same for all of the kind.
    pub title: String,
    /// The status of the answer.
    pub status: u16,
    /// What happened and what to do.
    pub detail: String,
    /// The id under which the operator finds more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The members at fault.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    /// The scope that would do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed: Option<String>,
    /// The kind of resource that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
}

impl ProblemDocument {
    /// That of a problem.
    pub fn of(problem: &Problem, base: &str, instance: Option<String>) -> Self {
        let slug = problem.slug;
        Self {
            r#type: format!("{base}/problems/{}", slug.as_str()),
            title: slug.title().to_owned(),
            status: slug.status().as_u16(),
            detail: problem.detail.clone(),
            instance,
            errors: problem.errors.clone(),
            needed: problem.needed.map(|role: Role| role.scope().to_owned()),
            resource: problem.resource.clone(),
        }
    }
}
