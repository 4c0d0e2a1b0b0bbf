//! Operations of templates: what is known about the JWTs of platforms.

use grantor::admin::{Error, Template, Templates};

use super::{Administration, Answered, Input, Listed, NoQuery, Operation, Route};

/// Lists templates.
pub struct ListTemplates;

impl Operation for ListTemplates {
    type Path = ();
    type Query = NoQuery;
    type Body = ();
    type Answer = Listed<Template>;

    const ROUTE: Route = Route::list("/templates", "list_templates", "List templates");

    async fn run(_: &Administration, input: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        let all = Templates::all().to_vec();
        Ok(Listed::of_all(all, |template| &template.name, &input.portion)?.into())
    }
}

/// Shows a template.
pub struct ShowTemplate;

impl Operation for ShowTemplate {
    type Path = String;
    type Query = NoQuery;
    type Body = ();
    type Answer = Template;

    const ROUTE: Route = Route::get(
        "/templates/{template}",
        "show_template",
        "Show a template: its options, what it pins, and how its claims are found",
    );

    async fn run(_: &Administration, input: Input<Self>) -> Result<Answered<Self::Answer>, Error> {
        Ok(Templates::get(&input.path)?.clone().into())
    }
}
