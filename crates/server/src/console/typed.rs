//! What was typed into a form, and what is wrong with it. The fields of a form have the names of the
//! members of the document that it makes, so that what is wrong with a member is wrong with its field.

use grantor::{admin::Fault, jose};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};
use url::form_urlencoded;
use zeroize::Zeroizing;

use super::{Error, ListQuery};
use crate::{
    admin::{Content, Problem, Slug},
    cli::parse::duration,
    pages::{DONE, HELD, Language, time::moment},
};

/// The field of a form's ticket.
pub const TICKET: &str = "t";
/// The state of the resource that the form was made from, as its `ETag` has it.
pub const STATE: &str = "state";
/// Whether what a file manages is changed all the same.
pub const OVERRIDE: &str = "override";
/// Why something is changed.
pub const REASON: &str = "reason";
/// What the form of a change was filled with.
const FILLED: &str = "filled";
/// What the query of every page may say.
const OF_PAGES: [&str; 5] = ["lang", "theme", "ui_locales", DONE, HELD];
/// What the query of every list may say.
const OF_LISTS: [&str; 3] = ["after", "before", "format"];

/// The fields of a form, or of a query.
#[derive(Clone, Debug, Default)]
pub struct Typed {
    fields: Vec<(String, String)>,
    faults: Vec<Fault>,
    /// What is wrong, where that is no field's fault.
    problem: Option<String>,
    /// The language in which it is said what is wrong.
    language: Language,
}

impl Typed {
    /// The fields of a body or query, percent-encoded.
    pub fn of(text: &str) -> Self {
        Self {
            fields: form_urlencoded::parse(text.as_bytes())
                .into_owned()
                .collect(),
            ..Self::default()
        }
    }

    /// The same with this value in a field that was not sent.
    #[must_use]
    pub fn filling(mut self, name: &str, value: impl Into<String>) -> Self {
        if self.value(name).is_none() {
            self.fields.push((name.to_owned(), value.into()));
        }
        self
    }

    /// The same with these values in a field that may have many and was not sent.
    #[must_use]
    pub fn filling_all<'a>(
        mut self,
        name: &str,
        values: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        if self.value(name).is_none() {
            let values = values.into_iter();
            let fields = values.map(|value| (name.to_owned(), value.to_owned()));
            self.fields.extend(fields);
        }
        self
    }

    /// Whether something else was typed into a field, line by line, than stands in others. Boxes that
    /// are ticked have no order.
    pub fn differs(&self, others: &Self, name: &str) -> bool {
        let lines = |typed: &Self| {
            let mut values: Vec<_> = typed.all(name).collect();
            values.sort_unstable();
            let lines = values.into_iter().flat_map(lines_of).map(str::to_owned);
            lines.collect::<Vec<_>>()
        };
        lines(self) != lines(others)
    }

    /// The fields of a form that is shown for the first time, as this fills them in; as they were
    /// typed, if they were. A field that was left as the form was filled in has what would be filled in
    /// now: whoever is told that somebody else changed something undoes nothing of it (M006).
    #[must_use]
    pub fn or_else(&self, fill: impl Fn(Self) -> Self) -> Self {
        let registered = fill(Self::default());
        let filled = registered.without(&[]);
        // Every form that changes something has a reason, and it is sent although it is empty.
        let is_sent = self.value(TICKET).or_else(|| self.value(REASON)).is_some();
        let mut shown = match (is_sent, self.value(FILLED)) {
            (false, _) => fill(self.clone()),
            (true, None) => self.clone(),
            (true, Some(before)) => self.over(&Self::of(before), &registered),
        };
        shown.fields.retain(|(name, _)| name != FILLED);
        shown.adding(FILLED, filled)
    }

    /// What was typed, where it is other than the form was filled with before; else what is registered.
    fn over(&self, before: &Self, registered: &Self) -> Self {
        let is_typed = |name: &str| self.differs(before, name);
        let typed = self.fields.iter().filter(|(name, _)| is_typed(name));
        let left = registered.fields.iter().filter(|(name, _)| !is_typed(name));
        Self {
            fields: typed.chain(left).cloned().collect(),
            faults: self.faults.clone(),
            problem: self.problem.clone(),
            language: self.language,
        }
    }

    /// The same with these fields alone.
    #[must_use]
    pub fn keeping(&self, names: &[&str]) -> Self {
        let mut kept = self.clone();
        kept.fields.retain(|(name, _)| names.contains(&&**name));
        kept
    }

    /// What a form was filled with, for the field that says so.
    pub fn filled(&self) -> &str {
        self.value(FILLED).unwrap_or_default()
    }

    /// The same without these fields.
    #[must_use]
    pub fn dropping(&self, names: &[&str]) -> Self {
        let mut kept = self.clone();
        kept.fields.retain(|(name, _)| !names.contains(&&**name));
        kept
    }

    /// The same with one more value in a field.
    #[must_use]
    pub fn adding(mut self, name: &str, value: impl Into<String>) -> Self {
        self.fields.push((name.to_owned(), value.into()));
        self
    }

    /// The same, of which this is wrong, as is said in this language.
    #[must_use]
    pub fn refused(self, problem: &Problem, language: Language) -> Self {
        let is_of_fields = problem.errors.iter().any(|fault| !fault.pointer.is_empty());
        Self {
            faults: problem.errors.clone(),
            problem: (!is_of_fields).then(|| problem.detail.clone()),
            language,
            ..self
        }
    }

    /// The same, with a sentence on top, in this language.
    #[must_use]
    pub fn told(self, sentence: impl Into<String>, language: Language) -> Self {
        Self {
            problem: Some(sentence.into()),
            language,
            ..self
        }
    }

    /// The tag of the language in which it is said what is wrong.
    pub fn language(&self) -> &'static str {
        self.language.tag()
    }

    /// Whether anything is wrong.
    pub fn is_refused(&self) -> bool {
        self.problem.is_some() || !self.faults.is_empty()
    }

    /// What is wrong and is no field's fault.
    pub fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Everything that is wrong with fields: the field's name, and what.
    pub fn faults(&self) -> impl Iterator<Item = (&str, &str)> {
        self.faults
            .iter()
            .map(|fault| (self.field_of(&fault.pointer), fault.detail.as_str()))
    }

    /// The field at which a fault is shown: the one that is named by the longest beginning of its
    /// JSON Pointer, else the first member of that.
    fn field_of<'p>(&self, pointer: &'p str) -> &'p str {
        let mut path = pointer.strip_prefix('/').unwrap_or_default();
        while let (None, Some((beginning, _))) = (self.value(path), path.rsplit_once('/')) {
            path = beginning;
        }
        path
    }

    /// What is wrong with a field.
    pub fn fault(&self, name: &str) -> Option<&str> {
        self.faults()
            .find(|(field, _)| *field == name)
            .map(|(_, detail)| detail)
    }

    /// The first value of a field, if it was sent.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The first value of a field without the blanks around it; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).unwrap_or_default().trim()
    }

    /// All values of a field.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields
            .iter()
            .filter(move |(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a box is ticked, or a value chosen.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.all(name).any(|sent| sent == value)
    }

    /// Whether anything was typed or ticked.
    pub fn has_any(&self, name: &str) -> bool {
        self.all(name).any(|value| !value.trim().is_empty())
    }

    /// A field twice that can be there once: what was meant is not known.
    pub fn is_double(&self, name: &str) -> bool {
        self.all(name).nth(1).is_some()
    }

    /// The fields of a query as this filter: apart from those that every page understands, and from
    /// empty ones, which ask for nothing.
    pub fn filter<T: DeserializeOwned>(&self) -> Option<T> {
        let own = |name: &str| OF_PAGES.contains(&name) || OF_LISTS.contains(&name);
        self.read(|name, value| !own(name) && !value.is_empty())
    }

    /// The fields of a query that every list understands.
    pub fn list(&self) -> ListQuery {
        self.read(|name, _| OF_LISTS.contains(&name))
            .unwrap_or_default()
    }

    fn read<T: DeserializeOwned>(&self, which: impl Fn(&str, &str) -> bool) -> Option<T> {
        let mut text = form_urlencoded::Serializer::new(String::new());
        let wanted = self
            .fields
            .iter()
            .filter(|(name, value)| which(name, value));
        text.extend_pairs(wanted);
        serde_html_form::from_str(&text.finish()).ok()
    }

    /// As text, without these fields and without what is no part of the form itself.
    pub fn without(&self, secret: &[&str]) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            if !secret.contains(&&**name) && name != TICKET {
                text.append_pair(name, value);
            }
        }
        text.finish()
    }

    /// Begins a document from these fields.
    pub fn members(&self) -> Members<'_> {
        Members {
            typed: self,
            within: String::new(),
            object: Map::new(),
            faults: Vec::new(),
        }
    }
}

/// A document that is made from fields, as it would come to `/admin/v1`.
#[derive(Debug)]
pub struct Members<'t> {
    typed: &'t Typed,
    /// What the names of its fields begin with, of a document within another one.
    within: String,
    object: Map<String, Value>,
    faults: Vec<Fault>,
}

impl<'t> Members<'t> {
    /// What was typed for a member.
    fn typed(&self, name: &str) -> &'t str {
        self.typed.text(&self.field(name))
    }

    /// The field of a member.
    fn field(&self, name: &str) -> String {
        format!("{}{name}", self.within)
    }

    /// Something is wrong with the field of a member.
    #[must_use]
    pub fn wrong(mut self, name: &str, problem: impl Into<String>) -> Self {
        let pointer = format!("/{}", self.field(name));
        self.faults.push(Fault::of(pointer, problem));
        self
    }

    /// A text; left out if nothing was typed.
    #[must_use]
    pub fn text(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self,
            text => self.with(name, text),
        }
    }

    /// A text; null if nothing was typed: for a change that takes it away.
    #[must_use]
    pub fn text_or_null(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self.with(name, Value::Null),
            text => self.with(name, text),
        }
    }

    /// A list, one value a line.
    #[must_use]
    pub fn lines(self, name: &str) -> Self {
        let lines: Vec<_> = lines_of(self.typed(name)).collect();
        self.with(name, lines)
    }

    /// A list, one value a line, each of which is written so.
    #[must_use]
    pub fn lines_as<T: Serialize>(
        mut self,
        name: &str,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Self {
        let mut values = Vec::new();
        for (place, line) in lines_of(self.typed(name)).enumerate() {
            match read(line) {
                Ok(value) => values.push(json!(value)),
                Err(problem) => {
                    self = self.wrong(name, format!("line {}: {problem}", place + 1));
                }
            }
        }
        self.with(name, values)
    }

    /// A list, of boxes that are ticked.
    #[must_use]
    pub fn ticked(self, name: &str) -> Self {
        let ticked: Vec<_> = self.typed.all(&self.field(name)).collect();
        self.with(name, ticked)
    }

    /// Whether a box is ticked.
    #[must_use]
    pub fn truth(self, name: &str) -> Self {
        let is_ticked = self.is_ticked(name);
        self.with(name, is_ticked)
    }

    /// Whether the box of a member is ticked.
    pub fn is_ticked(&self, name: &str) -> bool {
        self.typed.value(&self.field(name)).is_some()
    }

    /// A whole number; left out if nothing was typed.
    #[must_use]
    pub fn number(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self,
            text => match text.parse::<u64>() {
                Ok(number) => self.with(name, number),
                Err(_) => self.wrong(name, "expected a whole number"),
            },
        }
    }

    /// A whole number; null if nothing was typed.
    #[must_use]
    pub fn number_or_null(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self.with(name, Value::Null),
            _ => self.number(name),
        }
    }

    /// A length of time such as `90d`, in seconds; left out if nothing was typed.
    #[must_use]
    pub fn lasting(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self,
            text => match duration(text) {
                Ok(length) => self.with(name, length.as_secs()),
                Err(problem) => self.wrong(name, problem),
            },
        }
    }

    /// The same; null if nothing was typed.
    #[must_use]
    pub fn lasting_or_null(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self.with(name, Value::Null),
            _ => self.lasting(name),
        }
    }

    /// A moment: a day as fields for days send it, which begins at midnight UTC, or RFC 3339; left
    /// out if nothing was typed.
    #[must_use]
    pub fn moment(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self,
            text => self.with(name, moment(text)),
        }
    }

    /// JSON, such as a key set; left out if nothing was typed.
    #[must_use]
    pub fn json(self, name: &str) -> Self {
        match self.typed(name) {
            "" => self,
            text => match jose::json::parse_object(text.as_bytes()) {
                Ok(value) => self.with(name, value),
                Err(error) => self.wrong(name, format!("{error}; write a JSON object")),
            },
        }
    }

    /// A document within this one, of fields whose names begin with its own: `keys/jwks_uri`.
    #[must_use]
    pub fn part(mut self, name: &str, make: impl FnOnce(Self) -> Self) -> Self {
        let part = make(Members {
            typed: self.typed,
            within: format!("{}/", self.field(name)),
            object: Map::new(),
            faults: Vec::new(),
        });
        self.faults.extend(part.faults);
        self.with(name, part.object)
    }

    /// This value.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.object.insert(name.to_owned(), value.into());
        self
    }

    /// Whether there is nothing in it, and nothing wrong either.
    pub fn is_empty(&self) -> bool {
        self.object.is_empty() && self.faults.is_empty()
    }

    /// The document, if nothing is wrong with it.
    ///
    /// # Errors
    /// All faults, those of fields and those that the document has all the same, as `/admin/v1` tells
    /// them.
    pub fn body<C: Content>(self) -> Result<C, Error> {
        let text = Zeroizing::new(Value::Object(self.object).to_string());
        if text.len() > C::LARGEST {
            let detail = format!("This has more than {} octets.", C::LARGEST);
            return Err(Problem::new(Slug::TooLarge, detail).into());
        }
        let mut faults = self.faults;
        match C::read(text.as_bytes()) {
            Ok(document) if faults.is_empty() => return Ok(document),
            Ok(_) => {}
            Err(problem) if faults.is_empty() => return Err(problem.into()),
            Err(problem) => {
                // A member that was left out since it could not be read is not missing.
                let is_new = |fault: &Fault| faults.iter().all(|own| own.pointer != fault.pointer);
                let others = problem
                    .errors
                    .into_iter()
                    .filter(is_new)
                    .collect::<Vec<_>>();
                faults.extend(others);
            }
        }
        Err(Problem::at_fault(Slug::Invalid, faults).into())
    }
}

/// The lines of a text that are not blank, without the blanks around them.
pub fn lines_of(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn m116_fields_become_members_and_faults_of_members_those_of_fields() {
        let typed = Typed::of(
            "overlap=7d&day=2026-11-27&time=2026-11-27T01:02:03Z&client_id=+billing+&scope=&redirect_uris=a%0D%0A%0D%0Ab&grant_types=x&grant_types=y&lifetime=7&enabled=on",
        );
        let members = typed
            .members()
            .text("client_id")
            .text("scope")
            .text_or_null("client_name")
            .lines("redirect_uris")
            .ticked("grant_types")
            .number("lifetime")
            .lasting("overlap")
            .lasting_or_null("nothing")
            .moment("day")
            .moment("time")
            .moment("nothing_either")
            .truth("enabled");
        let expected = serde_json::json!({
            "client_id": "billing", "client_name": null, "redirect_uris": ["a", "b"], "grant_types": ["x", "y"], "lifetime": 7,
            "overlap": 604_800, "nothing": null, "day": "2026-11-27T00:00:00Z", "time": "2026-11-27T01:02:03Z",
            "enabled": true,
        });
        assert_eq!(Value::Object(members.object), expected);
        let within = Typed::of("keys%2Fjwks_uri=https%3A%2F%2Fa.example&keys%2Fjwks=%7B");
        let members = within.members().part("keys", |keys| keys.text("jwks_uri"));
        let expected = serde_json::json!({"keys": {"jwks_uri": "https://a.example"}});
        assert_eq!(Value::Object(members.object), expected);
        let members = within.members().part("keys", |keys| keys.json("jwks"));
        assert_eq!(members.faults[0].pointer, "/keys/jwks");
        let faults = vec![
            Fault::of("/keys/jwks_uri", "is no URL"),
            Fault::of("/keys/pem", "is no PEM"),
        ];
        let within = within.refused(&Problem::at_fault(Slug::Invalid, faults), Language::English);
        let at: Vec<_> = within.faults().map(|(field, _)| field.to_owned()).collect();
        assert_eq!(at, ["keys/jwks_uri", "keys"]);
        let within = Typed::of("use%2Fgrace=1h&use%2Fend=2026-11-27&use%2Flife=soon&grace=2h");
        let members = within.members().part("use", |part| {
            part.lasting("grace").moment("end").lasting_or_null("life")
        });
        assert_eq!(members.faults[0].pointer, "/use/life");
        let expected = serde_json::json!({"use": {"grace": 3600, "end": "2026-11-27T00:00:00Z"}});
        assert_eq!(Value::Object(members.object), expected);
        let faults = vec![Fault::of("/redirect_uris/1", "is no URI")];
        let refused = typed.refused(&Problem::at_fault(Slug::Invalid, faults), Language::English);
        assert_eq!(refused.fault("redirect_uris"), Some("is no URI"));
        assert_eq!((refused.fault("scope"), refused.problem()), (None, None));
    }

    #[test]
    fn what_differs_is_another_line_or_box_and_not_the_order_of_boxes() {
        let before = Typed::of("box=a&box=b&lines=a%0Ab");
        for (typed, name, differs) in [
            ("box=b&box=a", "box", false),
            ("box=b", "box", true),
            ("box=b&box=c", "box", true),
            ("lines=a%0D%0A%0D%0A+b", "lines", false),
            ("lines=b%0Aa", "lines", true),
        ] {
            assert_eq!(Typed::of(typed).differs(&before, name), differs, "{typed}");
        }
    }

    #[test]
    fn m006_a_form_that_came_late_keeps_what_was_typed_and_what_others_changed() {
        let fill = |scope: &'static str, uris: &'static str| {
            move |typed: Typed| {
                let typed = typed.filling("scope", scope).filling("uris", uris);
                typed.filling("tick", "true")
            }
        };
        let first = Typed::default().or_else(fill("r", "a"));
        let shown = |typed: &Typed| {
            let fields = ["scope", "uris", "tick"];
            fields.map(|name| typed.text(name).to_owned())
        };
        assert_eq!(shown(&first), ["r", "a", "true"]);
        let sent = first.dropping(&["scope", "tick"]);
        let sent = sent.adding("scope", "r w").adding(REASON, "");
        // Somebody else changed the other field.
        let again = sent.or_else(fill("r", "b"));
        assert_eq!(shown(&again), ["r w", "b", ""]);
        // The control: nobody did.
        assert_eq!(shown(&sent.or_else(fill("r", "a"))), ["r w", "a", ""]);
        let unchanged = first.adding(REASON, "").or_else(fill("r", "b"));
        assert_eq!(shown(&unchanged), ["r", "b", "true"]);
    }
}
