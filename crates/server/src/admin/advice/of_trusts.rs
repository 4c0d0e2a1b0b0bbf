//! One sentence about a JWT that no trust took: what differs, what to change, and who has to.

use grantor::{
    admin::Hints,
    assertion::{ClaimCheck, ClaimRule, SetAside, TrustCheck},
    registry::Mode,
    types::ClaimPath,
};

/// Who advises: what is known of the issuer of a JWT.
pub struct Advisor<'a> {
    /// What operators call it.
    pub name: &'a str,
    /// The claims that tell its customers apart, where strangers share it.
    pub tenant_claims: &'a [ClaimPath],
    /// What its template tells.
    pub hints: Option<&'a Hints>,
    /// The private cause of the refusal.
    pub cause: &'a str,
}

impl Advisor<'_> {
    /// The sentence; nothing where exactly one trust takes the JWT.
    pub fn sentence(&self, trusts: &[TrustCheck]) -> Option<String> {
        // One that is asked about alone counts, also while it is a shadow.
        let is_only = trusts.len() == 1;
        let counts = |check: &&TrustCheck| is_asked(check) && (is_only || check.mode == Mode::On);
        let asked = || trusts.iter().filter(counts);
        let takes: Vec<_> = asked().filter(|check| check.takes()).collect();
        match (
            &takes[..],
            asked().min_by_key(|check| check.failing().count()),
        ) {
            ([_], _) => None,
            ([one, other, ..], _) => Some(ambiguous(one, other)),
            ([], Some(nearest)) => Some(self.differs(nearest)),
            ([], None) => Some(self.unasked(trusts)),
        }
    }

    /// No trust was asked.
    fn unasked(&self, trusts: &[TrustCheck]) -> String {
        let name = self.name;
        let aside = |wanted| {
            let mut trusts = trusts.iter();
            trusts.find(|check| check.takes() && check.set_aside == Some(wanted))
        };
        if let Some(check) = aside(SetAside::OtherClient) {
            let (trust, client) = (&check.trust, &check.client);
            return format!(
                "Trust {trust} would take it for client {client}: have the job send client_id={client}, or no client_id."
            );
        }
        if let Some(check) = aside(SetAside::OtherUse) {
            let trust = &check.trust;
            return format!(
                "Trust {trust} is not for this use: have the job send the JWT as what the trust is for, or run `grantor trust update {trust} --use grant --use client-auth`."
            );
        }
        if let Some(check) = aside(SetAside::Off) {
            let trust = &check.trust;
            return format!(
                "Trust {trust} would take it, but it is off: run `grantor trust enable {trust}`, if it is to count."
            );
        }
        if let ([], [tenant, ..]) = (trusts, self.tenant_claims) {
            let is_missing = |claim: &&ClaimPath| {
                let missing = format!("{claim} is {MISSING}");
                self.cause.contains(&missing)
            };
            if self.tenant_claims.iter().all(|claim| is_missing(&claim)) {
                return self.lacks_tenant(tenant.as_str());
            }
            return format!(
                "No trust is for the customer of issuer {name} that it is of (its {tenant} is in the cause): change nothing, unless that is one of yours; then make a trust for it."
            );
        }
        format!(
            "No trust says what a JWT of issuer {name} is worth: make one with `grantor trust create NAME --from {name} --client CLIENT --pin CLAIM=VALUE`."
        )
    }

    /// The nearest trust does not take it.
    fn differs(&self, nearest: &TrustCheck) -> String {
        let trust = &nearest.trust;
        let failing: Vec<_> = nearest.failing().collect();
        let tenant = failing
            .iter()
            .find(|row| row.rule == ClaimRule::Pin && self.tells_tenants(&row.claim));
        if let Some(row) = tenant.filter(|row| row.got == MISSING) {
            return self.lacks_tenant(&row.claim);
        }
        if let Some(row) = tenant {
            let (claim, got) = (&row.claim, &row.got);
            return format!(
                "It is of another customer of issuer {}, whose {claim} is {got}: change nothing, unless that is one of yours; then make a trust for it.",
                self.name
            );
        }
        let what = failing.iter().map(|row| self.row(row));
        let what = upper_first(&what.collect::<Vec<_>>().join(", and "));
        let flags: String = failing.iter().map(|row| flag(row)).collect();
        if failing.iter().all(|row| row.rule == ClaimRule::Condition) {
            return format!(
                "{what}, so trust {trust} does not take it: change the job, or the condition (`grantor trust update {trust}{flags}`)."
            );
        }
        format!(
            "{what}, so trust {trust} does not take it: if the job is wrong, have it changed so that these are as expected; if the trust is, run `grantor trust update {trust}{flags}`."
        )
    }

    /// The claim that tells the customers of the issuer apart is not there.
    fn lacks_tenant(&self, claim: &str) -> String {
        let hint = self.hint(claim).map(|hint| format!(" ({hint})"));
        format!(
            "Claim {claim} is missing{}: it tells the customers of issuer {} apart, and no trust takes a JWT without it. Have the job changed so that its JWT has it.",
            hint.unwrap_or_default(),
            self.name
        )
    }

    /// What the template says of the claims that a condition has looked at.
    fn hints_of_condition(&self, got: &str) -> String {
        let told = got.split("; ").filter_map(|told| told.split_once(" is "));
        let hints = told.filter_map(|(claim, _)| self.hint(claim));
        let hints: Vec<_> = hints.collect();
        match hints.is_empty() {
            true => String::new(),
            false => format!(" ({})", hints.join("; ")),
        }
    }

    fn tells_tenants(&self, claim: &str) -> bool {
        let mut claims = self.tenant_claims.iter();
        claims.any(|tenant| tenant.as_str() == claim)
    }

    fn hint(&self, claim: &str) -> Option<&str> {
        let mut hints = self.hints?.claims.iter();
        hints
            .find(|(known, _)| known.as_str() == claim)
            .map(|(_, hint)| &**hint)
    }

    /// How a row differs.
    fn row(&self, row: &ClaimCheck) -> String {
        let ClaimCheck {
            claim,
            expected,
            got,
            ..
        } = row;
        let hint = self.hint(claim).map(|hint| format!(" ({hint})"));
        let hint = hint.unwrap_or_default();
        match row.rule {
            ClaimRule::Condition => format!(
                "the condition came to {got}{}",
                self.hints_of_condition(got)
            ),
            _ if got == MISSING => format!("claim {claim} is missing{hint}"),
            _ => format!("claim {claim} is {got} instead of {expected}{hint}"),
        }
    }
}

/// How a row shows a claim that is not there.
const MISSING: &str = "missing";

/// Whether the trust was asked.
fn is_asked(check: &TrustCheck) -> bool {
    check.set_aside.is_none()
}

fn ambiguous(one: &TrustCheck, other: &TrustCheck) -> String {
    let (first, second) = (&one.trust, &other.trust);
    match one.client == other.client {
        true => format!(
            "Trusts {first} and {second} both take it, for one client: narrow one of them with `grantor trust update {first}`, or disable it."
        ),
        false => format!(
            "Trusts {first} and {second} both take it: have the job send client_id={} or client_id={}, or narrow one of them with `grantor trust update {first}`.",
            one.client, other.client
        ),
    }
}

/// The flag of `trust update` by which the trust would have what the JWT has.
fn flag(row: &ClaimCheck) -> String {
    let claim = &row.claim;
    let value = |got: &str| match is_whole(got) {
        true => quoted(&format!("{claim}={got}")),
        false => quoted(&format!("{claim}=VALUE")),
    };
    match row.rule {
        ClaimRule::Condition => " --condition '...'".to_owned(),
        ClaimRule::Pin if row.got == MISSING => format!(" --unpin {}", quoted(claim)),
        ClaimRule::Match if row.got == MISSING => format!(" --unmatch {}", quoted(claim)),
        ClaimRule::Pin => format!(" --pin {}", value(&row.got)),
        ClaimRule::Match => format!(" --match {}", value(&row.got)),
    }
}

/// Whether a value is shown as it is: nothing of it is cut or escaped, and it is no list or object.
fn is_whole(got: &str) -> bool {
    !got.starts_with(['[', '{']) && !got.contains(['\\', '`']) && !got.ends_with("octets)")
}

/// As a shell takes it for one word.
pub fn quoted(word: &str) -> String {
    let is_plain = |octet: u8| octet.is_ascii_alphanumeric() || b"-_./:=@,+%".contains(&octet);
    match word.bytes().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

fn upper_first(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}
