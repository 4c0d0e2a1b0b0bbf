//! The authorization code (RFC 6749 §4.1.2): everything that was decided, sealed. Nothing is written
//! before it is redeemed.

use grantor_jose::crypto::random_bytes;
use serde::{Deserialize, Serialize};

use super::{challenge::Challenge, consent::Consented, request::Reply};
use crate::{
    clock::UnixTime,
    registry::{Client, PermissionNumbers},
    server::{Context, SealKind},
    types::{ClientId, Scope, SubjectId},
};

/// What a code is inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::server) struct Code {
    /// The client, and which registration of that name.
    pub(in crate::server) client: (ClientId, u64),
    /// The person, and which registration of that name.
    pub(in crate::server) subject: (SubjectId, u64),
    /// Where the code was sent.
    pub(in crate::server) redirect_uri: String,
    pub(in crate::server) challenge: Challenge,
    pub(in crate::server) scope: Scope,
    pub(in crate::server) resource: Option<String>,
    /// When the person signed in.
    pub(in crate::server) auth_time: UnixTime,
    /// The permissions by which it was given.
    pub(in crate::server) records: PermissionNumbers,
    pub(in crate::server) issued_at: UnixTime,
    /// Which code it is, and the family of what is made of it.
    pub(in crate::server) nonce: [u8; 16],
}

/// A code that was issued. `Debug` does not show it.
pub(super) struct IssuedCode(String);

impl IssuedCode {
    /// For a client whose request the person, who is present, allows.
    pub(super) fn issue(
        context: &Context,
        client: &Client,
        reply: &Reply,
        consented: Consented,
    ) -> Self {
        let subject = consented.present.subject;
        let code = Code {
            client: (client.id().clone(), client.revision().number),
            subject: (subject.id, subject.revision.number),
            redirect_uri: reply.target.uri().to_owned(),
            challenge: reply.challenge.clone(),
            scope: consented.scope,
            resource: reply.resource.clone(),
            auth_time: consented.present.signed_in.at(),
            records: consented.records,
            issued_at: context.now(),
            nonce: random_bytes(),
        };
        Self(context.seals().seal(SealKind::CODE, "", &code))
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

impl Code {
    /// What this text was sealed of, if it is a code at all.
    pub(in crate::server) fn open(context: &Context, text: &str) -> Option<Self> {
        context.seals().open(SealKind::CODE, "", text)
    }

    /// When it works no more.
    pub(in crate::server) fn end(&self, context: &Context) -> UnixTime {
        self.issued_at.plus(context.settings().code_lifetime)
    }
}
