//! What to do where there is no answer at all.

use grantor::remote::{FetchError, Obstacle};

/// A remedy for what stood in the way; `otherwise` where that cannot be told.
pub fn remedy(error: &FetchError, otherwise: &str) -> String {
    let text = match error.obstacle() {
        _ if matches!(error, FetchError::TimedOut) => {
            "Somebody took the connection, or a firewall swallowed it, and nothing came back: is the server well, and may this machine \
             reach it?"
        }
        Some(Obstacle::UnknownHost) => {
            "The name is not known here: is it spelled right, and does this machine's DNS know it?"
        }
        Some(Obstacle::Refused) => {
            "Nothing listens there: is the server running, and on this port?"
        }
        Some(Obstacle::Unreachable) => {
            "There is no way to it from here: is the network right, and does a firewall let this machine through?"
        }
        Some(Obstacle::NotTls) => {
            "What answers there does not speak TLS: is it the port for https, and is TLS switched on there?"
        }
        Some(Obstacle::UnknownIssuer) => {
            "This machine does not trust the CA of the certificate. For a CA of your own, name its certificate: SSL_CERT_FILE=ca.pem (then \
             only that file is trusted), or add it to the system's store. For a public CA, the server has to send the certificates between \
             its own and the root."
        }
        Some(Obstacle::Expired) => {
            "Renew the certificate; a Grantor server takes up new files under [tls] by itself. If it should be valid, set this machine's \
             clock by NTP."
        }
        Some(Obstacle::NotYetValid) => {
            "The certificate begins later: set this machine's clock by NTP, or the clock of whoever issues it."
        }
        Some(Obstacle::WrongName) => {
            "The certificate is for other names: use the one it is for as issuer, or get a certificate for this name."
        }
        Some(_) => {
            "The certificate cannot be used: the cause says why. Get another for this server."
        }
        None => otherwise,
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_that_does_not_come_in_time_has_a_remedy_of_its_own() {
        assert!(remedy(&FetchError::TimedOut, "otherwise").contains("firewall"));
        assert_eq!(remedy(&FetchError::TooLong(1), "otherwise"), "otherwise");
    }
}
