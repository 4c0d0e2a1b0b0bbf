//! Names that a person takes for another one: registered they may be, but not without a word.

use unicode_security::skeleton;

use super::Failure;
use crate::backend::Backend;

/// Warns if a name that is about to be registered looks like one that is there (UTS #39 §4, letter
/// case aside).
pub async fn warn(store: &Backend, name: &str) -> Result<(), Failure> {
    let looks = shape(name);
    let names = store.names().await?;
    if let Some(other) = names
        .iter()
        .find(|other| *other != name && shape(other) == looks)
    {
        tracing::warn!(
            name = name.escape_unicode().to_string(),
            looks_like = other,
            "this name looks like another one that is registered"
        );
    }
    Ok(())
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
