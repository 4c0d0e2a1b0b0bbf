//! A person's browser as far as pages need one: it keeps the cookie, reads forms and sends them, and
//! says where they come from. It runs no script and follows no redirect by itself.

use super::{Answer, Server, escape};

/// A browser at a server.
#[derive(Clone)]
pub struct Browser<'s> {
    server: &'s Server,
    /// Name and value, as it is sent.
    pub cookie: Option<String>,
    /// Sent with each request.
    pub headers: Vec<(String, String)>,
    /// What `Host` says.
    pub host: String,
}

/// A form on a page, and what its fields hold: hidden ones, and the first of its buttons.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form {
    pub action: String,
    pub fields: Vec<(String, String)>,
}

impl<'s> Browser<'s> {
    /// One that was never there before.
    pub fn new(server: &'s Server) -> Self {
        Self {
            server,
            cookie: None,
            headers: Vec::new(),
            host: server.address.to_string(),
        }
    }

    /// Opens a path, or a link of this server.
    pub fn open(&mut self, link: &str) -> Answer {
        self.send("GET", link, &[], "")
    }

    /// Opens it, and goes where this server leads.
    pub fn follow(&mut self, link: &str) -> Answer {
        let opened = self.open(link);
        self.led(opened)
    }

    /// Sends a form, with other values in these fields, as a browser does from a page of this
    /// server. Goes where that leads.
    pub fn submit(&mut self, form: &Form, values: &[(&str, &str)]) -> Answer {
        let origin = self.server.issuer.clone();
        let sent = self.submit_as(form, values, &[("Origin", &origin)]);
        self.led(sent)
    }

    /// Sends it with these headers, and goes nowhere.
    pub fn submit_as(
        &mut self,
        form: &Form,
        values: &[(&str, &str)],
        headers: &[(&str, &str)],
    ) -> Answer {
        let kept = form.fields.iter().map(|(name, value)| (&**name, &**value));
        let kept = kept.filter(|(name, _)| values.iter().all(|(other, _)| other != name));
        let fields = kept.chain(values.iter().copied());
        let body: Vec<_> = fields
            .map(|(name, value)| format!("{}={}", escape(name), escape(value)))
            .collect();
        self.send("POST", &form.action, headers, &body.join("&"))
    }

    /// Sends a body as a form is sent.
    pub fn send(
        &mut self,
        method: &str,
        link: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let path = link.strip_prefix(&self.server.issuer).unwrap_or(link);
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", self.host);
        request += "Connection: close\r\n";
        let own = self.headers.iter().map(|(name, value)| (&**name, &**value));
        let cookie = self.cookie.as_deref().map(|cookie| ("Cookie", cookie));
        for (name, value) in own.chain(cookie).chain(headers.iter().copied()) {
            request += &format!("{name}: {value}\r\n");
        }
        if method == "POST" {
            request += "Content-Type: application/x-www-form-urlencoded\r\n";
        }
        request += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
        let answer = self.server.raw(request.as_bytes());
        if let Some(set) = answer.header("set-cookie") {
            let (pair, _) = set.split_once(';').unwrap_or((set, ""));
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    fn led(&mut self, mut answer: Answer) -> Answer {
        while let (303, Some(location)) = (answer.status, answer.header("location")) {
            let location = location.to_owned();
            if !location.starts_with('/') && !location.starts_with(&self.server.issuer) {
                break;
            }
            answer = self.open(&location);
        }
        answer
    }

    /// Accepts an invitation, and is signed in with this password.
    ///
    /// # Panics
    /// If that is refused.
    pub fn accept(&mut self, link: &str, password: &str) {
        let page = self.open(link);
        let form = page.invitation();
        let accepted = self.submit(&form, &[("password", password)]);
        assert_eq!(accepted.status, 200, "{accepted:?}");
        let comes_to = ["Who may act for you", "Your ways to sign in"];
        let is_in = comes_to.iter().any(|text| accepted.body.contains(text));
        assert!(is_in, "{accepted:?}");
    }

    /// Signs in, and out before, if somebody is.
    pub fn sign_in(&mut self, name: &str, password: &str) -> Answer {
        if self.open("/signin").status == 303 {
            let form = self.open("/signout").form("/signout");
            self.submit(&form, &[]);
        }
        let form = self.open("/signin").form("/signin");
        self.submit(&form, &[("username", name), ("password", password)])
    }
}

impl Answer {
    /// The forms of a page, in their order.
    pub fn forms(&self) -> Vec<Form> {
        let forms = self.body.split("<form ").skip(1);
        let forms = forms.map(|form| form.split("</form>").next().unwrap_or_default());
        forms
            .map(|form| Form {
                action: attribute(form, "action").unwrap_or_default(),
                fields: fields(form),
            })
            .collect()
    }

    /// The form of an invitation, which is at the console for who has a role.
    ///
    /// # Panics
    /// If there is none.
    pub fn invitation(&self) -> Form {
        match self.body.contains("action=\"/console/invitation\"") {
            true => self.form("/console/invitation"),
            false => self.form("/invitation"),
        }
    }

    /// The form that goes to this path.
    ///
    /// # Panics
    /// If there is none.
    pub fn form(&self, action: &str) -> Form {
        let found = self.forms().into_iter().find(|form| form.action == action);
        found.unwrap_or_else(|| unreachable!("no form to {action} in {self:?}"))
    }

    /// Where a page of the way back leads.
    pub fn leads_to(&self) -> Option<&str> {
        let (_, url) = self.header("refresh")?.split_once("url=")?;
        Some(url)
    }
}

/// Hidden fields, and the first button that has a name.
fn fields(form: &str) -> Vec<(String, String)> {
    let named = |tag: &str| Some((attribute(tag, "name")?, attribute(tag, "value")?));
    let tags = |name: &'static str| {
        let tags = form.split(name).skip(1);
        tags.map(|tag| tag.split('>').next().unwrap_or_default())
    };
    let hidden = tags("<input ").filter(|tag| tag.contains("type=\"hidden\""));
    let button = tags("<button ").find_map(named);
    hidden.filter_map(named).chain(button).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    rest.split('"').next().map(str::to_owned)
}
