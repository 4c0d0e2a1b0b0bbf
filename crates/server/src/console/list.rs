//! Lists: a page of them, and links to the next (M118).

use serde::{Deserialize, Serialize};
use url::form_urlencoded;

use super::Visit;
use crate::admin::Portion;

/// What every list understands beside its filters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ListQuery {
    /// Behind this cursor.
    pub after: Option<String>,
    /// What it is ordered by, where that can be chosen.
    pub sort: Option<String>,
    /// In which form: `csv` or `json`; a page if absent.
    pub format: Option<String>,
}

impl ListQuery {
    /// Which part of the list.
    pub fn portion(&self) -> Portion {
        Portion {
            after: self.after.clone(),
            ..Portion::default()
        }
    }
}

/// Links from a list: to its next page and its first, and to the same in other forms.
#[derive(Clone, Debug)]
pub struct Pager {
    pub next: Option<String>,
    pub first: Option<String>,
    pub csv: String,
    pub json: String,
}

impl Pager {
    /// Of a list with these filters, of which this cursor leads on.
    pub fn of(visit: &Visit, filter: &impl Serialize, next: Option<&str>) -> Self {
        let with = |name: &str, value: &str| address(&visit.here(), filter, &[(name, value)]);
        Self {
            next: next.map(|cursor| with("after", cursor)),
            first: visit
                .list
                .after
                .is_some()
                .then(|| address(&visit.here(), filter, &[])),
            csv: with("format", "csv"),
            json: with("format", "json"),
        }
    }
}

/// The address of a list with these filters, and more.
pub fn address(path: &str, filter: &impl Serialize, more: &[(&str, &str)]) -> String {
    let own = serde_html_form::to_string(filter).expect("filters are pairs of texts");
    let mut query = form_urlencoded::Serializer::new(own);
    query.extend_pairs(more);
    match &*query.finish() {
        "" => path.to_owned(),
        query => format!("{path}?{query}"),
    }
}
