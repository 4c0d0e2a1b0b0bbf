//! Conditions over the claims of a JWT, in CEL. A condition narrows what pins and matches let
//! through, and nothing else.
//!
//! What is CEL is left to the crate `cel`; here is what of it is accepted. A text is looked at
//! before it is parsed (`syntax`), then every node of it (`check`), so that what is stored names
//! nothing but claims, calls nothing unknown and cannot but end; what it is worth to an operator's
//! eye is in `tests_of`. An evaluation costs what `cost` says, which is compared with a limit before
//! it begins.

mod check;
mod cost;
mod input;
mod path;
mod syntax;
#[cfg(test)]
mod tests;
mod tests_of;

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock, OnceLock},
};

use cel::{
    Context, Env, ExecutionError, IdedExpr, Value,
    common::{
        types::{CelBool, CelString, STRING_TYPE},
        value::CowVal,
    },
};
use grantor_jose::Claims;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize, Serializer};

use self::input::Assertion;
pub use self::{input::ConditionInput, tests_of::LooseTest};
use crate::types::{ClaimPath, Shown, glob_matches};

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at octet {at}: {problem}")]
#[non_exhaustive]
pub struct ConditionError {
    /// Where in the text, in octets from 0.
    pub at: usize,
    /// What is wrong, and what would be accepted.
    pub problem: String,
}

impl ConditionError {
    fn new(at: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { at, problem }
    }
}

/// A condition. It is equal to another that has the same text.
///
/// It sees the claims of the JWT as `assertion`, and nothing else. There are the operators of CEL,
/// `has`, `in`, `startsWith`, `endsWith`, `contains`, `size`, `exists`, `all`, `exists_one`, and
/// `glob(text, 'pattern')`, whose pattern is a [`Glob`](crate::types::Glob). There is no `matches`,
/// which finds its pattern anywhere in a text.
///
/// ```
/// use grantor::{jose::Claims, registry::Condition};
/// let condition = Condition::parse("assertion.event_name in ['push', 'release']")?;
/// let claims = Claims::parse(br#"{"event_name":"push"}"#).expect("claims");
/// assert_eq!(condition.holds(&claims), Ok(true));
/// assert!(condition.holds(&Claims::default()).is_err());
/// # Ok::<(), grantor::registry::ConditionError>(())
/// ```
#[derive(Clone, Deserialize)]
#[serde(from = "String")]
pub struct Condition(Arc<Inner>);

struct Inner {
    text: Box<str>,
    checked: OnceLock<Result<Arc<Checked>, ConditionError>>,
}

/// What is known of a text that is a condition.
struct Checked {
    expression: IdedExpr,
    /// Whether its evaluation has a stack of its own.
    is_deep: bool,
    mentions: Vec<ClaimPath>,
    tests: tests_of::Tests,
}

impl Condition {
    /// Most octets.
    pub const MAX_BYTES: usize = 4096;
    /// Deepest nesting, of brackets and of what is put together.
    pub const MAX_DEPTH: usize = 24;
    /// Most names, values, operators and calls.
    pub const MAX_NODES: usize = 256;

    /// Parses and checks a condition.
    ///
    /// # Errors
    /// [`ConditionError`]
    pub fn parse(text: &str) -> Result<Self, ConditionError> {
        let checked = known(text)?;
        Ok(Self(Arc::new(Inner {
            text: text.into(),
            checked: OnceLock::from(Ok(checked)),
        })))
    }

    /// Takes a text that was a condition when it was stored. It is checked again when it is first
    /// needed; what is none any more never holds, and says so in [`fault`](Self::fault).
    pub fn stored(text: &str) -> Self {
        let (text, checked) = (text.into(), OnceLock::new());
        Self(Arc::new(Inner { text, checked }))
    }

    /// Why a stored text is no condition. A trust that has such a one is off.
    pub fn fault(&self) -> Option<&ConditionError> {
        self.checked().err()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Whether it holds of these claims. Where several conditions are asked about the same claims,
    /// [`holds_of`](Self::holds_of) reads them once.
    ///
    /// # Errors
    /// Why it could not be evaluated: then it does not hold.
    pub fn holds(&self, claims: &Claims) -> Result<bool, String> {
        self.holds_of(&ConditionInput::new(claims))
    }

    /// Whether it holds of these claims.
    ///
    /// # Errors
    /// Why it could not be evaluated: then it does not hold. The reason names claims and types, and
    /// repeats no value.
    pub fn holds_of(&self, claims: &ConditionInput<'_>) -> Result<bool, String> {
        let checked = match self.checked() {
            Ok(checked) => checked,
            Err(fault) => return Err(format!("the stored condition is refused: {fault}")),
        };
        cost::affordable(&checked.expression, claims)?;
        let evaluate = || evaluate(&checked.expression, claims);
        let evaluated = if checked.is_deep {
            syntax::on_large_stack(evaluate)
        } else {
            catch_unwind(AssertUnwindSafe(evaluate)).map_err(|_| "it panicked, a defect")
        };
        evaluated.unwrap_or_else(|problem| Err(format!("it cannot be evaluated: {problem}")))
    }

    /// The claims that it mentions, each once, in the order of the text.
    pub fn mentions(&self) -> &[ClaimPath] {
        self.checked().map_or(&[], |checked| &checked.mentions)
    }

    /// The claims of which it asks for a value. Of others it says what they are not, or that they
    /// are there.
    pub fn restricts(&self) -> &[ClaimPath] {
        self.checked()
            .map_or(&[], |checked| &checked.tests.restricts)
    }

    /// Whether there is a way for it to hold in which no claim has a value that is asked for.
    /// `!=`, `!` and `has` ask for none; nor does `all`, which holds of an empty list.
    pub fn can_hold_by_negative_tests(&self) -> bool {
        self.checked()
            .is_ok_and(|checked| !checked.tests.is_positive)
    }

    /// The tests of a part of a text that ends where a name goes on.
    pub fn loose_tests(&self) -> &[LooseTest] {
        self.checked().map_or(&[], |checked| &checked.tests.loose)
    }

    fn checked(&self) -> Result<&Checked, &ConditionError> {
        let checked = self.0.checked.get_or_init(|| known(&self.0.text));
        checked.as_ref().map(Arc::as_ref)
    }
}

/// Conditions that were checked. The trusts of an issuer are read again with each change of one, and
/// many have the same condition.
static KNOWN: LazyLock<Cache<Box<str>, Arc<Checked>>> = LazyLock::new(|| Cache::new(4096));

fn known(text: &str) -> Result<Arc<Checked>, ConditionError> {
    if let Some(checked) = KNOWN.get(text) {
        return Ok(checked);
    }
    let checked = Arc::new(syntax::checked(text)?);
    KNOWN.insert(text.into(), Arc::clone(&checked));
    Ok(checked)
}

/// Operators and the functions of the standard library, with ours. Which of them a condition may
/// call is for `check` to say.
static FUNCTIONS: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut env = Env::default().with_optional_support(false).with_stdlib();
    let types = vec![STRING_TYPE.to_owned(), STRING_TYPE.to_owned()];
    let added = env.add_overload("glob", "glob_string_string", types, glob);
    debug_assert!(added.is_ok(), "the library has no such function");
    Arc::new(env)
});

/// `glob(text, 'pattern')`. The pattern was checked with the condition.
fn glob<'b, 'v>(arguments: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [text, pattern] = &arguments[..] else {
        return Err(ExecutionError::invalid_argument_count(2, arguments.len()));
    };
    let texts = text
        .downcast_ref::<CelString>()
        .zip(pattern.downcast_ref::<CelString>());
    let matched = texts.is_some_and(|(text, pattern)| glob_matches(pattern.inner(), text.inner()));
    Ok(CowVal::owned(CelBool::from(matched)))
}

fn evaluate(expression: &IdedExpr, claims: &ConditionInput<'_>) -> Result<bool, String> {
    let mut context = Context::with_env(Arc::clone(&FUNCTIONS));
    context.add_variable_as_val(path::ASSERTION, Box::new(Assertion(claims)));
    match context
        .resolve(expression)
        .map_err(|error| reason(&error))?
    {
        Value::Bool(holds) => Ok(holds),
        value => Err(format!("it is {}, neither true nor false", value.type_of())),
    }
}

/// Names and types, no values: this is kept in decisions.
fn reason(error: &ExecutionError) -> String {
    match error {
        ExecutionError::NoSuchKey(name) => match name.strip_prefix(input::NO_CLAIM) {
            Some(claim) => format!("there is no claim {claim}"),
            None => format!("a claim has no member {}", Shown::of(name)),
        },
        ExecutionError::NoSuchOverload(call) if path::symbol(call.function()) == "." => {
            let from = call.argument_types().first();
            format!("{} has no members", from.map_or("it", String::as_str))
        }
        ExecutionError::NoSuchOverload(call) => format!(
            "`{}` does not take {}",
            path::symbol(call.function()),
            call.argument_types().join(" and ")
        ),
        ExecutionError::UnexpectedType { got, want } => {
            format!("there is {got} where {want} is expected")
        }
        ExecutionError::DivisionByZero(_) | ExecutionError::RemainderByZero(_) => {
            "a number is divided by zero".to_owned()
        }
        ExecutionError::Overflow(..) => "a number is too large".to_owned(),
        ExecutionError::IndexOutOfBounds(_) => "a list is shorter than the index".to_owned(),
        ExecutionError::ValuesNotComparable(..)
        | ExecutionError::UnsupportedBinaryOperator(..)
        | ExecutionError::UnsupportedIndex(..)
        | ExecutionError::UnsupportedKeyType(_) => {
            "an operator does not take values of these types".to_owned()
        }
        _ => "it cannot be evaluated".to_owned(),
    }
}

impl PartialEq for Condition {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Condition {}

impl From<String> for Condition {
    /// As [`Condition::stored`]: what was stored is readable, whatever it says.
    fn from(text: String) -> Self {
        Self::stored(&text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl std::str::FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, ConditionError> {
        Self::parse(text)
    }
}

impl fmt::Debug for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Condition").field(&self.as_str()).finish()
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
