//! The consent link: where a person is asked whether a client may act for them.

use url::form_urlencoded::Serializer;

use crate::types::{ClientId, Issuer, Scope, SubjectId};

/// Where the consent page is, below the issuer identifier. The endpoint there has the same name.
pub(super) const CONSENT: &str = "consent";

/// Asks the person of `subject`, once signed in, whether `client` may act for them within `scope`:
/// within all that the client may get if `None`. The page is the issuer's own, whatever a request
/// says of hosts.
pub fn consent_link(
    issuer: &Issuer,
    client: &ClientId,
    scope: Option<&Scope>,
    subject: &SubjectId,
) -> String {
    let mut query = Serializer::new(String::new());
    query.append_pair("client_id", client.as_str());
    if let Some(scope) = scope {
        query.append_pair("scope", &scope.to_string());
    }
    query.append_pair("login_hint", subject.as_str());
    // A plus sign that is meant is escaped already; some readers leave this one as it is.
    let query = query.finish().replace('+', "%20");
    format!("{}?{query}", issuer.endpoint(CONSENT))
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;

    fn pairs(link: &str) -> Vec<(String, String)> {
        let url = Url::parse(link).expect("a URL");
        assert_eq!(url.fragment(), None);
        url.query_pairs().into_owned().collect()
    }

    #[test]
    fn whatever_is_in_it_is_read_as_it_was() {
        let issuer = Issuer::parse("https://as.example/tenant").expect("an issuer");
        let long = "ä".repeat(127);
        for name in ["a&b=c#d", "\"<%41>+ ?", "a;b/..//", &long] {
            let client = ClientId::parse(name).expect("a client");
            let subject = SubjectId::parse(name).expect("a subject");
            let scope = Scope::parse("a+b c%20d e&f=g#h").expect("a scope");
            let link = consent_link(&issuer, &client, Some(&scope), &subject);
            assert!(link.starts_with("https://as.example/tenant/consent?client_id="));
            assert!(link.is_ascii() && !link.contains(['+', ' ', '"', '\n']));
            let expected = [
                ("client_id", name),
                ("scope", "a+b c%20d e&f=g#h"),
                ("login_hint", name),
            ];
            let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(pairs(&link), expected);
            let without = consent_link(&issuer, &client, None, &subject);
            assert_eq!(
                pairs(&without),
                [&expected[0], &expected[2]].map(Clone::clone)
            );
        }
    }
}
