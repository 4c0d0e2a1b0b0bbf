//! What pages load.

use async_trait::async_trait;
use grantor::server::{
    Answer, Context, Decision, Endpoint, Metadata, Path, Refusal, Request, Route,
};

use super::html;

/// The style sheet, under the name of what is in it.
pub struct StyleSheet;

#[async_trait]
impl Endpoint for StyleSheet {
    fn route(&self) -> Route {
        Route::document("style", Path::Suffix(html::style_path()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(&self, _: &Context, _: &Request, _: &mut Decision) -> Result<Answer, Refusal> {
        Ok(html::style())
    }
}

/// The script, under the name of what is in it.
pub struct Script;

#[async_trait]
impl Endpoint for Script {
    fn route(&self) -> Route {
        Route::document("script", Path::Suffix(html::script_path()))
    }

    fn describe(&self, _: &Context, _: &mut Metadata) {}

    async fn answer(&self, _: &Context, _: &Request, _: &mut Decision) -> Result<Answer, Refusal> {
        Ok(html::script())
    }
}
