//! `grantor template`, and trusts that are made by one: what a template knows is shown, and what it
//! needs is needed.

use serde_json::{Value, json};

use crate::desk::Desk;

/// All templates, as `template show` has them.
fn all(desk: &Desk) -> Vec<Value> {
    let list = desk.json(&["template", "list"]);
    let list = list.as_array().cloned().expect("a list");
    assert!(list.len() >= 15, "{} templates", list.len());
    let show = |template: Value| {
        let name = template["name"].as_str().expect("a name").to_owned();
        desk.json(&["template", "show", &name])
    };
    list.into_iter().map(show).collect()
}

#[test]
fn t094_what_a_job_does_for_its_jwt_is_as_the_documentation_has_it() {
    let documentation = include_str!("../../../../docs/workloads.md");
    let templates = all(&Desk::new());
    let jobs = templates.iter().filter_map(|template| {
        let job = template["hints"]["job"].as_str()?;
        Some((
            &template["name"],
            job.replace("AUDIENCE", "https://as.example"),
        ))
    });
    let jobs: Vec<_> = jobs.collect();
    assert!(jobs.len() >= 8, "{jobs:?}");
    for (name, job) in jobs {
        assert!(documentation.contains(&job), "{name}: {job}");
    }
}

/// The command line of a trust by this template, with its example's options but for one.
fn create(template: &Value, without: Option<&str>) -> Vec<String> {
    let name = template["name"].as_str().expect("a name");
    let mut arguments: Vec<String> = ["trust", "create", "ci", "--template", name, "--no-check"]
        .map(str::to_owned)
        .into();
    let options = template["example_options"].as_object().expect("options");
    for (option, value) in options
        .iter()
        .filter(|(option, _)| Some(&***option) != without)
    {
        arguments.push(format!("--{option}"));
        match value.as_str().expect("a text") {
            "" => {}
            value => arguments.push(value.to_owned()),
        }
    }
    arguments
}

fn borrowed(arguments: &[String]) -> Vec<&str> {
    arguments.iter().map(String::as_str).collect()
}

#[test]
fn t094_each_template_makes_a_trust_and_its_issuer_of_its_example_and_refuses_what_it_needs() {
    let desk = Desk::new();
    for template in all(&desk) {
        let desk = Desk::new();
        let name = template["name"].as_str().expect("a name");
        let options = template["example_options"].as_object().expect("options");
        let needed = template["options"].as_array().expect("options");
        let needed = needed.iter().filter(|option| {
            option["required"] == json!(true)
                && option["unless"] == json!([])
                && options.contains_key(option["name"].as_str().unwrap_or_default())
        });
        for option in needed {
            let option = option["name"].as_str().expect("a name");
            let arguments = create(&template, Some(option));
            desk.refuses(&borrowed(&arguments), 2, &[&format!("--{option}"), name]);
        }
        let list = desk.run(&["trust", "list", "--json"]).stdout;
        assert!(list.is_empty() || list.trim() == "[]", "{name}: {list}");
        let made = desk.json(&borrowed(&create(&template, None)));
        assert_eq!(
            (&made["trust"]["template"]["name"], &made["trust"]["name"]),
            (&json!(name), &json!("ci")),
            "{made}"
        );
        assert_eq!(made["issuer"]["template"]["version"], template["version"]);
        assert_eq!(made["client"]["client_id"], "ci");
        let again = desk.json(&["trust", "show", "ci"]);
        assert_eq!(again, made["trust"], "{name}");
    }
}

#[test]
fn t094_a_template_is_shown_with_its_options_pins_and_hints() {
    let desk = Desk::new();
    let text = desk.ok(&["template", "show", "github-actions"]);
    for words in [
        "--owner-id OWNER_ID",
        "repository_owner_id",
        "https://token.actions.githubusercontent.com",
        "shared by strangers, told apart by repository_owner_id",
        "needed",
        "Audience:",
        "Refused unless --allow",
        "Example: grantor trust create ci --template github-actions --owner-id",
    ] {
        assert!(text.contains(words), "no {words:?} in {text}");
    }
    let list = desk.ok(&["template", "list"]);
    assert!(
        list.contains("github-actions") && list.contains("kubernetes"),
        "{list}"
    );
}

#[test]
fn what_is_misspelt_is_told_with_what_is_near() {
    let desk = Desk::new();
    desk.refuses(
        &["template", "show", "github-action"],
        2,
        &["did you mean github-actions?", "grantor template list"],
    );
    let by = ["trust", "create", "ci", "--template"];
    desk.refuses(
        &[&by[..], &["gitub-actions"]].concat(),
        2,
        &["github-actions"],
    );
    let github = [&by[..], &["github-actions"]].concat();
    desk.refuses(
        &[&github[..], &["--ownerid", "1"]].concat(),
        2,
        &["--ownerid", "--owner-id"],
    );
    desk.refuses(
        &[&github[..], &["--namespace", "billing"]].concat(),
        2,
        &[
            "--namespace is no option of template github-actions",
            "grantor template show github-actions",
        ],
    );
    desk.refuses(
        &["trust", "create", "ci", "--from", "x", "--owner-id", "1"],
        2,
        &["--template"],
    );
}

#[test]
fn what_no_jwt_ever_has_and_what_makes_no_issuer_names_its_option() {
    let desk = Desk::new();
    for (template, option, wrong) in [
        ("github-actions", "owner-id", "acme"),
        ("github-actions", "ref", "main"),
        ("gitlab", "project-id", "acme/widgets"),
        (
            "google",
            "account-id",
            "ci@acme-prod.iam.gserviceaccount.com",
        ),
        ("aws", "account", "acme"),
        (
            "bitbucket",
            "workspace-uuid",
            "8c1f6a2e-3b5d-4e79-9a04-1d2c7f8b6e35",
        ),
        ("terraform-cloud", "host", "https://terraform.acme.example"),
    ] {
        let shown = desk.json(&["template", "show", template]);
        let mut arguments = create(&shown, Some(option));
        arguments.extend([format!("--{option}"), wrong.to_owned()]);
        let expected = format!("--{option}: {option} is {wrong}; expected");
        desk.refuses(&borrowed(&arguments), 2, &[&expected, "such as"]);
    }
    let spiffe = desk.json(&["template", "show", "spiffe"]);
    let arguments = create(&spiffe, Some("bundle"));
    desk.refuses(
        &borrowed(&arguments),
        2,
        &["--bundle: template spiffe needs"],
    );
    let github = "https://token.actions.githubusercontent.com";
    desk.ok(&["issuer", "create", github, "--discover", "--no-check"]);
    let wide = ["trust", "create", "ci", "--from", github, "--pin"];
    desk.refuses(
        &[&wide[..], &["repository_owner_id=123456"]].concat(),
        2,
        &["; or --allow all-repositories"],
    );
}

#[test]
fn t042_ta58_no_way_leads_around_the_tenants_pin() {
    let desk = Desk::new();
    let github = "https://token.actions.githubusercontent.com";
    desk.ok(&[
        "issuer",
        "create",
        github,
        "--name",
        "github",
        "--discover",
        "--no-check",
    ]);
    let from = ["trust", "create", "ci", "--from", "github"];
    let condition = "assertion.repository_owner_id == '123456'";
    let pins = [
        "--pin",
        "repository_id=456789",
        "--pin",
        "ref=refs/heads/main",
    ];
    let owner = ["--pin", "repository_owner_id=123456"];
    let push = ["--condition", "assertion.event_name == 'push'"];
    desk.refuses(
        &[&from[..], &["--condition", condition]].concat(),
        2,
        &["repository_owner_id"],
    );
    for owner in [
        "repository_owner_id=",
        "repository_owner_id= ",
        "repository_owner_id=contains:1",
    ] {
        desk.refuses(
            &[&from[..], &pins, &push, &["--pin", owner]].concat(),
            2,
            &["--pin"],
        );
    }
    for owner in [
        "repository_owner_id=*",
        "repository_owner_id=**",
        "repository_owner_id=1*",
    ] {
        desk.refuses(
            &[&from[..], &pins, &push, &["--match", owner]].concat(),
            2,
            &["--"],
        );
    }
    desk.ok(&[&from[..], &pins, &push, &owner].concat());
    let unpin = ["trust", "update", "ci", "--unpin", "repository_owner_id"];
    desk.refuses(&unpin, 2, &["repository_owner_id"]);
    let trust = desk.json(&["trust", "show", "ci"]);
    assert_eq!(trust["pins"].as_array().map(Vec::len), Some(3), "{trust}");
}
