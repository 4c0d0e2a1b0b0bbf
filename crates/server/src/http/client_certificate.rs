//! Whether clients are asked for a certificate, and which are let through to the stages that judge
//! them (RFC 8705).

use std::sync::Arc;

use grantor::server::ClientCertificate;
use serde::Deserialize;
use tokio_rustls::rustls::{
    self, CertificateError, DigitallySignedStruct, DistinguishedName, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, UnixTime},
    server::{
        ServerConnection,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};

/// Octets of a chain, all its certificates together: what a connection and a session that may be
/// resumed keep.
const LARGEST_CHAIN: usize = 16 * 1024;
/// Certificates of a chain.
const LONGEST_CHAIN: usize = 6;

/// Whether clients are asked for a certificate (`tls.client_certificates`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClientCertificates {
    /// None is asked for.
    #[default]
    Off,
    /// Each client may show one, and need not.
    Ask,
}

/// Lets any certificate through whose key the client proves to hold, self-signed ones too (RFC 8705
/// §2.2), and clients without one. What a certificate is worth is for the stages to decide.
#[derive(Debug)]
pub(super) struct AnyCertificate(pub Arc<CryptoProvider>);

impl ClientCertVerifier for AnyCertificate {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    /// None: an authority that is named here would keep clients from showing other certificates.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let octets: usize = others.iter().map(|other| other.len()).sum();
        match certificate.len() + octets <= LARGEST_CHAIN && others.len() < LONGEST_CHAIN {
            true => Ok(ClientCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// The certificate that the client of a connection proved to hold, in this handshake or in the one
/// whose session is resumed.
pub(super) fn of(connection: &ServerConnection) -> Option<ClientCertificate> {
    let certificate = connection.peer_certificates()?.first()?;
    Some(ClientCertificate::from_der(certificate.to_vec()))
}

#[cfg(test)]
mod tests;
