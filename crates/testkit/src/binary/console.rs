//! An operator at the console of a running server: comes in by a link of `grantor console`, opens
//! pages, fills in their forms and sends them.

use super::{
    Answer, Server,
    browser::{Browser, Form},
};

/// An operator who is signed in.
#[derive(Clone)]
pub struct Console<'s> {
    pub browser: Browser<'s>,
}

impl Server {
    /// The only owner at the console, who is made if there is none.
    pub fn console(&self) -> Console<'_> {
        self.console_by(&[])
    }

    /// A new operator with this role, at the console.
    pub fn console_as(&self, name: &str, role: &str) -> Console<'_> {
        self.ok(&["operator", "create", name, "--role", role]);
        self.console_by(&["--operator", name])
    }

    fn console_by(&self, arguments: &[&str]) -> Console<'_> {
        let printed = self.ok(&[&["console", "--json"], arguments].concat());
        let printed: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let link = printed["link"].as_str().expect("a link").to_owned();
        let mut browser = Browser::new(self);
        let form = browser.open(&link).form("/console/open");
        let origin = [("Origin", self.issuer.as_str())];
        let opened = browser.submit_as(&form, &[], &origin);
        assert_eq!(opened.status, 303, "{opened:?}");
        Console { browser }
    }
}

impl Console<'_> {
    /// Opens a page: a path below the console, or a whole one.
    pub fn open(&mut self, path: &str) -> Answer {
        self.browser.follow(&whole(path))
    }

    /// A page that is there.
    ///
    /// # Panics
    /// If it is not.
    pub fn page(&mut self, path: &str) -> Answer {
        let page = self.open(path);
        assert_eq!(page.status, 200, "{path}: {page:?}");
        page
    }

    /// The form of a page, with what its fields hold.
    ///
    /// # Panics
    /// If there is no such page, or no form on it that is sent to the same path.
    pub fn form(&mut self, path: &str) -> Form {
        let (action, page) = (whole(path), self.page(path));
        let (action, _) = action.split_once('?').unwrap_or((&action, ""));
        page.filled(action)
    }

    /// Opens the form of a page, and sends it with other values in these fields. A field that is
    /// named without a value is not sent. Goes where that leads.
    pub fn submit(&mut self, path: &str, values: &[(&str, &str)]) -> Answer {
        let form = self.form(path);
        self.browser.submit(&form, values)
    }
}

fn whole(path: &str) -> String {
    match path.starts_with("/console") || path.contains("://") {
        true => path.to_owned(),
        false => format!("/console{path}"),
    }
}

impl Answer {
    /// The form that goes to this path, with what a browser would send of it untouched: hidden fields,
    /// texts, what is ticked and chosen, and the first button that has a name.
    ///
    /// # Panics
    /// If there is none.
    pub fn filled(&self, action: &str) -> Form {
        let forms = self.body.split("<form ").skip(1);
        let forms = forms.map(|form| form.split("</form>").next().unwrap_or_default());
        let found = forms.filter(|form| attribute(form, "action").as_deref() == Some(action));
        let found = found.last();
        let form = found.unwrap_or_else(|| unreachable!("no form to {action} in {self:?}"));
        Form {
            action: action.to_owned(),
            fields: fields(form),
        }
    }

    /// What stands between the tags of the element of this id, without markup.
    pub fn text_of(&self, id: &str) -> Option<String> {
        let (_, rest) = self.body.split_once(&format!(" id=\"{id}\""))?;
        let (_, rest) = rest.split_once('>')?;
        let end = ["</pre>", "</textarea>", "</p>", "</code>"];
        let end = end.iter().filter_map(|tag| rest.find(tag)).min()?;
        Some(text(&rest[..end]))
    }
}

/// Markup as the text that it shows.
pub fn text(markup: &str) -> String {
    let pieces = markup.split('<').enumerate();
    let pieces = pieces.map(|(place, piece)| match place {
        0 => piece,
        _ => piece.split_once('>').map_or("", |(_, text)| text),
    });
    let text: String = pieces.collect();
    [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&amp;", "&"),
    ]
    .iter()
    .fold(text, |text, (entity, plain)| text.replace(entity, plain))
}

fn fields(form: &str) -> Vec<(String, String)> {
    let (mut fields, mut has_button) = (Vec::new(), false);
    for (place, _) in form.match_indices('<') {
        let tag = &form[place..];
        let (head, rest) = tag.split_once('>').unwrap_or((tag, ""));
        let Some(name) = attribute(head, "name") else {
            continue;
        };
        let value = attribute(head, "value").unwrap_or_default();
        let is_box = head.contains("type=\"checkbox\"") || head.contains("type=\"radio\"");
        if head.starts_with("<input ") && (!is_box || head.contains(" checked")) {
            fields.push((name, value));
        } else if head.starts_with("<textarea ") {
            let content = rest.split("</textarea>").next().unwrap_or_default();
            fields.push((name, text(content.strip_prefix('\n').unwrap_or(content))));
        } else if head.starts_with("<select ") {
            let options = rest.split("</select>").next().unwrap_or_default();
            fields.extend(chosen(options).map(|value| (name, value)));
        } else if head.starts_with("<button ") && !has_button {
            has_button = true;
            fields.push((name, value));
        }
    }
    fields
}

/// The value that a list of options has chosen.
fn chosen(options: &str) -> Option<String> {
    let options: Vec<_> = options.split("<option").skip(1).collect();
    let head = |option: &str| option.split('>').next().unwrap_or_default().to_owned();
    let chosen = options
        .iter()
        .find(|option| head(option).contains(" selected"));
    attribute(&head(chosen.or(options.first())?), "value")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next().map(text)
}
