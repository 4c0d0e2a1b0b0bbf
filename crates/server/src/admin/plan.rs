//! Operations of files: apply and export.

use grantor::{
    admin::{Error, Fault, Kind, Plan, PlanRequest, Registrations, problem},
    credential::{Credential, KeyFile},
    jose::json::{self, Object, Value},
    storage::Cursor,
    types::{AuthMethod, ClientId},
};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Administration, Answered, Content, Input, NoQuery, Operation, Problem, Route, Slug, content,
};

/// Does what files say, or tells what it would do.
pub struct Apply;

/// What was done, or would be.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Applied {
    /// The plan.
    pub plan: Plan,
    /// Whether it was carried out.
    pub applied: bool,
    /// The secrets that were made, which are nowhere else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretOfFile>,
    /// What the operator should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// The secret of a client that files made. Nothing shows it, but the one answer.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct SecretOfFile {
    /// Whose it is.
    pub client_id: ClientId,
    /// How the client authenticates with it.
    pub token_endpoint_auth_method: AuthMethod,
    /// The secret.
    pub client_secret: String,
}

impl SecretOfFile {
    fn of(file: &KeyFile) -> Option<Self> {
        let Credential::Secret(secret) = &file.credential else {
            return None;
        };
        Some(Self {
            client_id: file.client_id.clone(),
            token_endpoint_auth_method: file.auth_method.clone(),
            client_secret: secret.to_string(),
        })
    }
}

impl Operation for Apply {
    type Path = ();
    type Query = NoQuery;
    type Body = PlanRequest;
    type Answer = Applied;

    const ROUTE: Route = Route::act(
        "/apply",
        "apply",
        "Register what files say, all or nothing; or tell what that would change",
    )
    .long();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let request = input.body;
        let admin = admin.managing(request.owner.clone());
        let plans = admin.plans();
        let planned = plans.make(&request).await?;
        let warnings = planned.warnings.iter().map(ToString::to_string).collect();
        let (plan, secrets) = match request.dry_run {
            true => {
                let changes = planned.changes().to_vec();
                admin.gate().may_apply(changes).await?;
                (planned.plan, Vec::new())
            }
            false => {
                // A plan takes its time: whoever was disabled meanwhile changes nothing.
                admin.check_caller().await?;
                let outcome = plans.apply(planned, admin.actor()).await?;
                let secrets = outcome.key_files.iter().filter_map(SecretOfFile::of);
                (outcome.plan, secrets.collect())
            }
        };
        let applied = Applied {
            plan,
            applied: !request.dry_run,
            secrets,
            warnings,
        };
        Ok(applied.into())
    }
}

/// Most documents in a request, so that the answer comes in time and others have their turn.
const MOST: usize = 20_000;
/// The member with the documents.
const RESOURCES: &str = "resources";

impl Content for PlanRequest {
    /// That of the documents, and a little for what is around them.
    const LARGEST: usize = Registrations::MAX_BYTES + content::LARGEST;

    fn read(octets: &[u8]) -> Result<Self, Problem> {
        let object = json::parse_large_object(octets, Registrations::MAX_ITEMS);
        let mut object: Object = object.map_err(|error| {
            let fault = Fault::of_all(format!("{error}; write a JSON object"));
            Problem::at_fault(Slug::Malformed, vec![fault])
        })?;
        object.remove(content::SELF);
        let resources = object.remove(RESOURCES).unwrap_or_else(|| json!({}));
        let mut request: Self = serde_json::from_value(Value::Object(object)).map_err(|error| {
            Problem::at_fault(Slug::Invalid, vec![Fault::of_all(problem(&error))])
        })?;
        request.resources = match resources {
            Value::Object(resources) => Registrations::read(resources)
                .map_err(|error| Problem::from(&error).below(RESOURCES))?,
            _ => {
                let fault = Fault::new(RESOURCES, "expected an object");
                return Err(Problem::at_fault(Slug::Invalid, vec![fault]));
            }
        };
        let count: usize = Kind::ALL
            .map(|kind| request.resources.of(kind).len())
            .iter()
            .sum();
        if count > MOST {
            let detail = format!("{count} documents; send at most {MOST} at once");
            let fault = Fault::new(RESOURCES, detail);
            return Err(Problem::at_fault(Slug::Invalid, vec![fault]));
        }
        Ok(request)
    }

    fn to_json(&self) -> Option<String> {
        serde_json::to_string(self).ok()
    }

    fn schema(schemas: &mut SchemaGenerator) -> Option<Schema> {
        Some(schemas.subschema_for::<Self>())
    }
}

/// Shows all that is registered, in the form of files.
pub struct Export;

/// From where an export goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ExportQuery {
    /// The `next` of the portion before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A portion of an export.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Exported {
    /// The documents.
    pub resources: Registrations,
    /// Where the next portion begins: its `after`; null behind the last.
    pub next: Option<String>,
}

/// Least documents in a portion, if there are.
const PORTION: usize = 2000;

impl Operation for Export {
    type Path = ();
    type Query = ExportQuery;
    type Body = ();
    type Answer = Exported;

    const ROUTE: Route = Route::get(
        "/export",
        "export",
        "Show all that is registered, in the form of files, without secrets; in portions",
    )
    .long();

    async fn run(
        admin: &Administration,
        input: Input<Self>,
    ) -> Result<Answered<Self::Answer>, Error> {
        let after = input.query.after.map(Cursor::from_text);
        let mut export = admin.plans().export_from(after.as_ref())?;
        let resources = export.portion(PORTION).await?;
        let next = export.place().map(|place| place.to_string());
        Ok(Exported { resources, next }.into())
    }
}
