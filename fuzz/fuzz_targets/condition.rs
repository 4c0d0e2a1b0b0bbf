//! Conditions: whatever the text and the claims, it is refused with a place or evaluated within its
//! limits, and the answer depends on nothing but the claims that the condition mentions.
//!
//! An input is a condition, and, after a zero octet, the claims of a JWT.

#![no_main]

use grantor::{
    jose::{
        Claims,
        json::{self, Object, Value},
    },
    registry::{Condition, ConditionInput},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let split = input.iter().position(|octet| *octet == 0);
    let (text, claims) = input.split_at(split.unwrap_or(input.len()));
    let Ok(text) = std::str::from_utf8(text) else {
        return;
    };
    let stored = Condition::stored(text);
    let condition = match Condition::parse(text) {
        Ok(condition) => condition,
        Err(error) => {
            assert!(text.is_char_boundary(error.at), "{error}");
            assert!(!error.problem.is_empty());
            assert_eq!(stored.fault(), Some(&error), "another refusal");
            assert!(stored.holds(&Claims::default()).is_err());
            return;
        }
    };
    assert!(text.len() <= Condition::MAX_BYTES && stored.fault().is_none());
    assert!(!condition.mentions().is_empty(), "it tests no claim");
    let is_mentioned = |path| condition.mentions().contains(path);
    assert!(condition.restricts().iter().all(is_mentioned));
    let _ = (
        condition.loose_tests(),
        condition.can_hold_by_negative_tests(),
    );
    let claims = claims.get(1..).filter(|claims| !claims.is_empty());
    let Ok(members) = json::parse_object(claims.unwrap_or(b"{}")) else {
        return;
    };
    let Some(answer) = answer(&condition, &members) else {
        return;
    };
    assert_eq!(self::answer(&stored, &members), Some(answer.clone()));
    let mentioned = members.into_iter().filter(|(name, _)| {
        let mut mentions = condition.mentions().iter();
        mentions.any(|path| path.claim() == name.as_str())
    });
    let mentioned = self::answer(&condition, &mentioned.collect());
    assert_eq!(mentioned, Some(answer), "a claim that it does not mention");
});

fn answer(condition: &Condition, members: &Object) -> Option<Result<bool, String>> {
    let claims = Value::Object(members.clone()).to_string();
    let claims = Claims::parse(claims.as_bytes()).ok()?;
    let input = ConditionInput::new(&claims);
    let answer = condition.holds_of(&input);
    assert_eq!(condition.holds_of(&input), answer, "another answer");
    Some(answer)
}
