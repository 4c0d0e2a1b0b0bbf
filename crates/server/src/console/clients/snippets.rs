//! Commands and programs by which a new client gets its first token (M116).

use grantor::{
    admin::ClientDocument,
    types::{AuthMethod, ClientId, GrantType, Issuer, Needs, SubjectId},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::words::Words;
use crate::pages::{html::safe_name, shell::quoted};

/// What is encoded in forms and URLs, and has a meaning in shells.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

/// A piece of text to copy.
pub struct Snippet {
    pub id: &'static str,
    pub heading: &'static str,
    pub hint: &'static str,
    pub text: String,
}

/// How this client gets a token with this key file: a command of ours first.
pub fn snippets(
    words: Words,
    issuer: &Issuer,
    client: &ClientDocument,
    file: &str,
) -> Vec<Snippet> {
    if client.grant_types.contains(&GrantType::AUTHORIZATION_CODE) {
        return of_app(words, issuer, client);
    }
    let (word, endpoint) = (quoted(file), quoted(&issuer.endpoint("token")));
    let method = &client.token_endpoint_auth_method;
    let uses = |grant| client.grant_types.contains(&grant);
    let has_secret = method.needs().is_some_and(Needs::is_secret);
    let grant = match has_secret || uses(GrantType::JWT_BEARER) {
        true => "",
        false => " --grant client-credentials",
    };
    let mut snippets = vec![Snippet {
        id: "by-grantor",
        heading: words.by_command(),
        hint: "",
        text: format!("grantor token --key {word}{grant}"),
    }];
    let is_sent = [
        AuthMethod::CLIENT_SECRET_BASIC,
        AuthMethod::CLIENT_SECRET_POST,
    ]
    .contains(method);
    let others = match has_secret {
        true if is_sent && uses(GrantType::CLIENT_CREDENTIALS) => Some((
            curl_with_secret(client, &word, &endpoint),
            words.by_curl_secret_hint(),
            python_with_secret(method),
        )),
        false if uses(GrantType::JWT_BEARER) => {
            Some((curl_with_key(&word, &endpoint), "", PYTHON_KEY.to_owned()))
        }
        _ => None,
    };
    if let Some((curl, hint, python)) = others {
        snippets.push(Snippet {
            id: "by-curl",
            heading: words.by_curl(),
            hint,
            text: curl,
        });
        snippets.push(Snippet {
            id: "by-python",
            heading: words.by_python(),
            hint: "",
            text: python.replace("FILE", file),
        });
    }
    snippets
}

/// How a client gets a token for this subject with its key file, under the name that it was offered by.
pub fn token_for(client: &ClientId, subject: &SubjectId) -> String {
    let file = safe_name(&format!("{client}.json"));
    let (file, subject) = (quoted(&file), quoted(subject.as_str()));
    format!("grantor token --key {file} --sub {subject}")
}

fn curl_with_key(file: &str, endpoint: &str) -> String {
    format!(
        "curl -d grant_type={} \\\n     -d assertion=\"$(grantor assertion mint --key {file})\" \\\n     {endpoint}",
        GrantType::JWT_BEARER
    )
}

/// The secret comes from the file, so that it stands in no history of commands.
fn curl_with_secret(client: &ClientDocument, file: &str, endpoint: &str) -> String {
    let secret = format!("\"$(jq -r .client_secret {file})\"");
    // RFC 6749 §2.3.1: both are encoded as in a form.
    let id = utf8_percent_encode(client.client_id.as_str(), ENCODED).to_string();
    match client.token_endpoint_auth_method == AuthMethod::CLIENT_SECRET_POST {
        true => format!(
            "curl -d grant_type=client_credentials -d client_id={id} \\\n     --data-urlencode client_secret={secret} \\\n     {endpoint}"
        ),
        false => format!(
            "curl -u {id}:{secret} \\\n     -d grant_type=client_credentials \\\n     {endpoint}"
        ),
    }
}

/// Needs PyJWT with its extra `crypto`, and requests.
const PYTHON_KEY: &str = r#"import json, time, uuid
import jwt, requests  # pip install 'pyjwt[crypto]' requests

key = json.load(open("FILE"))
now = int(time.time())
assertion = jwt.encode(
    {
        "iss": key["client_id"],
        "sub": key["client_id"],
        "aud": key["issuer"],
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid.uuid4()),
    },
    jwt.PyJWK(key["private_key"]).key,
    key["alg"],
    headers={"kid": key["private_key"]["kid"]},
)
answer = requests.post(
    key["token_endpoint"],
    data={
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": assertion,
    },
)
print(answer.json()["access_token"])"#;

/// Needs requests.
const PYTHON_SECRET: &str = r#"import json
from urllib.parse import quote
import requests  # pip install requests

key = json.load(open("FILE"))
answer = requests.post(
    key["token_endpoint"],
    SECRET
)
print(answer.json()["access_token"])"#;

fn python_with_secret(method: &AuthMethod) -> String {
    let arguments = match *method == AuthMethod::CLIENT_SECRET_POST {
        true => [
            "data={",
            "        \"grant_type\": \"client_credentials\",",
            "        \"client_id\": key[\"client_id\"],",
            "        \"client_secret\": key[\"client_secret\"],",
            "    },",
        ]
        .join("\n"),
        false => [
            "auth=(quote(key[\"client_id\"], safe=\"\"), key[\"client_secret\"]),",
            "    data={\"grant_type\": \"client_credentials\"},",
        ]
        .join("\n"),
    };
    PYTHON_SECRET.replace("SECRET", &arguments)
}

/// Where an app sends people: each request with a challenge and a state of its own.
fn of_app(words: Words, issuer: &Issuer, client: &ClientDocument) -> Vec<Snippet> {
    let encoded = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let uri = client.redirect_uris.first().map(ToString::to_string);
    let text = format!(
        "{}?response_type=code&client_id={}&redirect_uri={}&scope={}&state=STATE&code_challenge=CHALLENGE&code_challenge_method=S256",
        issuer.endpoint("authorize"),
        encoded(client.client_id.as_str()),
        encoded(&uri.unwrap_or_default()),
        encoded(&client.scope.to_string()),
    );
    vec![
        Snippet {
            id: "issuer",
            heading: words.issuer(),
            hint: words.issuer_hint(),
            text: issuer.to_string(),
        },
        Snippet {
            id: "authorize",
            heading: words.app_begins(),
            hint: words.app_begins_hint(),
            text,
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::Language;

    #[test]
    fn m116_a_client_id_in_a_command_is_text_whatever_is_in_it() {
        let id = ClientId::parse("a$(id)\"'b").expect("a client id");
        let client = ClientDocument::new(id, AuthMethod::CLIENT_SECRET_BASIC);
        let issuer = Issuer::parse("https://as.example").expect("an issuer");
        let made = snippets(Words(Language::English), &issuer, &client, "a.json");
        let curl = &made[1].text;
        assert!(
            curl.starts_with("curl -u a%24%28id%29%22%27b:\"$(jq "),
            "{curl}"
        );
    }
}
