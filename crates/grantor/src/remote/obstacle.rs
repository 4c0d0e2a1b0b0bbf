//! Why there is no answer, as far as the errors of the operating system and of TLS tell it.

use std::{error::Error, fmt, io};

use rustls::CertificateError;

/// Why no connection was made, where there is a remedy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Obstacle {
    /// The host's name is not known to this machine.
    UnknownHost,
    /// Nothing listens at the address.
    Refused,
    /// There is no way to the address.
    Unreachable,
    /// The other side speaks something else than TLS, or closed the connection when it was spoken
    /// to.
    NotTls,
    /// No root that this machine trusts has signed the certificate, directly or through those that
    /// the server sends.
    UnknownIssuer,
    /// The certificate has expired, by this machine's clock.
    Expired,
    /// The certificate is not valid yet, by this machine's clock.
    NotYetValid,
    /// The certificate is for other names.
    WrongName,
    /// The certificate is refused for another reason.
    Certificate,
}

/// The cause of a missing answer: its words, and what kind it is.
#[derive(Debug)]
pub(super) struct Cause {
    text: String,
    pub(super) obstacle: Option<Obstacle>,
}

impl Cause {
    /// Of an error and its sources, of which only the innermost tells something new.
    pub(super) fn of(error: &(dyn Error + 'static)) -> Self {
        let chain: Vec<_> = std::iter::successors(Some(error), |&error| error.source()).collect();
        let text = chain.last().map(ToString::to_string).unwrap_or_default();
        // The standard library, tokio-rustls and hyper-rustls tell these in words only.
        let obstacle = match &*text {
            text if text.starts_with("failed to lookup address information") => {
                Some(Obstacle::UnknownHost)
            }
            "invalid dns name" => Some(Obstacle::UnknownHost),
            "tls handshake eof" => Some(Obstacle::NotTls),
            _ => chain.iter().find_map(|error| obstacle(*error)),
        };
        Self { text, obstacle }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error for Cause {}

fn obstacle(error: &(dyn Error + 'static)) -> Option<Obstacle> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return of_tls(tls);
    }
    let error = error.downcast_ref::<io::Error>()?;
    // An error inside an `io::Error` is none of its sources.
    if let Some(inner) = error.get_ref() {
        let inner: &(dyn Error + 'static) = inner;
        return obstacle(inner).or_else(|| inner.source().and_then(obstacle));
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Some(Obstacle::Refused),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            Some(Obstacle::Unreachable)
        }
        _ => None,
    }
}

fn of_tls(error: &rustls::Error) -> Option<Obstacle> {
    use CertificateError as C;
    Some(match error {
        rustls::Error::InvalidMessage(_) => Obstacle::NotTls,
        rustls::Error::InvalidCertificate(problem) => match problem {
            // Of a CA that was made anew, and has the name of the one before.
            C::UnknownIssuer | C::BadSignature => Obstacle::UnknownIssuer,
            C::Expired | C::ExpiredContext { .. } => Obstacle::Expired,
            C::NotValidYet | C::NotValidYetContext { .. } => Obstacle::NotYetValid,
            C::NotValidForName | C::NotValidForNameContext { .. } => Obstacle::WrongName,
            _ => Obstacle::Certificate,
        },
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::net::ToSocketAddrs as _;

    use super::*;

    #[test]
    fn a_name_that_is_not_known_is_told_from_an_address_where_nobody_listens() {
        // No label may be so long, so that no server is asked.
        let unknown = (format!("{}.invalid", "a".repeat(64)), 443)
            .to_socket_addrs()
            .map(|_| ())
            .expect_err("no such name");
        assert_eq!(
            Cause::of(&unknown).obstacle,
            Some(Obstacle::UnknownHost),
            "{unknown}"
        );
        let refused = io::Error::other(io::Error::from(io::ErrorKind::ConnectionRefused));
        assert_eq!(Cause::of(&refused).obstacle, Some(Obstacle::Refused));
        let expired = rustls::Error::InvalidCertificate(CertificateError::Expired);
        assert_eq!(
            Cause::of(&io::Error::other(io::Error::other(expired))).obstacle,
            Some(Obstacle::Expired)
        );
        assert_eq!(
            Cause::of(&io::Error::other("something else")).obstacle,
            None
        );
    }
}
