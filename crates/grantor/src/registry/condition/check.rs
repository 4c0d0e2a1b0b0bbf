//! Every node of a parsed condition, before anything is evaluated: only known functions and names,
//! within the limits, and of types that can fit, as far as that shows without claims.

use std::fmt;

use cel::{
    IdedExpr, Program,
    common::ast::{CallExpr, ComprehensionExpr, Expr, LiteralValue, SourceInfo, operators},
};

use super::{
    Condition, ConditionError,
    path::{ASSERTION, Path, Step, symbol, text, walk},
};
use crate::types::{ClaimPath, ClaimPathError, Glob};

/// What a condition may call, for errors.
const FUNCTIONS: &str = "there are `startsWith`, `endsWith`, `contains`, `size`, `has`, `exists`, `all`, \
                         `exists_one` and `glob(text, 'pattern')`";

/// The claims that a condition mentions, and how deep it is nested, if it is one.
pub(super) fn check(program: &Program) -> Result<(Vec<ClaimPath>, usize), ConditionError> {
    let mut check = Check {
        source: program.source_info(),
        nodes: 0,
        depth: 0,
        variable: None,
        mentions: Vec::new(),
    };
    let kind = check.node(program.expression(), Place { depth: 1, at: 0 })?;
    if !matches!(kind, Kind::Boolean | Kind::Any) {
        return Err(ConditionError::new(
            0,
            format!("the condition is {kind}, neither true nor false: compare it with something"),
        ));
    }
    if check.mentions.is_empty() {
        return Err(ConditionError::new(
            0,
            "the condition tests no claim: one is written `assertion.name`, or `assertion['a.b/c']`",
        ));
    }
    Ok((check.mentions, check.depth))
}

struct Check<'p> {
    source: &'p SourceInfo,
    nodes: usize,
    /// Of the deepest node yet.
    depth: usize,
    /// The name of the member that is walked over.
    variable: Option<&'p str>,
    mentions: Vec<ClaimPath>,
}

/// Where the check is.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    at: usize,
}

impl Place {
    fn error<T>(self, problem: impl Into<String>) -> Result<T, ConditionError> {
        Err(ConditionError::new(self.at, problem))
    }
}

/// What type a node has, as far as that shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Boolean,
    Number,
    Text,
    List,
    Null,
    /// It depends on the claims.
    Any,
}

impl Kind {
    fn fits(self, kinds: &[Self]) -> bool {
        self == Self::Any || kinds.contains(&self)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "true or false",
            Self::Number => "a number",
            Self::Text => "a text",
            Self::List => "a list",
            Self::Null => "null",
            Self::Any => "anything",
        })
    }
}

impl<'p> Check<'p> {
    fn node(&mut self, node: &'p IdedExpr, outer: Place) -> Result<Kind, ConditionError> {
        let place = self.place(node, outer);
        self.count(1, place)?;
        if let Some(path) = Path::of(node) {
            return self.path(&path, place);
        }
        let inner = Place {
            depth: place.depth + 1,
            ..place
        };
        match &node.expr {
            Expr::Literal(literal) => self.literal(literal, place),
            Expr::List(list) if list.optional_indices.is_empty() => {
                for member in &list.elements {
                    self.node(member, inner)?;
                }
                Ok(Kind::List)
            }
            Expr::Call(call) => self.call(call, inner),
            Expr::Comprehension(walk) => self.walk(walk, inner),
            Expr::Select(select) => {
                self.operand(&select.operand, inner, &[], ".")?;
                Ok(if select.test {
                    Kind::Boolean
                } else {
                    Kind::Any
                })
            }
            Expr::Map(_) | Expr::Struct(_) => {
                place.error("there are no maps here: a list is written `['a', 'b']`")
            }
            Expr::List(_) | Expr::Ident(_) | Expr::Unspecified => {
                place.error("this is no part of a condition")
            }
        }
    }

    /// The place of a node: what a macro made is where the macro is.
    fn place(&self, node: &IdedExpr, outer: Place) -> Place {
        let offset = self.source.offset_for(node.id);
        let at = offset.and_then(|(at, _)| usize::try_from(at).ok());
        Place {
            at: at.unwrap_or(outer.at),
            ..outer
        }
    }

    fn count(&mut self, nodes: usize, place: Place) -> Result<(), ConditionError> {
        self.nodes += nodes;
        self.depth = self.depth.max(place.depth);
        match () {
            () if self.nodes > Condition::MAX_NODES => place.error(format!(
                "the condition has more than {} names, values, operators and calls",
                Condition::MAX_NODES
            )),
            () if place.depth > Condition::MAX_DEPTH => place.error(format!(
                "the condition is nested deeper than {}",
                Condition::MAX_DEPTH
            )),
            () => Ok(()),
        }
    }

    fn literal(&self, literal: &LiteralValue, place: Place) -> Result<Kind, ConditionError> {
        Ok(match literal {
            LiteralValue::Boolean(_) => Kind::Boolean,
            LiteralValue::Double(_) | LiteralValue::Int(_) | LiteralValue::UInt(_) => Kind::Number,
            LiteralValue::String(_) => Kind::Text,
            LiteralValue::Null => Kind::Null,
            LiteralValue::Bytes(_) => {
                return place.error("claims are no octets: a text is written without `b`");
            }
        })
    }

    fn path(&mut self, path: &Path<'p>, place: Place) -> Result<Kind, ConditionError> {
        let inner = Place {
            depth: place.depth + path.steps.len(),
            ..place
        };
        self.count(path.steps.len(), inner)?;
        let kind = match path.root {
            ASSERTION => self.claim(path, place)?,
            root if self.variable == Some(root) => Kind::Any,
            root => {
                return place.error(format!(
                    "`{root}` is not declared: only `{ASSERTION}` is, and a claim is written `{ASSERTION}.{root}`"
                ));
            }
        };
        for index in path.computed() {
            self.node(index, inner)?;
        }
        Ok(if path.is_test { Kind::Boolean } else { kind })
    }

    fn claim(&mut self, path: &Path<'_>, place: Place) -> Result<Kind, ConditionError> {
        let fixed = path.fixed().map(|step| match step {
            Step::Index(index) => index.to_string(),
            Step::Name(name) => (*name).to_owned(),
            Step::Computed(_) => String::new(),
        });
        let mut fixed: Vec<String> = fixed.collect();
        match path.steps.first() {
            Some(Step::Name(_)) => (),
            None => {
                return place.error(format!(
                    "`{ASSERTION}` is all claims: one is written `{ASSERTION}.name`"
                ));
            }
            Some(_) => {
                return place.error(format!(
                    "the name of a claim is written out: `{ASSERTION}['name']`"
                ));
            }
        }
        fixed.truncate(ClaimPath::MAX_SEGMENTS);
        self.mention(&fixed, place)?;
        Ok(match (&path.steps[..], fixed[0].as_str()) {
            ([_], "iss" | "sub" | "jti") => Kind::Text,
            ([_], "exp" | "nbf" | "iat") => Kind::Number,
            _ => Kind::Any,
        })
    }

    fn mention<S: AsRef<str>>(&mut self, path: &[S], place: Place) -> Result<(), ConditionError> {
        let path = ClaimPath::of_segments(path);
        let path = path
            .or_else(|error: ClaimPathError| place.error(format!("the name of a claim {error}")))?;
        if !self.mentions.contains(&path) {
            self.mentions.push(path);
        }
        Ok(())
    }

    /// A node that has to be of one of these kinds.
    fn operand(
        &mut self,
        node: &'p IdedExpr,
        outer: Place,
        kinds: &[Kind],
        operator: &str,
    ) -> Result<Kind, ConditionError> {
        let kind = self.node(node, outer)?;
        if kind.fits(kinds) {
            return Ok(kind);
        }
        let place = self.place(node, outer);
        let kinds: Vec<String> = kinds.iter().map(Kind::to_string).collect();
        place.error(match &kinds[..] {
            [] => format!("{kind} has no members"),
            kinds => format!(
                "`{operator}` takes {}, and this is {kind}",
                kinds.join(" or ")
            ),
        })
    }

    fn call(&mut self, call: &'p CallExpr, place: Place) -> Result<Kind, ConditionError> {
        let operator = symbol(&call.func_name);
        let arguments: Vec<&IdedExpr> = call
            .target
            .as_deref()
            .into_iter()
            .chain(&call.args)
            .collect();
        let is_member = call.target.is_some();
        match (call.func_name.as_str(), &arguments[..], is_member) {
            (operators::LOGICAL_AND | operators::LOGICAL_OR, [_, _], false)
            | (operators::LOGICAL_NOT, [_], false) => {
                for argument in arguments {
                    self.operand(argument, place, &[Kind::Boolean], operator)?;
                }
                Ok(Kind::Boolean)
            }
            (operators::CONDITIONAL, [condition, one, other], false) => {
                self.operand(condition, place, &[Kind::Boolean], "?")?;
                let (one, other) = (self.node(one, place)?, self.node(other, place)?);
                Ok(if one == other { one } else { Kind::Any })
            }
            (operators::EQUALS | operators::NOT_EQUALS, [one, other], false) => {
                self.alike(one, other, place, None)
            }
            (
                operators::LESS
                | operators::LESS_EQUALS
                | operators::GREATER
                | operators::GREATER_EQUALS,
                [one, other],
                false,
            ) => self.alike(one, other, place, Some(operator)),
            (operators::IN, [name, set], false) => self.contained(name, set, place),
            (operators::ADD, [one, other], false) => {
                let kinds = [Kind::Number, Kind::Text];
                let one = self.operand(one, place, &kinds, operator)?;
                let other = self.operand(other, place, &kinds, operator)?;
                match (one, other) {
                    (Kind::Any, kind) | (kind, Kind::Any) => Ok(kind),
                    (one, other) if one == other => Ok(one),
                    _ => place.error("`+` takes two numbers or two texts"),
                }
            }
            (
                operators::SUBSTRACT | operators::MULTIPLY | operators::DIVIDE | operators::MODULO,
                [_, _],
                false,
            )
            | (operators::NEGATE, [_], false) => {
                for argument in arguments {
                    self.operand(argument, place, &[Kind::Number], operator)?;
                }
                Ok(Kind::Number)
            }
            (operators::INDEX, [from, index], false) => {
                self.operand(from, place, &[Kind::List], operator)?;
                self.operand(index, place, &[Kind::Number, Kind::Text], operator)?;
                Ok(Kind::Any)
            }
            ("startsWith" | "endsWith" | "contains", [_, _], true) => {
                for argument in arguments {
                    self.operand(argument, place, &[Kind::Text], operator)?;
                }
                Ok(Kind::Boolean)
            }
            ("size", [of], _) => {
                self.operand(of, place, &[Kind::Text, Kind::List], operator)?;
                Ok(Kind::Number)
            }
            ("glob", [of, pattern], false) => self.glob(of, pattern, place),
            (name, _, _) => {
                // The parser takes the bracket for the place of a call.
                let before = self.source.source.get(..place.at).unwrap_or_default();
                let at = before.strip_suffix(name).map_or(place.at, str::len);
                Err(ConditionError::new(at, unknown(name)))
            }
        }
    }

    /// Two values that are compared. Without an operator of order they may be of any one type.
    fn alike(
        &mut self,
        one: &'p IdedExpr,
        other: &'p IdedExpr,
        place: Place,
        order: Option<&str>,
    ) -> Result<Kind, ConditionError> {
        let kinds = match order {
            Some(operator) => {
                let kinds = [Kind::Number, Kind::Text];
                let one = self.operand(one, place, &kinds, operator)?;
                (one, self.operand(other, place, &kinds, operator)?)
            }
            None => (self.node(one, place)?, self.node(other, place)?),
        };
        match kinds {
            (Kind::Any, _) | (_, Kind::Any) => Ok(Kind::Boolean),
            (one, other) if one == other => Ok(Kind::Boolean),
            (one, other) => place.error(format!(
                "compares {one} with {other}, which are never equal"
            )),
        }
    }

    fn contained(
        &mut self,
        name: &'p IdedExpr,
        set: &'p IdedExpr,
        place: Place,
    ) -> Result<Kind, ConditionError> {
        let is_claims =
            Path::of(set).is_some_and(|path| path.root == ASSERTION && path.steps.is_empty());
        if !is_claims {
            self.node(name, place)?;
            self.operand(set, place, &[Kind::List], "in")?;
            return Ok(Kind::Boolean);
        }
        let Some(name) = text(name) else {
            let place = self.place(name, place);
            return place.error(format!(
                "the name of a claim is written out: `'name' in {ASSERTION}`"
            ));
        };
        self.count(2, place)?;
        self.mention(&[name], place)?;
        Ok(Kind::Boolean)
    }

    fn glob(
        &mut self,
        of: &'p IdedExpr,
        pattern: &'p IdedExpr,
        place: Place,
    ) -> Result<Kind, ConditionError> {
        self.operand(of, place, &[Kind::Text], "glob")?;
        let at = self.place(pattern, place);
        self.count(1, at)?;
        let Some(pattern) = text(pattern) else {
            return at.error("the pattern of `glob` is written out: `glob(assertion.ref, 'refs/heads/release/*')`");
        };
        match Glob::parse(pattern) {
            Ok(_) => Ok(Kind::Boolean),
            Err(error) => at.error(format!("the pattern of `glob` {error}")),
        }
    }

    fn walk(
        &mut self,
        comprehension: &'p ComprehensionExpr,
        place: Place,
    ) -> Result<Kind, ConditionError> {
        let Some((_, body)) = walk(comprehension).filter(|_| comprehension.iter_var2.is_none())
        else {
            return place.error(format!("`map` and `filter` are not known: {FUNCTIONS}"));
        };
        if self.variable.is_some() {
            return place.error("`exists`, `all` and `exists_one` are not nested");
        }
        if comprehension.iter_var == ASSERTION {
            return place.error(format!(
                "a member of a list has another name than `{ASSERTION}`"
            ));
        }
        let range = &comprehension.iter_range;
        let is_named = Path::of(range).is_some_and(|path| {
            path.root == ASSERTION && !path.is_test && path.computed().next().is_none()
        });
        if !is_named && !matches!(range.expr, Expr::List(_)) {
            let place = self.place(range, place);
            return place.error(
                "what is walked over is a claim, or a list that is written out: `assertion.groups.exists(group, …)`",
            );
        }
        self.operand(range, place, &[Kind::List], "exists")?;
        self.variable = Some(&comprehension.iter_var);
        self.operand(body, place, &[Kind::Boolean], "exists")?;
        self.variable = None;
        Ok(Kind::Boolean)
    }
}

fn unknown(name: &str) -> String {
    let functions = [
        "startsWith",
        "endsWith",
        "contains",
        "size",
        "has",
        "exists",
        "all",
        "exists_one",
        "existsOne",
    ];
    match name {
        "matches" => {
            "there is no `matches`, which finds its pattern anywhere in a text: `glob(text, 'pattern')` is about \
             the whole of it"
                .to_owned()
        }
        "glob" => "`glob` is written `glob(text, 'pattern')`".to_owned(),
        "map" | "filter" => format!("`{name}` is not known: {FUNCTIONS}"),
        _ if functions.contains(&name) => {
            format!("`{name}` is not written so: `text.startsWith('a')`, `size(list)`, `has(assertion.name)`, `list.exists(one, one == 'a')`")
        }
        _ => format!("`{}` is not known: {FUNCTIONS}", symbol(name)),
    }
}
