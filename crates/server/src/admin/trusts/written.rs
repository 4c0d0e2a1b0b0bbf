//! Pins, matches and copies as operators write them: `CLAIM=VALUE`.

use grantor::{
    registry::{ClaimCopy, Match, Pin, PinValue},
    types::{ClaimPath, Glob},
};

/// Reads `CLAIM=VALUE`: text, or `int:20`, `bool:true`, `contains:x`.
///
/// # Errors
/// What is expected.
pub fn pin(text: &str) -> Result<Pin, String> {
    let (claim, value) = equation(text, "repository_id=456789 or runner_id=int:1")?;
    Ok(Pin::new(claim, PinValue::parse(value)))
}

/// Reads `CLAIM=GLOB`.
///
/// # Errors
/// What is expected.
pub fn claim_match(text: &str) -> Result<Match, String> {
    let (claim, glob) = equation(text, "ref=refs/heads/release/*")?;
    let glob = Glob::parse(glob).map_err(|error| format!("the glob {error}"))?;
    Ok(Match::new(claim, glob))
}

/// Reads `OUT=CLAIM`.
///
/// # Errors
/// What is expected.
pub fn claim_copy(text: &str) -> Result<ClaimCopy, String> {
    let example = "team=repo_property_team or namespace=/kubernetes.io/namespace";
    let (to, from) = text
        .split_once('=')
        .ok_or_else(|| format!("expected a name, '=' and a claim, such as {example}"))?;
    let from = ClaimPath::parse(from).map_err(|error| format!("the claim {error}"))?;
    Ok(ClaimCopy::new(to, from))
}

/// A claim, and what stands behind the first `=`: a claim with one in its name cannot be named
/// here.
fn equation<'t>(text: &'t str, example: &str) -> Result<(ClaimPath, &'t str), String> {
    let (claim, value) = text
        .split_once('=')
        .ok_or_else(|| format!("expected a claim, '=' and a value, such as {example}"))?;
    let claim = ClaimPath::parse(claim).map_err(|error| format!("the claim {error}"))?;
    Ok((claim, value))
}
