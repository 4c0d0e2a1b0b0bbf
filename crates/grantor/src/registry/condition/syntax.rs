//! From a text to a checked condition. The parser recurses and recovers from errors, both within
//! limits; what would make it do much of either is refused before, and it has a stack of its own.

use std::thread;

use cel::{ParseErrors, Program};

use super::{Checked, Condition, ConditionError, check, tests_of};
use crate::types::is_unseen;

/// The stack of the parser. Debug builds need most of it.
const STACK: usize = 16 * 1024 * 1024;
/// What is not nested deeper is evaluated on the caller's stack. A level takes two kibibytes of it, and
/// in debug builds sixty.
const SHALLOW: usize = 12;

/// Parses and checks.
pub(super) fn checked(text: &str) -> Result<Checked, ConditionError> {
    scan(text)?;
    on_large_stack(|| parse(text)).unwrap_or_else(|problem| {
        Err(ConditionError::new(
            0,
            format!("the condition cannot be read: {problem}"),
        ))
    })
}

/// Does something that recurses, and may panic.
pub(super) fn on_large_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, &'static str> {
    thread::scope(|scope| {
        let thread = thread::Builder::new()
            .name("condition".to_owned())
            .stack_size(STACK);
        let thread = thread
            .spawn_scoped(scope, work)
            .map_err(|_| "there is no thread for it")?;
        thread.join().map_err(|_| "it panicked, a defect")
    })
}

fn parse(text: &str) -> Result<Checked, ConditionError> {
    let program = Program::compile(text).map_err(|errors| refused(text, &errors))?;
    let (mentions, depth) = check::check(&program)?;
    let expression = program.expression();
    Ok(Checked {
        expression: expression.clone(),
        is_deep: depth > SHALLOW,
        mentions,
        tests: tests_of::Tests::of(expression),
    })
}

/// Looks at a text as the parser's lexer would: texts are closed, brackets not too deep.
fn scan(text: &str) -> Result<(), ConditionError> {
    if text.len() > Condition::MAX_BYTES {
        let problem = format!(
            "the condition is longer than {} octets",
            Condition::MAX_BYTES
        );
        return Err(ConditionError::new(Condition::MAX_BYTES, problem));
    }
    if text.trim().is_empty() {
        return Err(ConditionError::new(
            0,
            "the condition is empty: `assertion.ref_protected == 'true'` would be one",
        ));
    }
    let is_refused = |letter: char| is_unseen(letter) && !matches!(letter, '\n' | '\r' | '\t');
    if let Some(at) = text.find(is_refused) {
        let problem = "the condition has a control, direction or invisible character: `\\u` with four digits stands for one in a text";
        return Err(ConditionError::new(at, problem));
    }
    let (mut at, mut open) = (0, 0);
    while let Some(octet) = text.as_bytes().get(at) {
        match octet {
            b'\'' | b'"' => {
                at = end_of_text(text, at)?;
                continue;
            }
            b'/' if text[at..].starts_with("//") => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'(' | b'[' | b'{' => open += 1,
            b')' | b']' | b'}' => open = usize::saturating_sub(open, 1),
            _ => (),
        }
        if open > Condition::MAX_DEPTH {
            let problem = format!("brackets are nested deeper than {}", Condition::MAX_DEPTH);
            return Err(ConditionError::new(at, problem));
        }
        at += 1;
    }
    Ok(())
}

/// The place behind the text that begins here. A `r` before it takes back-slashes for what they are.
fn end_of_text(text: &str, begin: usize) -> Result<usize, ConditionError> {
    let octets = text.as_bytes();
    let before = &octets[..begin];
    let word = before
        .iter()
        .rev()
        .take_while(|octet| octet.is_ascii_alphanumeric() || **octet == b'_');
    let word = &before[begin - word.count()..];
    let is_raw = matches!(word, [b'r' | b'R'] | [b'b' | b'B', b'r' | b'R']);
    let quote = &text[begin..=begin];
    let triple = quote.repeat(3);
    let is_triple = text[begin..].starts_with(&triple);
    let close = if is_triple { triple.as_str() } else { quote };
    let mut at = begin + close.len();
    loop {
        match octets.get(at) {
            Some(b'\\') if !is_raw => at += 2,
            Some(b'\n' | b'\r') if !is_triple => break,
            None => break,
            Some(_) if octets[at..].starts_with(close.as_bytes()) => return Ok(at + close.len()),
            Some(_) => at += 1,
        }
    }
    Err(ConditionError::new(
        begin,
        format!("the text that begins here is not closed by {close}"),
    ))
}

/// The first of the parser's errors, in our words.
fn refused(text: &str, errors: &ParseErrors) -> ConditionError {
    let Some(first) = errors.errors.first() else {
        return ConditionError::new(0, "the condition is no CEL");
    };
    let (line, column) = first.pos;
    let at = octet(text, line, column);
    let message = first
        .msg
        .strip_prefix("Syntax error: ")
        .unwrap_or(&first.msg);
    // The lexer's and the parser's sentences end with what they found, in quotes, or what they expect.
    let found = message.split_once('\'').map_or("", |(_, found)| found);
    let (found, expected) = found.split_once("' expecting ").unwrap_or((found, ""));
    let found = match found.trim_end_matches('\'').trim() {
        "<EOF>" => "the end of the condition".to_owned(),
        found => format!("`{found}`"),
    };
    let problem = match message {
        _ if message.contains("ecursion limit") => {
            format!("the condition is nested deeper than {}", Condition::MAX_DEPTH)
        }
        _ if message.starts_with("token recognition error") && found.starts_with("`=") => {
            "a single `=` is no operator: `==` compares".to_owned()
        }
        _ if message.starts_with("token recognition error") => {
            format!("{found} is not understood here")
        }
        _ if message.starts_with("Incomplete `ExprContext` for `_?_:_`") => {
            "a `?` has no `:`: it is written `condition ? one : other`".to_owned()
        }
        _ if message.starts_with("invalid argument to has() macro") => {
            "`has` takes a member: `has(assertion.name)`; of another name, `'a.b/c' in assertion`"
                .to_owned()
        }
        _ if message.starts_with("argument must be a simple name") => {
            "a name of your choice is expected here, as in `assertion.groups.exists(group, group == 'ops')`"
                .to_owned()
        }
        _ if message.starts_with("missing") => {
            let (wanted, there) = message.split_once(" at ").unwrap_or((message, ""));
            let wanted = wanted.trim_start_matches("missing ").trim_matches('\'');
            let there = if there.contains("<EOF>") { "the end" } else { there };
            format!("`{wanted}` is expected before {there}")
        }
        _ if expected.contains("IDENTIFIER") => {
            format!("{found} is not expected here: a claim, a text, a number or a bracket is")
        }
        _ if expected.contains("'=='") || expected.starts_with("<EOF>") => {
            format!("{found} is not expected here: an operator or the end is")
        }
        _ if !expected.is_empty() && expected.len() < 40 => {
            format!("{found} is not expected here: {} is", expected.trim_matches(['{', '}']))
        }
        _ if message.starts_with("no viable alternative") => format!("{found} is not expected here"),
        other => other.to_owned(),
    };
    ConditionError::new(at, problem)
}

/// The place of a line and a column, both from 1, the column in characters.
fn octet(text: &str, line: isize, column: isize) -> usize {
    let from_one = |number: isize| usize::try_from(number - 1).unwrap_or_default();
    let begin: usize = text
        .split_inclusive('\n')
        .take(from_one(line))
        .map(str::len)
        .sum();
    let rest = text.get(begin..).unwrap_or_default();
    let letters = rest.chars().take(from_one(column));
    begin + letters.map(char::len_utf8).sum::<usize>()
}
