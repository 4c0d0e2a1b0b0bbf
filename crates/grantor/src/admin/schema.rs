//! JSON Schemas of the texts in documents.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use crate::{
    registry::{Condition, SubjectMapping},
    types::{
        AuthMethod, ClaimPath, ClientId, Description, DisplayName, ErrorCode, Glob, GrantType,
        Homepage, IssuerId, Name, RedirectUri, Rule, Scope, ScopeToken, Shown, SubjectId,
    },
};

macro_rules! texts {
    ($($name:ident: $description:literal, $most:expr);* $(;)?) => {$(
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $description, "maxLength": $most})
            }
        }
    )*};
}

texts! {
    AuthMethod: "A client authentication method, such as private_key_jwt.", 256;
    ClaimPath: "A claim: its name, or a JSON Pointer.", 1024;
    ClientId: "A client identifier.", 255;
    Condition: "A condition in CEL.", 4096;
    Description: "A sentence that people read.", 1024;
    DisplayName: "A name that people read.", 256;
    ErrorCode: "An OAuth error code.", 256;
    Glob: "A glob that the whole of a claim has to match.", 1024;
    GrantType: "A grant, as grant_type names it.", 256;
    Homepage: "An https URL.", 2048;
    IssuerId: "An issuer, by its iss.", 2048;
    Name: "A name: letters, digits and -._", 256;
    RedirectUri: "A redirect URI.", 2048;
    Rule: "A rule of the server.", 64;
    Scope: "Scope tokens, separated by single spaces.", Scope::MAX_BYTES;
    ScopeToken: "One scope token.", Scope::MAX_BYTES;
    Shown: "A stranger's text, escaped and cut.", 4096;
    SubjectMapping: "Whom tokens are about.", 4096;
    SubjectId: "A subject, the value of sub.", 255;
}
