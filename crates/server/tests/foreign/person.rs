//! A person without a browser: opens a link, sends the forms of its pages, and is led back to the
//! client.

use crate::{
    browser::{ALICE, PASSWORD},
    support::{Answer, Server},
};

/// What alice fills in, where a page has such a field.
const FILLED_IN: [(&str, &str); 3] = [
    ("username", ALICE),
    ("password", PASSWORD),
    ("decision", "allow"),
];

/// Alice, at a browser of her own.
pub(crate) struct Person<'s> {
    server: &'s Server,
    cookie: String,
}

impl<'s> Person<'s> {
    pub(crate) fn at(server: &'s Server) -> Self {
        Self {
            server,
            cookie: String::new(),
        }
    }

    /// Goes to a URL of the server, does what its pages ask for, and answers where it leads.
    pub(crate) fn visit(&mut self, url: &str) -> String {
        let mut page = self.open(url);
        for _ in 0..10 {
            let refresh = page.header("refresh");
            let refresh = refresh.and_then(|refresh| refresh.split_once("url="));
            let place = refresh.map(|(_, place)| place).or(page.header("location"));
            page = match place.map(ToOwned::to_owned) {
                None => self.fill_in(&page),
                Some(place) if self.path(&place).is_some() => self.open(&place),
                Some(place) => return place,
            };
        }
        unreachable!("the pages go round in circles: {}", page.body)
    }

    pub(crate) fn open(&mut self, url: &str) -> Answer {
        let path = self.path(url);
        let path = path.unwrap_or_else(|| unreachable!("not of this server: {url}"));
        let answer = self.server.send("GET", path, &self.headers(), b"");
        self.keep_cookie(answer)
    }

    /// The path and the query, if that is a place of the server.
    fn path<'u>(&self, url: &'u str) -> Option<&'u str> {
        let path = url.strip_prefix(&self.server.issuer).unwrap_or(url);
        path.starts_with('/').then_some(path)
    }

    /// Sends the form of a page that has something to fill in.
    pub(crate) fn fill_in(&mut self, page: &Answer) -> Answer {
        let forms = page.body.split(r#"<form method="post" action=""#).skip(1);
        for form in forms {
            let (form, _) = form.split_once("</form>").expect("an end");
            let has = |name: &str| form.contains(&format!(r#" name="{name}""#));
            if !has("password") && !has("decision") {
                continue;
            }
            let (action, rest) = form.split_once('"').expect("a place");
            let hidden = rest.split(r#"<input type="hidden" name=""#).skip(1);
            let hidden = hidden.map(|input| {
                let mut quoted = input.split('"');
                (
                    quoted.next().unwrap_or_default(),
                    quoted.nth(1).unwrap_or_default(),
                )
            });
            let mut fields: Vec<_> = hidden.collect();
            for (name, value) in FILLED_IN {
                if has(name) && !fields.iter().any(|(hidden, _)| *hidden == name) {
                    fields.push((name, value));
                }
            }
            let answer = self.server.post(action, &fields, &self.headers());
            return self.keep_cookie(answer);
        }
        unreachable!("no form to fill in: {}", page.body)
    }

    fn headers(&self) -> [(&str, &str); 2] {
        [("cookie", &self.cookie), ("origin", &self.server.issuer)]
    }

    /// The pages have one cookie.
    fn keep_cookie(&mut self, answer: Answer) -> Answer {
        let set = answer.header("set-cookie");
        if let Some((cookie, _)) = set.and_then(|set| set.split_once(';')) {
            cookie.clone_into(&mut self.cookie);
        }
        answer
    }
}
