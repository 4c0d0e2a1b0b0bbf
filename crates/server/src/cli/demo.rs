//! `grantor demo`: the main job end to end, on real parts: a database on disk, HTTP on loopback, a
//! client with a key of its own.

use std::{env, io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use ::http::{Request, StatusCode, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use clap::Args;
use grantor::{
    admin::{ClientDocument, NewClient, Rights},
    assertion::Usage,
    credential::Credential,
    jose::{Algorithm, Claims, Jwk, Unverified, VerificationKey, base64url_decode},
    remote::{Fetch as _, HttpFetch},
    types::{AuthMethod, ClientId, GrantType, Issuer, Scope},
};
use grantor_stores::{Create, Upkeep};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{
    Failure, Global, Output,
    assertion::sign,
    credential::{BareKey, ClientCredential},
    local_user,
    serve::stop_signal,
};
use crate::{
    admin::Administration,
    app,
    backend::Place,
    config::{Config, Environment, LogFormat, Overrides},
    http::{self, Front, Listener, Proxy, Room},
    metrics::Metrics,
    telemetry,
};

/// For one who looks at it on this machine.
const ROOM: Room = Room {
    connections: 64,
    per_address: 64,
    requests: 256,
};

/// Largest answer read, in octets.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// Show the main job end to end on a throw-away database, then serve
#[derive(Debug, Args)]
pub struct Demo {
    /// Exit when all is shown
    #[arg(long)]
    once: bool,
    /// Address to listen on; a free port is taken if this one is not free
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

impl Demo {
    pub async fn run(self, global: &Global) -> Result<(), Failure> {
        telemetry::start(LogFormat::Text, "warn").map_err(Failure::failed)?;
        let directory = tempfile::tempdir().map_err(Failure::failed)?;
        let running = Running::start(self.bind().await?, directory.path()).await?;
        let shown = self.show(global.output(), &running.admin, directory.path());
        let shown = shown.await;
        // Also where something could not be shown: the directory goes last.
        running.stop().await?;
        shown
    }

    async fn show(
        &self,
        output: Output,
        admin: &Administration,
        directory: &Path,
    ) -> Result<(), Failure> {
        let key_path = &directory.join("billing.json");
        let show = Show {
            output,
            http: HttpFetch::new().map_err(Failure::failed)?,
            issuer: admin.terms().issuer.clone(),
        };
        let replay = show.main_job(admin, key_path).await?;
        if !self.once {
            show.invitation(key_path, &replay)?;
            stop_signal().map_err(Failure::failed)?.await;
        }
        Ok(())
    }

    async fn bind(&self) -> Result<Listener, Failure> {
        match bind(self.listen).await {
            Ok(listener) => Ok(listener),
            Err(_) => bind(SocketAddr::new(self.listen.ip(), 0))
                .await
                .map_err(Failure::failed),
        }
    }
}

async fn bind(address: SocketAddr) -> io::Result<Listener> {
    Listener::bind(address, ROOM, None, Proxy::Absent).await
}

/// A server, and what is done with its registry.
struct Running {
    admin: Administration,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<io::Result<()>>,
}

impl Running {
    /// On a new database in this directory.
    async fn start(listener: Listener, data: &Path) -> Result<Self, Failure> {
        let address = listener.local_addr().map_err(Failure::failed)?;
        let overrides = Overrides {
            issuer: Some(format!("http://{address}")),
            listen: Some(address),
            ..Overrides::default()
        };
        let config = Config::load(data, None, &Environment::default(), &overrides)
            .map_err(Failure::usage)?;
        let place = Place {
            config: &config,
            data,
            master_key: None,
        };
        let store = place
            .open(Create::IfMissing, Upkeep::Here)
            .await
            .map_err(Failure::failed)?;
        let metrics = Metrics::default();
        let server =
            app::build_server(&config, &store, metrics.clone()).map_err(Failure::failed)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let stopped = async {
            // A dropped sender stops the server too.
            let _ = stopped.await;
        };
        let readiness = store.readiness.clone();
        Ok(Self {
            serving: tokio::spawn(http::serve(
                listener,
                Front::Server(server, None),
                readiness,
                metrics,
                stopped,
            )),
            admin: Administration::new(Arc::new(config), store, Rights::local(), local_user()),
            stop,
        })
    }

    async fn stop(self) -> Result<(), Failure> {
        drop(self.stop);
        let served = self.serving.await.map_err(Failure::failed)?;
        served.map_err(Failure::failed)
    }
}

/// Does one step after the other, and prints each.
struct Show {
    output: Output,
    http: HttpFetch,
    issuer: Issuer,
}

impl Show {
    /// Answers the id of the decision about the replay.
    async fn main_job(&self, admin: &Administration, key_path: &Path) -> Result<String, Failure> {
        let api_secret = register(admin, key_path).await?;
        self.step(
            1,
            "a client was registered, its key pair generated; the server keeps the public half",
            &json!({"client_id": "billing", "auth": "private_key_jwt", "key_file": key_path}),
        )?;
        let assertion = self.sign(key_path).await?;
        let access_token = self.get_token(&assertion).await?;
        let claims = self.validate(&access_token).await?;
        self.step(4, "an API validates the token with the server's public keys (GET /jwks), without calling home", &claims)?;
        self.introspect(&access_token, &api_secret).await?;
        self.replay(&assertion).await
    }

    async fn sign(&self, key_path: &Path) -> Result<Zeroizing<String>, Failure> {
        let key = ClientCredential::read(key_path, BareKey::default())?;
        let lifetime = Duration::from_secs(60);
        let assertion = sign(&key, Usage::Grant, None, None, None, lifetime).await?;
        self.step(
            2,
            "the client signs an assertion, locally",
            &decoded(&assertion),
        )?;
        Ok(assertion)
    }

    async fn get_token(&self, assertion: &str) -> Result<String, Failure> {
        let (status, body) = self.post_assertion(assertion).await?;
        let access_token = body["access_token"].as_str().unwrap_or_default().to_owned();
        expect(
            status.is_success() && !access_token.is_empty(),
            "no token was issued",
        )?;
        self.step(
            3,
            "assertion in, access token out",
            &json!({"status": status.as_u16(), "body": body}),
        )?;
        Ok(access_token)
    }

    async fn introspect(&self, access_token: &str, api_secret: &str) -> Result<(), Failure> {
        let credentials = STANDARD.encode(format!("reports-api:{api_secret}"));
        let authorization = format!("Basic {credentials}");
        let form = [("token", access_token)];
        let (_, found) = self.post("introspect", &form, Some(&authorization)).await?;
        expect(found["active"] == true, "the token is not active")?;
        self.step(5, "or asks the server about it (POST /introspect)", &found)
    }

    /// Answers the id of the decision.
    async fn replay(&self, assertion: &str) -> Result<String, Failure> {
        let (status, body) = self.post_assertion(assertion).await?;
        expect(
            status == 400 && body["error"] == "invalid_grant",
            "the replay was not refused",
        )?;
        self.step(
            6,
            "the same assertion again is refused",
            &json!({"status": status.as_u16(), "body": body}),
        )?;
        let description = body["error_description"].as_str();
        let id = description
            .and_then(|description| description.rsplit_once("(decision "))
            .and_then(|(_, id)| id.strip_suffix(')'));
        Ok(id.unwrap_or_default().to_owned())
    }

    async fn post_assertion(&self, assertion: &str) -> Result<(StatusCode, Value), Failure> {
        let grant_type = GrantType::JWT_BEARER;
        let form = [
            ("grant_type", grant_type.as_str()),
            ("assertion", assertion),
        ];
        self.post("token", &form, None).await
    }

    async fn post(
        &self,
        endpoint: &str,
        form: &[(&str, &str)],
        authorization: Option<&str>,
    ) -> Result<(StatusCode, Value), Failure> {
        let body = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form)
            .finish();
        let mut request = Request::post(self.issuer.endpoint(endpoint))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Bytes::from(body))
            .map_err(Failure::failed)?;
        if let Some(value) = authorization {
            request.headers_mut().insert(
                header::AUTHORIZATION,
                value.parse().map_err(Failure::failed)?,
            );
        }
        self.send(request).await
    }

    async fn send(&self, request: Request<Bytes>) -> Result<(StatusCode, Value), Failure> {
        let answer = self
            .http
            .fetch(request, MAX_ANSWER_BYTES)
            .await
            .map_err(Failure::failed)?;
        let json = serde_json::from_slice(answer.body()).map_err(Failure::failed)?;
        Ok((answer.status(), json))
    }

    /// What a resource server does with a token (RFC 9068 §4), in short.
    async fn validate(&self, access_token: &str) -> Result<Value, Failure> {
        let request = Request::get(self.issuer.endpoint("jwks"))
            .body(Bytes::new())
            .map_err(Failure::failed)?;
        let (_, set) = self.send(request).await?;
        let jwk = Jwk::parse(set["keys"][0].to_string().as_bytes()).map_err(Failure::failed)?;
        let key = VerificationKey::from_jwk(jwk).map_err(Failure::failed)?;
        let verified = Unverified::parse(access_token)
            .and_then(|jws| jws.verify(&key))
            .map_err(Failure::failed)?;
        let claims = Claims::parse(verified.payload()).map_err(Failure::failed)?;
        expect(
            verified.header().typ_is("at+jwt"),
            "the token is not an access token",
        )?;
        expect(
            claims.issuer.as_deref() == Some(self.issuer.as_str()),
            "the token is of another issuer",
        )?;
        Ok(decoded(access_token))
    }

    fn step(&self, number: u8, title: &str, detail: &Value) -> Result<(), Failure> {
        let bold = anstyle::Style::new().bold();
        let pretty = serde_json::to_string_pretty(detail)
            .unwrap_or_default()
            .replace('\n', "\n   ");
        let text = format!("{bold}{number}. {title}{bold:#}\n   {pretty}\n");
        self.output.print(
            &json!({"step": number, "title": title, "detail": detail}),
            text,
        )
    }

    fn invitation(&self, key_path: &Path, replay: &str) -> Result<(), Failure> {
        let data = key_path.parent().unwrap_or(key_path);
        let text = format!(
            "The server runs on {issuer} until you press Ctrl-C. Try, in another terminal at the same place:\n\n  \
             curl {issuer}/.well-known/oauth-authorization-server\n  \
             {program} token --key {key}\n  \
             {program} --data {data} decisions show {replay}\n\n\
             The last line says why step 6 was refused.\n",
            issuer = self.issuer,
            program = program(),
            key = quoted(&key_path.to_string_lossy()),
            data = quoted(&data.to_string_lossy()),
        );
        self.output.print(
            &json!({"serving": self.issuer.as_str(), "key_file": key_path, "data": data, "refused": replay}),
            text,
        )
    }
}

/// Registers the client of the demo, writes its key file, and registers an API that may introspect.
/// Answers the API's secret.
async fn register(admin: &Administration, key_path: &Path) -> Result<Zeroizing<String>, Failure> {
    let client = |id, method| {
        let id = ClientId::parse(id).map_err(Failure::failed)?;
        Ok::<_, Failure>(NewClient::new(ClientDocument::new(id, method)))
    };
    let mut billing = client("billing", AuthMethod::PRIVATE_KEY_JWT)?;
    let scope = Scope::parse("invoices:read invoices:write");
    billing.document.scope = scope.map_err(Failure::failed)?;
    billing.generate = Some(Algorithm::Es256);
    let mut billing = billing.prepare(admin.terms(), admin.now())?;
    if let Some(file) = billing.key_file.take() {
        file.write_new(key_path).map_err(Failure::failed)?;
    }
    admin.clients().make(billing, admin.actor()).await?;

    let api = client("reports-api", AuthMethod::CLIENT_SECRET_BASIC)?;
    let mut api = api.prepare(admin.terms(), admin.now())?;
    let made = api.key_file.take().map(|file| file.credential);
    let Some(Credential::Secret(secret)) = made else {
        return Err(Failure::failed("no secret was made"));
    };
    admin.clients().make(api, admin.actor()).await?;
    Ok(secret)
}

/// How this program was started: what starts it again from the same place.
fn program() -> String {
    let started = env::args_os().next();
    let started = started.and_then(|name| name.into_string().ok());
    quoted(started.as_deref().unwrap_or("grantor"))
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"/._-:".contains(&octet);
    match word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

/// The header and claims of a JWT, to look at.
fn decoded(token: &str) -> Value {
    let part = |index| {
        let segment = token.split('.').nth(index).and_then(base64url_decode);
        segment
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or(Value::Null)
    };
    json!({"header": part(0), "claims": part(1)})
}

fn expect(is_so: bool, otherwise: &str) -> Result<(), Failure> {
    if is_so {
        Ok(())
    } else {
        Err(Failure::failed(otherwise))
    }
}
