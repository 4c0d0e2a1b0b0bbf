use std::collections::BTreeSet;

use grantor_jose::{Algorithm, Claims};

use super::*;
use crate::{
    admin::{
        Fault, Issuers, ServerTerms, TrustStores, lint_names,
        lints::put,
        trusts::{TrustDocument, check},
    },
    assertion::TrustCheck,
    clock::UnixTime,
    registry::{Condition, PinValue, SubjectMapping, Trust, TrustedIssuer},
    storage::MemoryStore,
    types::{ClientId, Issuer, Name},
};

const NOW: UnixTime = UnixTime::from_millis(1_750_000_000_000);

fn name() -> Name {
    Name::parse("ci").expect("a name")
}

fn options(template: &Template) -> TemplateOptions {
    template.example_options.clone().into_iter().collect()
}

/// The issuer and the trust of these options, both checked as registrations are.
fn registered(template: &Template, options: &TemplateOptions) -> (TrustedIssuer, Trust) {
    let made = template.make(&name(), options).expect(&template.name);
    let (store, terms) = (MemoryStore::new(), terms());
    let issuers = Issuers::new(TrustStores::of(&store), &terms, NOW);
    let issuer = issuers.checked(made.issuer).expect(&template.name);
    (issuer.clone(), trust_of(&issuer, made.trust))
}

fn trust_of(issuer: &TrustedIssuer, document: TrustDocument) -> Trust {
    let client = ClientId::parse("ci").expect("a client");
    document.trust(issuer.id.clone(), client, NOW)
}

fn terms() -> ServerTerms {
    ServerTerms::new(Issuer::parse("https://as.example").expect("an issuer"))
}

fn claims(claims: &Object) -> Claims {
    let text = serde_json::to_vec(claims).expect("JSON");
    Claims::parse(&text).expect("claims")
}

/// The faults of options, by the names of the options.
fn faults(template: &Template, options: &TemplateOptions) -> Vec<Fault> {
    match template.make(&name(), options) {
        Err(Error::Invalid(faults)) => faults,
        other => unreachable!("faults, not {other:?}"),
    }
}

#[test]
fn t095_the_file_has_each_template_once_and_each_says_what_it_is() {
    let names: Vec<_> = Templates::all().iter().map(|one| &*one.name).collect();
    let expected = [
        "github-actions",
        "gitlab",
        "kubernetes",
        "spiffe",
        "google",
        "entra",
        "aws",
        "circleci",
        "buildkite",
        "terraform-cloud",
        "bitbucket",
        "azure-devops",
        "vercel",
        "fly",
        "cloudflare-access",
        "oidc",
    ];
    assert_eq!(names, expected);
    for template in Templates::all() {
        assert!(template.version >= 1, "{}", template.name);
        assert!(template.docs.starts_with("https://"), "{}", template.name);
        for algorithm in &template.algorithms {
            let known = Algorithm::from_name(algorithm).expect(algorithm);
            assert!(!known.is_mac(), "{}", template.name);
        }
        let is_option = |name: &String| template.options.iter().any(|one| one.name == *name);
        for option in &template.options {
            let named = [&option.unless, &option.with_one_of];
            assert!(
                named.into_iter().flatten().all(is_option),
                "{}",
                option.name
            );
            assert_eq!(option.is_flag, option.example.is_empty(), "{}", option.name);
        }
        for one_of in &template.one_of {
            assert!(one_of.options.iter().all(is_option), "{}", template.name);
        }
        assert!(
            template.example_options.keys().all(is_option),
            "{}",
            template.name
        );
        for claim in template.options.iter().flat_map(|option| &option.pins) {
            let hint = template.hints.claims.get(claim);
            assert!(hint.is_some(), "{}: {claim}", template.name);
        }
        assert!(!template.near_misses.is_empty(), "{}", template.name);
        let is_once = template.replay != ReplayPolicy::Reusable;
        assert_eq!(template.hints.once.is_some(), is_once, "{}", template.name);
        let allowed = template.options.iter().flat_map(|option| &option.allows);
        let known = lint_names();
        assert!(allowed.into_iter().all(|lint| known.contains(&**lint)));
    }
    let error = Templates::get("github").expect_err("no such template");
    assert!(matches!(error, Error::NotFound(Named::Template(_))));
}

#[test]
fn t094_a_template_makes_a_trust_that_takes_the_example() {
    for template in Templates::all() {
        let (issuer, trust) = registered(template, &options(template));
        assert_eq!(check(&issuer, &trust), [], "{}", template.name);
        let claims = claims(&template.example);
        let checked = TrustCheck::of(&trust, &claims);
        assert!(checked.takes() && trust.takes(&claims), "{checked:#?}");
        trust.subject.subject(&claims).expect(&template.name);
        assert_eq!(trust.template, Some(template.reference()));
        assert_eq!(issuer.template, Some(template.reference()));
        // What the example has is what the issuer's rules ask for.
        if let Some(iss) = &claims.issuer {
            assert_eq!(**iss, *issuer.id.as_str());
        }
        let audiences = claims.audience.as_ref().map_or(&[][..], |aud| aud.values());
        let own = ["https://as.example".to_owned()];
        let wanted = match issuer.audiences.is_empty() {
            true => &own[..],
            false => &issuer.audiences,
        };
        let has = audiences
            .iter()
            .any(|aud| wanted.iter().any(|one| **one == **aud));
        let is_sole = issuer.audience_match == AudienceMatch::Any || audiences.len() == 1;
        assert!(has && is_sole, "{}", template.name);
        let date = |date: Option<grantor_jose::NumericDate>| date.expect("a date").seconds();
        let lifetime = date(claims.expires) - date(claims.issued_at);
        assert!(
            lifetime <= issuer.max_lifetime.as_secs_f64(),
            "{}",
            template.name
        );
        let has_id = claims.token_id.is_some();
        assert!(
            has_id || issuer.replay != ReplayPolicy::Once,
            "{}",
            template.name
        );
    }
}

#[test]
fn t094_each_near_miss_fails_exactly_the_row_that_it_names() {
    for template in Templates::all() {
        let (_, trust) = registered(template, &options(template));
        for miss in &template.near_misses {
            let mut changed = template.example.clone();
            for (claim, value) in &miss.change {
                put(&mut changed, claim, value.clone());
            }
            let checked = TrustCheck::of(&trust, &claims(&changed));
            let failing: Vec<_> = checked
                .failing()
                .map(|row| match &*row.claim {
                    "" => "condition",
                    claim => claim,
                })
                .collect();
            assert_eq!(failing, [&*miss.fails], "{}: {}", template.name, miss.what);
        }
        // Every row of the trust is missed by one.
        let missed: BTreeSet<_> = template.near_misses.iter().map(|one| &*one.fails).collect();
        let checked = TrustCheck::of(&trust, &claims(&template.example));
        for row in &checked.rows {
            let name = match &*row.claim {
                "" => "condition",
                claim => claim,
            };
            assert!(missed.contains(name), "{}: {name}", template.name);
        }
    }
}

#[test]
fn t095_each_example_has_the_shape_of_its_option() {
    let mut shapes = 0;
    for template in Templates::all() {
        for option in &template.options {
            let Some(shape) = option.shape else { continue };
            shapes += 1;
            assert!(
                shape.is_of(&option.example),
                "{} {}",
                template.name,
                option.name
            );
        }
    }
    assert!(shapes >= 10, "{shapes}");
    for (shape, wrong) in [
        (Shape::Digits, "12a"),
        (Shape::Braced, "12"),
        (Shape::Ref, "main"),
        (Shape::Host, "https://acme.example"),
        (Shape::Host, "acme.example/x"),
    ] {
        assert!(!shape.is_of(wrong), "{wrong}");
    }
}

#[test]
fn t094_a_template_without_what_it_needs_makes_nothing() {
    for template in Templates::all() {
        for option in template.options.iter().filter(|option| option.required) {
            let mut fewer = template.example_options.clone();
            if fewer.remove(&option.name).is_none() {
                continue;
            }
            let found = faults(template, &fewer.into_iter().collect());
            let pointer = format!("/options/{}", option.name);
            let fault = found.iter().find(|fault| fault.pointer == pointer);
            let fault = fault.expect(&pointer);
            assert!(fault.detail.contains(&*option.what), "{fault}");
        }
        for value in ["", " "] {
            let named = template.options.iter().filter(|option| !option.is_flag);
            for option in named.filter(|option| option.required) {
                let wrong = options(template).with(&option.name, value);
                let found = faults(template, &wrong);
                let pointer = format!("/options/{}", option.name);
                assert!(
                    found.iter().any(|fault| fault.pointer == pointer),
                    "{found:?}"
                );
            }
        }
        let wrong = options(template).with("colour", "red");
        assert_eq!(faults(template, &wrong)[0].pointer, "/options/colour");
    }
}

#[test]
fn ta58_a_template_with_a_star_for_its_owner_makes_nothing_that_is_registered() {
    for template in Templates::all() {
        for option in &template.options {
            let is_in_example = template.example_options.contains_key(&option.name);
            if option.pins.is_empty() || !option.required || !is_in_example {
                continue;
            }
            for value in ["*", "**", " * "] {
                let wrong = options(template).with(&option.name, value);
                let faults = match template.make(&name(), &wrong) {
                    Err(Error::Invalid(faults)) => faults,
                    Err(error) => unreachable!("{error}"),
                    Ok(made) => {
                        let (issuer, _) = registered(template, &options(template));
                        let mut trust = trust_of(&issuer, made.trust);
                        trust.issuer.clone_from(&issuer.id);
                        check(&issuer, &trust)
                    }
                };
                assert!(!faults.is_empty(), "{} {}", template.name, option.name);
            }
        }
    }
}

#[test]
fn t042_the_issuers_of_the_table_are_known_to_be_shared() {
    for (iss, tenants) in [
        (
            "https://token.actions.githubusercontent.com",
            &["repository_owner_id"][..],
        ),
        (
            "https://token.actions.githubusercontent.com/acme",
            &["repository_owner_id"],
        ),
        (
            "https://token.actions.acme.ghe.com",
            &["repository_owner_id"],
        ),
        (
            "https://github.acme.example/_services/token",
            &["repository_owner_id"],
        ),
        ("https://gitlab.com", &["namespace_id", "project_id"]),
        ("https://accounts.google.com", &["sub"]),
        ("accounts.google.com", &["sub"]),
        ("https://agent.buildkite.com", &["organization_id"]),
        ("https://app.terraform.io", &["terraform_organization_id"]),
        ("https://oidc.circleci.com", &["oidc.circleci.com/org-id"]),
        ("https://oidc.vercel.com", &["owner_id"]),
        ("https://api.pulumi.com/oidc", &["aud"]),
        ("https://cognito-identity.amazonaws.com", &["aud"]),
    ] {
        let (_, found) = shared(iss).expect(iss);
        let found: Vec<_> = found.iter().map(ClaimPath::as_str).collect();
        assert_eq!(found, tenants, "{iss}");
    }
    for iss in [
        "https://token.actions.githubusercontent.com/",
        "https://token.actions.githubusercontent.com/a/b",
        "https://oidc.circleci.com/org/acme",
        "https://oidc.vercel.com/acme",
        "https://gitlab.acme.example",
        "https://oidc.eks.eu-west-1.amazonaws.com/id/ABC",
        "https://idp.acme.example",
    ] {
        assert!(shared(iss).is_none(), "{iss}");
    }
}

#[test]
fn a_template_chooses_the_issuer_by_what_is_named() {
    let github = Templates::get("github-actions").expect("a template");
    let gitlab = Templates::get("gitlab").expect("a template");
    let kubernetes = Templates::get("kubernetes").expect("a template");
    let circleci = Templates::get("circleci").expect("a template");
    let entra = Templates::get("entra").expect("a template");
    let named = |template: &Template, name: &str, value: &str| {
        let options = options(template).with(name, value);
        registered(template, &options).0
    };
    for (issuer, iss, name) in [
        (
            named(github, "enterprise", "acme-corp"),
            "https://token.actions.githubusercontent.com/acme-corp",
            "github-acme-corp",
        ),
        (
            named(github, "host", "github.acme.example"),
            "https://github.acme.example/_services/token",
            "github-github.acme.example",
        ),
        (
            named(gitlab, "host", "gitlab.acme.example"),
            "https://gitlab.acme.example",
            "gitlab-gitlab.acme.example",
        ),
        (
            named(circleci, "shared-issuer", ""),
            "https://oidc.circleci.com",
            "circleci",
        ),
        (
            named(entra, "v1", ""),
            "https://sts.windows.net/72f988bf-0000-0000-0000-2d7cd011db47/",
            "entra-v1-72f988bf-0000-0000-0000-2d7cd011db47",
        ),
    ] {
        assert_eq!((issuer.id.as_str(), issuer.name.as_str()), (iss, name));
    }
    // A cluster of nobody known.
    let own = TemplateOptions::new()
        .with("namespace", "billing")
        .with("service-account", "deployer");
    let (issuer, _) = registered(
        kubernetes,
        &own.clone().with("iss", "https://k8s.acme.example"),
    );
    assert_eq!(issuer.name.as_str(), "k8s.acme.example");
    assert_eq!(issuer.max_lifetime.as_secs(), 3600);
    let found = faults(kubernetes, &own);
    let expected = "say which issuer it is: eks-region and eks-id; or gke-project and gke-location \
                    and gke-cluster; or aks-region and aks-tenant and aks-id; or iss";
    assert_eq!(found[0].detail, expected);
}

#[test]
fn flags_widen_a_trust_only_beside_another_restriction() {
    let github = Templates::get("github-actions").expect("a template");
    let all = TemplateOptions::new()
        .with("owner-id", "123456")
        .with_flag("all-repositories")
        .with("ref", "refs/heads/main");
    let found = faults(github, &all);
    assert_eq!(found[0].pointer, "/options/all-repositories", "{found:?}");
    let workflow = "acme/shared/.github/workflows/deploy.yml@refs/heads/main";
    let (issuer, trust) = registered(github, &all.with("workflow", workflow));
    assert_eq!(check(&issuer, &trust), []);
    assert!(trust.takes(&claims(&github.example)));
    let mut other = github.example.clone();
    other.insert("repository_id".to_owned(), "1".into());
    assert!(trust.takes(&claims(&other)));
    other.insert("repository_owner_id".to_owned(), "1".into());
    assert!(
        !trust.takes(&claims(&other)),
        "TA24: a stranger calls our workflow"
    );

    let gitlab = Templates::get("gitlab").expect("a template");
    let found = faults(gitlab, &TemplateOptions::new().with_flag("all-projects"));
    assert!(
        found
            .iter()
            .any(|fault| fault.pointer == "/options/namespace-id")
    );
    let all = TemplateOptions::new()
        .with("namespace-id", "72")
        .with_flag("all-projects")
        .with_flag("before-18-4");
    let (issuer, trust) = registered(gitlab, &all);
    assert_eq!(check(&issuer, &trust), []);
    assert_eq!(trust.pins.len(), 1, "{:?}", trust.pins);
}

/// TA22, TA24: the subject is never read.
#[test]
fn t094_an_issuer_tells_the_options_that_make_it() {
    for template in Templates::all() {
        let made = template
            .make(&name(), &options(template))
            .expect(&template.name);
        let iss = made.issuer.iss.as_str();
        let told = template.options_of(iss).expect(&template.name);
        let all = template.example_options.clone().into_iter().chain(told);
        let again = template.make(&name(), &all.collect());
        assert_eq!(again.expect(&template.name).issuer.iss.as_str(), iss);
    }
    let gitlab = Templates::get("gitlab").expect("a template");
    assert_eq!(
        gitlab.options_of("https://gitlab.com"),
        Some(BTreeMap::new())
    );
    let told = gitlab
        .options_of("https://gitlab.acme.example")
        .expect("a host");
    assert_eq!(told["host"], "gitlab.acme.example");
    assert_eq!(gitlab.options_of("https://gitlab.acme.example/x"), None);
}

#[test]
fn ta22_every_form_of_a_github_subject_is_taken() {
    let github = Templates::get("github-actions").expect("a template");
    let (_, trust) = registered(github, &options(github));
    for sub in [
        "repo:acme/widgets:ref:refs/heads/main",
        "repo:acme@123456/widgets@456789:environment:prod",
        "repository_id:456789",
        "x",
    ] {
        let mut claims_of = github.example.clone();
        claims_of.insert("sub".to_owned(), sub.into());
        assert!(trust.takes(&claims(&claims_of)), "{sub}");
    }
}

#[test]
fn a_glob_in_an_option_is_a_match_and_any_other_value_is_a_pin() {
    let github = Templates::get("github-actions").expect("a template");
    let tags = options(github).with("ref", "refs/tags/v*");
    let (issuer, trust) = registered(github, &tags);
    assert_eq!(check(&issuer, &trust), []);
    assert_eq!((trust.pins.len(), trust.matches.len()), (2, 1));
    let ids = trust.pins.iter().map(|pin| &pin.value);
    assert!(
        ids.into_iter()
            .all(|value| matches!(value, PinValue::Text(_)))
    );
    let wrong = options(github).with("ref", "**");
    assert_eq!(faults(github, &wrong)[0].pointer, "/options/ref");
}

/// The default of each mapping begins with the name of the trust.
#[test]
fn t026_the_subjects_of_two_trusts_of_a_template_never_meet() {
    for template in Templates::all() {
        let (_, trust) = registered(template, &options(template));
        let text = trust.subject.to_string();
        assert!(text.starts_with("template:ci:"), "{text}");
        assert!(matches!(trust.subject, SubjectMapping::Template(_)));
    }
}

#[test]
fn what_is_made_records_the_template_and_is_changed_by_nothing_later() {
    let github = Templates::get("github-actions").expect("a template");
    let made = github.make(&name(), &options(github)).expect("made");
    let mut later = github.clone();
    later.version += 1;
    later.condition = None;
    assert_ne!(made.trust.template, Some(later.reference()));
    let condition = made.trust.condition.as_ref().map(Condition::as_str);
    assert_eq!(condition, github.condition.as_deref());
}
