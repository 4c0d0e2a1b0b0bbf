//! What a condition is worth to somebody who looks it over: which claims it asks a value of, and
//! where it asks less than it seems to.

use cel::{
    IdedExpr,
    common::ast::{CallExpr, Expr, LiteralValue, operators},
};

use super::path::{ASSERTION, Path, Step, Walk, text, walk};
use crate::types::ClaimPath;

/// A test of a part of a text, beside which anything may stand: `startsWith('acme')` is true of
/// `acme-evil/widgets`.
///
/// `startsWith` is one unless what it asks for ends in `:`, `/` or `@`, `endsWith` unless it begins
/// so. `contains` always is one, and so is each of them where what it asks for is no text that is
/// written out.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LooseTest {
    /// `startsWith`, `endsWith` or `contains`.
    pub function: String,
    /// The claim whose text it is, if it is one's.
    pub claim: Option<ClaimPath>,
    /// The part that is asked for, if it is written out.
    pub part: Option<String>,
}

#[derive(Default)]
pub(super) struct Tests {
    /// The claims of which a value is asked for.
    pub restricts: Vec<ClaimPath>,
    pub loose: Vec<LooseTest>,
    /// Whether a value is asked for whichever way the condition comes to hold.
    pub is_positive: bool,
}

impl Tests {
    pub fn of(expression: &IdedExpr) -> Self {
        let mut tests = Self::default();
        tests.is_positive = tests.asks(expression, true);
        tests
    }

    /// Whether a claim has to have a value that is asked for, if this is to come to `wanted`.
    fn asks(&mut self, node: &IdedExpr, wanted: bool) -> bool {
        match &node.expr {
            // What cannot come to it asks for more than anything.
            Expr::Literal(LiteralValue::Boolean(value)) => *value.inner() != wanted,
            Expr::Call(call) => self.call_asks(node, call, wanted),
            Expr::Comprehension(comprehension) => match walk(comprehension) {
                Some((Walk::Exists | Walk::ExistsOne, body)) if wanted => {
                    let asks = self.asks(body, true);
                    asks && self.restrict(&comprehension.iter_range)
                }
                // There is a member of which it is not true.
                Some((Walk::All, body)) if !wanted => {
                    let asks = self.asks(body, false);
                    asks && self.restrict(&comprehension.iter_range)
                }
                Some((_, body)) => {
                    self.asks(body, wanted);
                    false
                }
                None => false,
            },
            _ => match Path::of(node) {
                Some(path) if path.is_test => false,
                _ => self.restrict(node),
            },
        }
    }

    fn call_asks(&mut self, node: &IdedExpr, call: &CallExpr, wanted: bool) -> bool {
        match (call.func_name.as_str(), &call.args[..]) {
            (operators::LOGICAL_NOT, [one]) => self.asks(one, !wanted),
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [one, other]) => {
                let asks = (self.asks(one, wanted), self.asks(other, wanted));
                match (call.func_name == operators::LOGICAL_AND) == wanted {
                    true => asks.0 || asks.1,
                    false => asks.0 && asks.1,
                }
            }
            (operators::CONDITIONAL, [_, one, other]) => {
                let asks = (self.asks(one, wanted), self.asks(other, wanted));
                asks.0 && asks.1
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other]) => {
                let wanted = (call.func_name == operators::EQUALS) == wanted;
                match (boolean(one), boolean(other)) {
                    (Some(value), None) if Path::of(other).is_none() => {
                        self.asks(other, wanted == value)
                    }
                    (None, Some(value)) if Path::of(one).is_none() => {
                        self.asks(one, wanted == value)
                    }
                    _ => wanted && self.restrict(node),
                }
            }
            (operators::IN, [_, set])
                if Path::of(set).is_some_and(|path| path.steps.is_empty()) =>
            {
                false
            }
            (operators::IN | "glob", _) => wanted && self.restrict(node),
            ("startsWith" | "endsWith" | "contains", [part]) if wanted => {
                self.note(call, part);
                self.restrict(node)
            }
            ("startsWith" | "endsWith" | "contains", _) => false,
            _ => self.restrict(node),
        }
    }

    /// Yes, of the claims that this reads.
    fn restrict(&mut self, node: &IdedExpr) -> bool {
        self.take_down(node);
        true
    }

    fn take_down(&mut self, node: &IdedExpr) {
        if let Some(path) = Path::of(node) {
            let claim = claim(&path).filter(|claim| !self.restricts.contains(claim));
            self.restricts.extend(claim);
            path.computed().for_each(|index| self.take_down(index));
            return;
        }
        match &node.expr {
            Expr::Call(call) => {
                let operands = call.target.as_deref().into_iter().chain(&call.args);
                operands.for_each(|operand| self.take_down(operand));
            }
            Expr::List(list) => list
                .elements
                .iter()
                .for_each(|member| self.take_down(member)),
            Expr::Select(select) => self.take_down(&select.operand),
            _ => (),
        }
    }

    fn note(&mut self, call: &CallExpr, part: &IdedExpr) {
        let part = text(part);
        let is_delimiter = |letter: char| matches!(letter, ':' | '/' | '@');
        let is_tight = part.is_some_and(|part| match call.func_name.as_str() {
            "startsWith" => part.ends_with(is_delimiter),
            "endsWith" => part.starts_with(is_delimiter),
            _ => false,
        });
        if !is_tight {
            self.loose.push(LooseTest {
                function: call.func_name.clone(),
                claim: call
                    .target
                    .as_deref()
                    .and_then(Path::of)
                    .as_ref()
                    .and_then(claim),
                part: part.map(str::to_owned),
            });
        }
    }
}

fn boolean(node: &IdedExpr) -> Option<bool> {
    match &node.expr {
        Expr::Literal(LiteralValue::Boolean(value)) => Some(*value.inner()),
        _ => None,
    }
}

/// The claim that a path leads to, or into.
fn claim(path: &Path<'_>) -> Option<ClaimPath> {
    let segments = path.fixed().map(|step| match step {
        Step::Name(name) => (*name).to_owned(),
        Step::Index(index) => index.to_string(),
        Step::Computed(_) => String::new(),
    });
    let segments: Vec<String> = segments.take(ClaimPath::MAX_SEGMENTS).collect();
    (path.root == ASSERTION).then(|| ClaimPath::of_segments(&segments).ok())?
}
