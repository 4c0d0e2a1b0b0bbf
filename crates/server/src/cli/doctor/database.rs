//! The database of this server: what a start would check, without starting (S088).

use std::fmt::{self, Display};

use crate::{
    backend::{Survey, Verdict},
    cli::{Failure, Global, output::table, unopened},
    config::Overrides,
};

/// Prints the checks, and what is promised where they are kept.
pub async fn examine(global: &Global) -> Result<(), Failure> {
    let config = global.load_config(Overrides::default())?;
    let surveyed = global.place(&config).survey().await.map_err(unopened)?;
    let Some(survey) = surveyed else {
        return global.output().print(
            &serde_json::Value::Null,
            "the database is a file of this machine (SQLite), of one node: there is no server whose settings could be wrong",
        );
    };
    global.output().print(&survey, Shown(&survey))?;
    let refused = survey.checks.iter();
    match refused
        .filter(|check| check.verdict == Verdict::Refused)
        .count()
    {
        0 => Ok(()),
        1 => Err(Failure::failed("one check fails: no node starts with it")),
        number => Err(Failure::failed(format!(
            "{number} checks fail: no node starts with them"
        ))),
    }
}

/// For people.
struct Shown<'s>(&'s Survey);

impl Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Survey {
            checks,
            schema,
            contract,
        } = self.0;
        let head = ["CHECK", "FOUND", "WANTED", "", "REMEDY"];
        let rows = table(checks, &head, |check| {
            let (verdict, remedy) = match check.verdict {
                Verdict::Kept => ("ok", ""),
                Verdict::Warned => ("warning", &*check.remedy),
                Verdict::Refused => ("WRONG", &*check.remedy),
            };
            [check.name, &check.found, check.wanted, verdict, remedy]
                .map(str::to_owned)
                .to_vec()
        });
        let tables = match schema {
            Some(version) => format!("tables of schema version {version}"),
            None if checks.iter().any(|check| check.name == "privileges") => {
                "tables that this role may not see".to_owned()
            }
            None => "no tables yet".to_owned(),
        };
        write!(f, "{rows}\n\n{tables}\n{contract}")
    }
}
