//! SPIFFE IDs (SPIFFE-ID §2).

/// A SPIFFE ID, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SpiffeId<'a> {
    /// The trust domain.
    pub(crate) domain: &'a str,
}

/// The SPIFFE ID that a text is: lower-case trust domain without port and user, path of segments
/// that are neither empty nor dots, no query, no fragment, no percent-encoding (SPIFFE-ID §2.1 to
/// §2.3).
pub(crate) fn spiffe_id(text: &str) -> Option<SpiffeId<'_>> {
    let rest = text.strip_prefix("spiffe://")?;
    let (domain, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    is_trust_domain(domain).then_some(())?;
    let of_segment = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let is_segment =
        |segment: &str| !matches!(segment, "" | "." | "..") && segment.bytes().all(of_segment);
    let mut segments = path.split('/').skip(1);
    segments.all(is_segment).then_some(SpiffeId { domain })
}

/// Whether a text is the name of a trust domain: 1 to 255 lower-case letters, digits, dots, dashes
/// and underscores (SPIFFE-ID §2.1).
pub fn is_trust_domain(text: &str) -> bool {
    let of_domain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._".contains(&byte);
    (1..=255).contains(&text.len()) && text.bytes().all(of_domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t010_a_spiffe_id_is_plain() {
        for (good, domain) in [
            ("spiffe://acme.example", "acme.example"),
            (
                "spiffe://acme.example/ns/billing/sa/deployer",
                "acme.example",
            ),
            ("spiffe://a_b-1/A.b", "a_b-1"),
        ] {
            assert_eq!(spiffe_id(good), Some(SpiffeId { domain }), "{good}");
        }
        for bad in [
            "",
            "spiffe://",
            "spiffe:///a",
            "SPIFFE://acme.example/a",
            "https://acme.example/a",
            "spiffe://Acme.example/a",
            "spiffe://acme.example:443/a",
            "spiffe://me@acme.example/a",
            "spiffe://acme.example/",
            "spiffe://acme.example/a/",
            "spiffe://acme.example//a",
            "spiffe://acme.example/./a",
            "spiffe://acme.example/../a",
            "spiffe://acme.example/a?b",
            "spiffe://acme.example/a#b",
            "spiffe://acme.example/%61",
            "spiffe://acme.example/\u{e9}",
        ] {
            assert_eq!(spiffe_id(bad), None, "{bad}");
        }
    }
}
