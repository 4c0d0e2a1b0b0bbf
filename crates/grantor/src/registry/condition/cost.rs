//! What an evaluation costs, known before it begins. CEL's evaluation has no limit of its own; it
//! cannot but end, and how soon follows from the sizes of the claims that it reads.

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators},
};
use grantor_jose::json::Value;

use super::{
    ConditionInput,
    path::{ASSERTION, Path, Step},
};
use crate::types::claim;

/// Most steps. One is a node that is evaluated, or a member or [`OCTETS`] octets that are looked at;
/// it takes some fifty nanoseconds.
const MOST: usize = 200_000;
/// The octets that are looked at in one step.
const OCTETS: usize = 64;
/// What a member of a walk costs beside what is asked of it.
const MEMBER: usize = 6;
/// The passes of a glob over a text.
const PASSES: usize = 8;

/// Whether the evaluation stays within the limit.
pub(super) fn affordable(expression: &IdedExpr, claims: &ConditionInput<'_>) -> Result<(), String> {
    let steps = Estimate { claims, member: 0 }.of(expression).steps;
    if steps > MOST {
        return Err(format!(
            "the claims are too large for it: {steps} steps, and at most {MOST} are made"
        ));
    }
    Ok(())
}

struct Estimate<'i, 'c> {
    claims: &'i ConditionInput<'c>,
    /// The size of a member of the list that is walked over.
    member: usize,
}

/// Upper bounds.
#[derive(Clone, Copy, Default)]
struct Cost {
    /// Steps until the value is there.
    steps: usize,
    /// Steps to look at all of the value.
    size: usize,
}

impl Cost {
    /// One more step, for a value of this size.
    fn then(self, size: usize) -> Self {
        let steps = self.steps.saturating_add(1);
        Self { steps, size }
    }

    fn and(self, other: Self) -> Self {
        Self {
            steps: self.steps.saturating_add(other.steps),
            size: self.size.saturating_add(other.size),
        }
    }

    /// The value is looked at so many times.
    fn read(self, times: usize) -> Self {
        let steps = self.steps.saturating_add(self.size.saturating_mul(times));
        Self { steps, ..self }
    }
}

impl Estimate<'_, '_> {
    fn of(&self, node: &IdedExpr) -> Cost {
        if let Some(path) = Path::of(node) {
            let computed = self.all(path.computed());
            return Cost {
                steps: computed.steps.saturating_add(path.steps.len()),
                size: 0,
            }
            .then(self.size(&path));
        }
        match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => {
                Cost::default().then(text_size(text.inner()))
            }
            Expr::List(list) => {
                let members = self.all(&list.elements).read(1);
                members.then(members.size.saturating_add(1))
            }
            Expr::Select(select) => {
                let from = self.of(&select.operand);
                from.then(from.size)
            }
            Expr::Call(call) => {
                let operands = self.all(call.target.as_deref().into_iter().chain(&call.args));
                match call.func_name.as_str() {
                    // The value of one of them is handed on.
                    operators::CONDITIONAL | operators::INDEX => operands.then(operands.size),
                    operators::ADD => operands.read(1).then(operands.size),
                    "glob" => operands.read(PASSES).then(1),
                    _ => operands.read(1).then(1),
                }
            }
            Expr::Comprehension(walk) => {
                let range = self.of(&walk.iter_range);
                let members = self.members(&walk.iter_range);
                let member = range.size.div_ceil(members.max(1));
                let inner = Estimate {
                    claims: self.claims,
                    member,
                };
                // Of what the macro makes, the rest is counted by `MEMBER`.
                let body = inner
                    .of(&walk.loop_step)
                    .steps
                    .saturating_add(member + MEMBER);
                let steps = body.saturating_mul(members).saturating_add(range.steps);
                Cost { steps, size: 0 }.then(1)
            }
            _ => Cost::default().then(1),
        }
    }

    fn all<'e>(&self, nodes: impl IntoIterator<Item = &'e IdedExpr>) -> Cost {
        let costs = nodes.into_iter().map(|node| self.of(node));
        costs.fold(Cost::default(), Cost::and)
    }

    /// The size of what a path leads to, or of what contains it.
    fn size(&self, path: &Path<'_>) -> usize {
        match path.root {
            _ if path.is_test => 1,
            ASSERTION => self.at(path, size),
            _ => self.member.max(1),
        }
    }

    /// The members of what is walked over.
    fn members(&self, range: &IdedExpr) -> usize {
        match (&range.expr, Path::of(range)) {
            (_, Some(path)) => self.at(&path, |value| match value {
                Value::Array(members) => members.len(),
                Value::Object(members) => members.len(),
                _ => 0,
            }),
            (Expr::List(list), None) => list.elements.len(),
            _ => 0,
        }
    }

    fn at(&self, path: &Path<'_>, measure: impl Fn(&Value) -> usize) -> usize {
        let mut steps = path.fixed();
        let Some(Step::Name(name)) = steps.next() else {
            return 1;
        };
        let found = claim(self.claims.claims, name);
        let found = found.as_deref().and_then(|value| {
            steps.try_fold(value, |value, step| match (step, value) {
                (Step::Name(name), Value::Object(members)) => members.get(*name),
                (Step::Index(index), Value::Array(members)) => members.get(*index),
                _ => None,
            })
        });
        found.map_or(1, measure)
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::String(text) => text_size(text),
        Value::Array(members) => members.iter().map(size).sum(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| text_size(name) + size(value))
            .sum(),
        _ => 0,
    }
}

fn text_size(text: &str) -> usize {
    text.len() / OCTETS
}
