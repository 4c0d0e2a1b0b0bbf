//! Registrations in TOML.

use grantor::jose::json::{Object, Value};
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

/// Reads a file. What is wrong is said with its line, and without what stands there: the file may be
/// another than was meant, with a key in it.
pub fn object(text: &str) -> Result<Object, String> {
    let table: toml::Table = toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map(|span| text[..span.start].matches('\n').count() + 1);
        let line = line.map(|line| format!(":{line}")).unwrap_or_default();
        format!("{line}: {}", error.message())
    })?;
    Ok(of_table(table))
}

fn of_table(table: toml::Table) -> Object {
    let members = table.into_iter();
    members
        .map(|(name, value)| (name, of_value(value)))
        .collect()
}

/// A time is written as one, and read as the text that JSON has for it.
fn of_value(value: toml::Value) -> Value {
    match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(integer) => integer.into(),
        toml::Value::Float(float) => float.into(),
        toml::Value::Boolean(boolean) => boolean.into(),
        toml::Value::Datetime(time) => time.to_string().into(),
        toml::Value::Array(items) => items.into_iter().map(of_value).collect(),
        toml::Value::Table(table) => of_table(table).into(),
    }
}

/// Where the member is that these steps lead to, or the last on the way to it.
pub fn offset(text: &str, steps: &[String]) -> usize {
    let Ok(document) = DeTable::parse(text) else {
        return 0;
    };
    let mut offset = 0;
    let mut here: Option<&Spanned<DeValue<'_>>> = None;
    for step in steps {
        let table = match here.map(Spanned::get_ref) {
            None => Some(document.get_ref()),
            Some(DeValue::Table(table)) => Some(table),
            Some(_) => None,
        };
        let next = match (table, here.map(Spanned::get_ref)) {
            (Some(table), _) => {
                // The keys of a client may be in a file that is named in their place.
                let names = [step.clone(), format!("{step}_file")];
                let by_name = |name: &String| table.iter().find(|(key, _)| key.get_ref() == name);
                let found = names.iter().find_map(by_name);
                found.map(|(key, value)| (key.span().start, value))
            }
            (None, Some(DeValue::Array(items))) => {
                let item = step.parse().ok().and_then(|index: usize| items.get(index));
                item.map(|item| (item.span().start, item))
            }
            (None, _) => None,
        };
        let Some((start, value)) = next else {
            break;
        };
        offset = start;
        here = Some(value);
    }
    offset
}
