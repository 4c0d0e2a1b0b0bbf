//! Where a page of the console is, and what it needs.

use grantor::registry::Role;

/// The entries of the side bar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Section {
    Overview,
    Clients,
    Subjects,
    Permissions,
    Scopes,
    Issuers,
    Trusts,
    SigningKeys,
    Decisions,
    Statistics,
    Explain,
    Changes,
    Operators,
    Server,
    Help,
    /// The operator's own account, which is beside their name.
    Account,
}

impl Section {
    /// In the order of the side bar.
    pub const ALL: [Self; 15] = [
        Self::Overview,
        Self::Clients,
        Self::Subjects,
        Self::Permissions,
        Self::Scopes,
        Self::Issuers,
        Self::Trusts,
        Self::SigningKeys,
        Self::Decisions,
        Self::Statistics,
        Self::Explain,
        Self::Changes,
        Self::Operators,
        Self::Server,
        Self::Help,
    ];

    /// The key that leads to its first page, where keys are switched on: the same in every language.
    pub fn key(self) -> Option<char> {
        Some(match self {
            Self::Overview => 'o',
            Self::Clients => 'c',
            Self::Subjects => 's',
            Self::Permissions => 'p',
            Self::Scopes => 'e',
            Self::Issuers => 'i',
            Self::Trusts => 't',
            Self::SigningKeys => 'k',
            Self::Decisions => 'd',
            Self::Statistics => 'n',
            Self::Explain => 'x',
            Self::Changes => 'h',
            Self::Operators => 'r',
            Self::Server => 'v',
            Self::Help => '?',
            Self::Account => return None,
        })
    }

    /// The path of its first page below the console.
    pub fn path(self) -> &'static str {
        match self {
            Self::Overview => "",
            Self::Clients => "/clients",
            Self::Subjects => "/subjects",
            Self::Permissions => "/permissions",
            Self::Scopes => "/scopes",
            Self::Issuers => "/issuers",
            Self::Trusts => "/trusts",
            Self::SigningKeys => "/signing-keys",
            Self::Decisions => "/decisions",
            Self::Statistics => "/statistics",
            Self::Explain => "/explain",
            Self::Changes => "/changes",
            Self::Operators => "/operators",
            Self::Server => "/server",
            Self::Help => "/help",
            Self::Account => "/account",
        }
    }
}

/// Where a page is, and what it needs.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The path below the console; names in braces stand for segments, as below `/admin/v1`.
    pub path: &'static str,
    /// Where it is in the side bar.
    pub section: Section,
    /// The least role.
    pub needs: Role,
    /// Whether it has a form that is sent to it.
    pub is_form: bool,
    /// Whether what it does is hard to undo or gives power: then the operator must have proved a
    /// moment ago who they are (M112).
    pub is_grave: bool,
    /// Whether it takes so long that tokens would wait for it.
    pub is_long: bool,
    /// Whether its answer shows something that is nowhere else: then its form is taken once (M115).
    pub shows_once: bool,
}

impl Route {
    /// A page that only shows, for everybody with a role.
    pub const fn page(path: &'static str, section: Section) -> Self {
        Self {
            path,
            section,
            needs: Role::Reader,
            is_form: false,
            is_grave: false,
            is_long: false,
            shows_once: false,
        }
    }

    /// The methods that it takes, as `Allow` has them.
    pub const fn methods(&self) -> &'static str {
        match self.is_form {
            true => "GET, HEAD, POST",
            false => "GET, HEAD",
        }
    }

    /// A page with a form that changes something.
    pub const fn form(path: &'static str, section: Section) -> Self {
        Self {
            needs: Role::Editor,
            is_form: true,
            ..Self::page(path, section)
        }
    }

    /// For everybody with a role: a form that changes nothing.
    #[must_use]
    pub const fn for_readers(self) -> Self {
        Self {
            needs: Role::Reader,
            ..self
        }
    }

    /// For owners only.
    #[must_use]
    pub const fn for_owners(self) -> Self {
        Self {
            needs: Role::Owner,
            ..self
        }
    }

    /// Hard to undo, or gives power.
    #[must_use]
    pub const fn grave(self) -> Self {
        Self {
            is_grave: true,
            ..self
        }
    }

    /// Answers with something that is shown once. Sent again, by reloading its answer, the form does
    /// nothing more.
    #[must_use]
    pub const fn once(self) -> Self {
        Self {
            shows_once: true,
            ..self
        }
    }

    /// Takes its time.
    #[must_use]
    pub const fn long(self) -> Self {
        Self {
            is_long: true,
            ..self
        }
    }
}
