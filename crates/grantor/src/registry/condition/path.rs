//! What a node of a parsed condition reads: a claim, a place in one, or the member that a walk is
//! at.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators},
};

/// The one name that is declared.
pub(super) const ASSERTION: &str = "assertion";

/// A name, and the way from there.
pub(super) struct Path<'e> {
    /// What the way begins at.
    pub root: &'e str,
    pub steps: Vec<Step<'e>>,
    /// Whether only the presence of the last step is asked for: `has(…)`.
    pub is_test: bool,
}

pub(super) enum Step<'e> {
    /// `.name`, `['name']`
    Name(&'e str),
    /// `[0]`
    Index(usize),
    /// `[…]` with what has to be evaluated first.
    Computed(&'e IdedExpr),
}

impl<'e> Path<'e> {
    /// The path that a node is, unless it is another kind of node.
    pub fn of(node: &'e IdedExpr) -> Option<Self> {
        let (mut node, mut steps, mut is_test) = (node, Vec::new(), false);
        loop {
            node = match &node.expr {
                Expr::Ident(root) => {
                    steps.reverse();
                    return Some(Self {
                        root,
                        steps,
                        is_test,
                    });
                }
                Expr::Select(select) if !select.test || steps.is_empty() => {
                    is_test |= select.test;
                    steps.push(Step::Name(&select.field));
                    &select.operand
                }
                Expr::Call(call) if call.func_name == operators::INDEX => {
                    let [from, index] = &call.args[..] else {
                        return None;
                    };
                    steps.push(Step::of(index));
                    from
                }
                _ => return None,
            };
        }
    }

    /// The names and indexes that the way begins with, up to what has to be evaluated.
    pub fn fixed(&self) -> impl Iterator<Item = &Step<'e>> {
        let is_fixed = |step: &&Step<'_>| !matches!(step, Step::Computed(_));
        self.steps.iter().take_while(is_fixed)
    }

    /// What has to be evaluated on the way.
    pub fn computed(&self) -> impl Iterator<Item = &'e IdedExpr> {
        self.steps.iter().filter_map(|step| match step {
            Step::Computed(index) => Some(*index),
            _ => None,
        })
    }
}

impl<'e> Step<'e> {
    fn of(index: &'e IdedExpr) -> Self {
        let place = match &index.expr {
            Expr::Literal(LiteralValue::String(name)) => return Self::Name(name.inner()),
            Expr::Literal(LiteralValue::Int(index)) => usize::try_from(*index.inner()).ok(),
            Expr::Literal(LiteralValue::UInt(index)) => usize::try_from(*index.inner()).ok(),
            _ => None,
        };
        place.map_or(Self::Computed(index), Self::Index)
    }
}

/// The text that a node is, written out.
pub(super) fn text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

/// Which walk over a list a comprehension is.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Walk {
    Exists,
    All,
    ExistsOne,
}

/// A walk over a list, with what is asked of each member. `None` for what `map` and `filter` become.
pub(super) fn walk(walk: &cel::common::ast::ComprehensionExpr) -> Option<(Walk, &IdedExpr)> {
    let Expr::Call(step) = &walk.loop_step.expr else {
        return None;
    };
    match (&walk.accu_init.expr, &step.args[..]) {
        (Expr::Literal(LiteralValue::Boolean(begin)), [_, body]) => {
            let kind = if *begin.inner() {
                Walk::All
            } else {
                Walk::Exists
            };
            Some((kind, body))
        }
        (Expr::Literal(LiteralValue::Int(_)), [body, _, _]) => Some((Walk::ExistsOne, body)),
        _ => None,
    }
}

/// How an operator is written.
pub(super) fn symbol(function: &str) -> &str {
    match function {
        operators::CONDITIONAL => "? :",
        operators::INDEX => "[]",
        other => other.trim_matches(['_', '@']),
    }
}
