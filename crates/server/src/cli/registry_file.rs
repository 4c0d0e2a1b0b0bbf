//! Files of registrations, in TOML or JSON: read as one, with the file and line of whatever is wrong
//! in them (M070).

mod json;
mod toml;

use std::{
    collections::HashSet,
    fs, io,
    path::{Component, Path, PathBuf},
};

use grantor::{
    admin::{Error, Fault, Kind, Registrations},
    file,
    jose::json::{Object, Value},
};

use super::Failure;

/// The member that names a file with keys.
const JWKS_FILE: &str = "jwks_file";
/// The member that it stands for.
const JWKS: &str = "jwks";

/// What is registered by a file, or by all files of a directory.
pub struct RegistryFiles {
    /// All of it.
    pub registrations: Registrations,
    sources: Vec<Source>,
    /// For each kind, of each document: its file, and its place there.
    places: Vec<(Kind, Vec<(usize, usize)>)>,
}

/// One file.
struct Source {
    path: PathBuf,
    text: String,
    form: Form,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Toml,
    Json,
}

impl Form {
    fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "toml" => Some(Self::Toml),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl RegistryFiles {
    /// Reads a file, or the files of a directory that end with `.toml` and `.json`, but for those
    /// with the keys of others.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let sources = match path.is_dir() {
            true => sources_in(path)?,
            false => vec![Source::read(path)?],
        };
        let objects = sources.iter().map(Source::object);
        let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
        let keys = keys_named_in(&sources, &objects);
        let (mut read, mut problems) = (Self::empty(), Vec::new());
        for (source, object) in sources.into_iter().zip(&mut objects) {
            if keys.contains(&source.path) {
                continue;
            }
            problems.extend(read_key_files(&source, object));
            match Registrations::read(std::mem::take(object)) {
                Ok(registrations) => read.add(source, registrations),
                Err(Error::Invalid(faults)) => {
                    problems.extend(faults.iter().map(|fault| source.describe(fault)));
                }
                Err(error) => return Err(error.into()),
            }
        }
        match problems.is_empty() {
            true => Ok(read),
            false => Err(Failure::usage(problems.join("; "))),
        }
    }

    /// What is wrong, with its file and line where it is in one.
    pub fn describe(&self, fault: &Fault) -> String {
        let pointer = fault.pointer.strip_prefix("/resources");
        let parts = pointer.and_then(|pointer| {
            let mut parts = pointer.strip_prefix('/')?.splitn(3, '/');
            let (kind, index) = (parts.next()?, parts.next()?.parse::<usize>().ok()?);
            Some((kind, index, parts.next().unwrap_or_default()))
        });
        let found = parts.and_then(|(kind, index, rest)| {
            let (_, places) = self
                .places
                .iter()
                .find(|(known, _)| known.as_str() == kind)?;
            let (source, index) = places.get(index)?;
            let rest = if rest.is_empty() {
                String::new()
            } else {
                format!("/{rest}")
            };
            Some((self.sources.get(*source)?, format!("/{kind}/{index}{rest}")))
        });
        match found {
            Some((source, pointer)) => source.describe(&Fault::of(pointer, fault.detail.clone())),
            // What is wrong with the request itself is said by its flag.
            None => fault.detail.replace("(allow_empty)", "(--allow-empty)"),
        }
    }

    fn empty() -> Self {
        Self {
            registrations: Registrations::default(),
            sources: Vec::new(),
            places: Kind::ALL.map(|kind| (kind, Vec::new())).into(),
        }
    }

    fn add(&mut self, source: Source, mut registrations: Registrations) {
        for (kind, places) in &mut self.places {
            let documents = std::mem::take(registrations.of_mut(*kind));
            places.extend((0..documents.len()).map(|index| (self.sources.len(), index)));
            self.registrations.of_mut(*kind).extend(documents);
        }
        self.sources.push(source);
    }
}

impl Source {
    fn read(path: &Path) -> Result<Self, Failure> {
        let wrong = |problem: &str| Failure::usage(format!("{}: {problem}", path.display()));
        let form =
            Form::of(path).ok_or_else(|| wrong("expected a file that ends with .toml or .json"))?;
        let text = file::read_text(path, Registrations::MAX_BYTES as u64);
        let text = text.map_err(|error| wrong(&error.to_string()))?;
        // Some editors write a byte order mark (RFC 8259 §8.1).
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        Ok(Self {
            path: path.to_owned(),
            text: text.to_owned(),
            form,
        })
    }

    fn object(&self) -> Result<Object, Failure> {
        let read = match self.form {
            Form::Toml => toml::object(&self.text),
            Form::Json => json::object(&self.text),
        };
        read.map_err(|problem| Failure::usage(format!("{}{problem}", self.path.display())))
    }

    /// A fault of it: the line of the member, or of what it is missing in.
    fn describe(&self, fault: &Fault) -> String {
        let tokens = fault.pointer.split('/').skip(1);
        let tokens: Vec<_> = tokens
            .map(|token| token.replace("~1", "/").replace("~0", "~"))
            .collect();
        let offset = match self.form {
            Form::Toml => toml::offset(&self.text, &tokens),
            Form::Json => json::offset(&self.text, &tokens),
        };
        let before = self.text.get(..offset).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        // Of a document, its kind and place are told by the line.
        let member = match &*tokens {
            [] | [_, _] => String::new(),
            [kind] => format!("{kind}: "),
            [_, _, member @ ..] => format!("{}: ", member.join(".")),
        };
        format!("{}:{line}: {member}{}", self.path.display(), fault.detail)
    }
}

/// The files of a directory, in the order of their names.
fn sources_in(directory: &Path) -> Result<Vec<Source>, Failure> {
    let wrong = |error: io::Error| Failure::usage(format!("{}: {error}", directory.display()));
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(wrong)? {
        let path = entry.map_err(wrong)?.path();
        let name = path
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        let is_hidden = name.is_none_or(|name| name.starts_with('.'));
        if !is_hidden && Form::of(&path).is_some() && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    if paths.is_empty() {
        let problem = "there is no file in it that ends with .toml or .json";
        return Err(Failure::usage(format!(
            "{}: {problem}",
            directory.display()
        )));
    }
    paths.iter().map(|path| Source::read(path)).collect()
}

/// The documents that may name a file with keys, and where the keys themselves would be.
fn with_keys(object: &mut Object) -> impl Iterator<Item = (String, &mut Object)> {
    let mut clients = None;
    let mut issuers = None;
    for (name, value) in object {
        match (&**name, value) {
            ("client", Value::Array(items)) => clients = Some(items),
            ("issuer", Value::Array(items)) => issuers = Some(items),
            _ => {}
        }
    }
    let clients = clients.into_iter().flatten().enumerate();
    let clients = clients
        .filter_map(|(index, client)| Some((format!("/client/{index}"), client.as_object_mut()?)));
    let issuers = issuers.into_iter().flatten().enumerate();
    let issuers = issuers.filter_map(|(index, issuer)| {
        let keys = issuer.as_object_mut()?.get_mut("keys")?.as_object_mut()?;
        Some((format!("/issuer/{index}/keys"), keys))
    });
    clients.chain(issuers)
}

/// The files that others name for their keys: they hold no registrations.
fn keys_named_in(sources: &[Source], objects: &[Object]) -> HashSet<PathBuf> {
    let mut named = HashSet::new();
    for (source, object) in sources.iter().zip(objects) {
        for (_, document) in with_keys(&mut object.clone()) {
            let file = document.get(JWKS_FILE).and_then(Value::as_str);
            named.extend(file.map(|file| beside(&source.path, file)));
        }
    }
    named
}

fn beside(path: &Path, file: &str) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).join(file)
}

/// Puts keys in the place of the files that are named for them. Answers what is wrong.
fn read_key_files(source: &Source, object: &mut Object) -> Vec<String> {
    let mut problems = Vec::new();
    for (place, document) in with_keys(object) {
        let Some(file) = document.remove(JWKS_FILE) else {
            continue;
        };
        let keys = match document.contains_key(JWKS) {
            true => Err(format!("there are {JWKS} beside it; leave out one of them")),
            false => keys_in(&source.path, &file),
        };
        match keys {
            Ok(keys) => drop(document.insert(JWKS.to_owned(), keys)),
            Err(problem) => {
                let fault = Fault::of(format!("{place}/{JWKS_FILE}"), problem);
                problems.push(source.describe(&fault));
            }
        }
    }
    problems
}

/// The JWK Set in a file that is named beside another one. What its keys are good for is checked
/// with everything else.
fn keys_in(path: &Path, file: &Value) -> Result<Value, String> {
    let Value::String(name) = file else {
        return Err("expected the name of a file".to_owned());
    };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
    if name.is_empty() || !Path::new(name).components().all(is_plain) {
        return Err(format!(
            "{name}: expected a file beside this one, or in a directory below"
        ));
    }
    let text = file::read_text(&beside(path, name), file::DOCUMENT_BYTES);
    let text = text.map_err(|error| format!("{name}: {error}"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let set = json::object(text).map_err(|problem| format!("{name}{problem}"))?;
    Ok(Value::Object(set))
}

#[cfg(test)]
mod tests;
