//! Registrations in JSON.

use std::collections::BTreeMap;

use grantor::{
    admin::Registrations,
    jose::json::{self, Object},
};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

/// Reads a file. What is wrong is said with its line where that is known, and without what stands
/// there.
pub fn object(text: &str) -> Result<Object, String> {
    json::parse_large_object(text.as_bytes(), Registrations::MAX_ITEMS).map_err(|problem| {
        match serde_json::from_str::<IgnoredAny>(text) {
            Err(error) => format!(":{}: not JSON (column {})", error.line(), error.column()),
            Ok(_) => format!(": {problem}"),
        }
    })
}

/// Where the value is that these steps lead to, or the last on the way to it.
pub fn offset(text: &str, steps: &[String]) -> usize {
    let mut here = text;
    for step in steps {
        let next = match here.trim_start().as_bytes().first() {
            Some(b'{') => {
                let members: Option<BTreeMap<String, &RawValue>> = serde_json::from_str(here).ok();
                let names = [step.clone(), format!("{step}_file")];
                members.and_then(|members| names.iter().find_map(|name| members.get(name).copied()))
            }
            Some(b'[') => {
                let items: Option<Vec<&RawValue>> = serde_json::from_str(here).ok();
                let index = step.parse::<usize>().ok();
                items
                    .zip(index)
                    .and_then(|(items, index)| items.get(index).copied())
            }
            _ => None,
        };
        let Some(next) = next else {
            break;
        };
        here = next.get();
    }
    // It is a part of the text, for nothing was copied.
    let start = here.as_ptr() as usize - text.as_ptr() as usize;
    start.min(text.len())
}
