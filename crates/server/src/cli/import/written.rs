//! A registry file in TOML, with what is not in it as comments at its top.

use grantor::{
    admin::{Imported, Kind},
    jose::json::{Object, Value},
};

use crate::cli::Failure;

/// Document by document, with a line between.
pub fn as_toml(imported: &Imported) -> Result<String, Failure> {
    let mut text =
        String::from("# A registry file. Read it, and then: grantor apply THIS-FILE --dry-run\n");
    for one in &imported.left_out {
        text += &format!("# left out: {}\n", super::line(one));
    }
    for kind in Kind::ALL {
        for document in imported.registrations.of(kind) {
            let documents = Value::Array(vec![document.clone()]);
            let file = Object::from_iter([(kind.as_str().to_owned(), documents)]);
            let document = toml::to_string(&file).map_err(|error| {
                Failure::failed(format_args!("this cannot be written as TOML: {error}"))
            })?;
            text += &format!("\n{document}");
        }
    }
    Ok(text)
}
