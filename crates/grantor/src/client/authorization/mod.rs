//! A person says yes at the authorization endpoint, and comes back with a code (RFC 6749 §4.1): the
//! request, its answer, and what the code is exchanged for.

mod answer;
mod code_client;
mod pending;
mod request;

pub use answer::{AnswerError, AuthorizationRefusal};
pub use code_client::{CodeClient, CodeClientBuilder, Redeemed};
pub use pending::{Code, PendingAuthorization};
pub use request::{AuthorizationRequest, AuthorizationRequestError, StartedAuthorization};
