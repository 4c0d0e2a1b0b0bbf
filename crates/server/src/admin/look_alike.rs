//! Names that a person takes for another one: registered they may be, but not without a word.

use grantor::{admin::Error, types::escaped};
use unicode_security::skeleton;

use crate::backend::Backend;

/// The warning of a name that is about to be registered and looks like one that is there (UTS #39
/// §4, letter case aside).
pub async fn warning(store: &Backend, name: &str) -> Result<Option<String>, Error> {
    let looks = shape(name);
    let names = store.names().await?;
    let mut others = names.iter().filter(|other| *other != name);
    let alike = others.find(|other| shape(other) == looks);
    Ok(alike.map(|other| {
        let name = escaped(name);
        format!("the name {name} looks like another one that is registered: {other}")
    }))
}

/// The same for all names that look alike.
fn shape(name: &str) -> String {
    skeleton(&skeleton(name).collect::<String>().to_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_have_one_shape() {
        for (one, other, alike) in [
            ("billing", "biIling", true),
            ("billing", "Billing", true),
            ("paypal", "p\u{430}ypal", true),
            ("billing", "billing\u{200b}", true),
            ("billing", "billing2", false),
            ("billing", "building", false),
        ] {
            assert_eq!(shape(one) == shape(other), alike, "{one} {other}");
        }
    }
}
