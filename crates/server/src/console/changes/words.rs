//! What the pages of changes say.

use grantor::registry::{Action, Way, Who};

use crate::pages::{Language, Markup, Named, markup, words};

words! {
    /// What the pages of changes say.
    pub struct Words;
    heading: "Changes", "Changements";
    change(number: u64): "Change {number}", "Changement {number}";
    none_yet: "Nothing was changed yet. Each change of a client, subject, permission or whatever else is registered is recorded here: who, what, and why.", "Rien n'a encore été modifié. Chaque modification d'un client, d'un sujet, d'une autorisation ou de toute autre chose enregistrée est consignée ici : qui, quoi et pourquoi.";
    none_found: "No change matches.", "Aucun changement ne correspond.";
    at: "When", "Quand";
    who: "Who", "Qui";
    who_hint: "As it is shown in the list, such as operator olga", "Tel qu'affiché dans la liste, par exemple operator olga";
    way: "Way", "Voie";
    action: "Action", "Action";
    resource: "What", "Quoi";
    kind: "Kind", "Genre";
    name: "Name", "Nom";
    since: "Since", "Depuis";
    members: "Members", "Membres";
    member: "Member", "Membre";
    before: "Before", "Avant";
    after: "After", "Après";
    reason: "Reason", "Raison";
    no_reason: "none was given", "aucune n'a été donnée";
    address: "Address", "Adresse";
    request: "Request", "Requête";
    not_known: "not known", "inconnue";
    whole: "all of it", "l'ensemble";
    nothing_differs: "Nothing differs.", "Rien ne diffère.";
    fingerprints: "Of keys, secrets and links there are fingerprints, and of passwords only that they were set.", "Des clés, secrets et liens ne figurent que les empreintes, et des mots de passe seulement leur définition.";
    all_of_it: "All changes of it", "Tous ses changements";
    all_by_them: "All changes by them", "Tous les changements de cette personne";
    done_by(action: &str, who: Markup): "{action} by {who}", "{action} par {who}";
    operator(name: Named<'_>): "operator {name}", "opérateur {name}";
    client(name: Named<'_>): "client {name}", "client {name}";
    person(name: Named<'_>): "person {name}", "personne {name}";
    local_user(number: u32): "local user {number}", "utilisateur local {number}";
    program(name: Named<'_>): "program {name}", "programme {name}";
    unknown: "somebody unknown", "un inconnu";
}

impl Words {
    /// What was done.
    pub fn action_of(self, action: Action) -> &'static str {
        match (action, self.0) {
            (Action::Create, Language::English) => "registered",
            (Action::Create, Language::French) => "enregistré",
            (Action::Replace, Language::English) => "changed",
            (Action::Replace, Language::French) => "modifié",
            (Action::Delete, Language::English) => "removed",
            (Action::Delete, Language::French) => "supprimé",
            (_, Language::English) => "done",
            (_, Language::French) => "fait",
        }
    }

    /// Who did it.
    pub fn who_of(self, who: &Who) -> Markup {
        match who {
            Who::Operator(id) => self.operator(Named(id.as_str())),
            Who::Client(id) => self.client(Named(id.as_str())),
            Who::Person(id) => self.person(Named(id.as_str())),
            Who::LocalUser(number) => self.local_user(*number),
            Who::Program(name) => self.program(Named(name)),
            _ => markup(self.unknown()),
        }
    }

    /// By which way.
    pub fn way_of(self, way: Way) -> &'static str {
        match (way, self.0) {
            (Way::Console, Language::English) => "the console",
            (Way::Console, Language::French) => "la console",
            (Way::Api, _) => "API",
            (Way::Command, Language::English) => "a command",
            (Way::Command, Language::French) => "une commande",
            (Way::Apply, _) => "apply",
            (Way::OwnPage, Language::English) => "their own page",
            (Way::OwnPage, Language::French) => "sa propre page",
            (Way::Program, Language::English) => "a program",
            (Way::Program, Language::French) => "un programme",
            (Way::Database, Language::English) => "directly in the database",
            (Way::Database, Language::French) => "directement dans la base de données",
            (_, Language::English) => "another way",
            (_, Language::French) => "une autre voie",
        }
    }

    /// The kind of a resource.
    pub fn kind_of(self, kind: &str) -> &str {
        match (kind, self.0) {
            ("subject", Language::French) => "sujet",
            ("operator", Language::French) => "opérateur",
            ("password", Language::French) => "mot de passe",
            ("passkey", Language::French) => "clé d'accès",
            ("session", Language::English) => "sessions",
            ("session", Language::French) => "sessions",
            ("permission", Language::French) => "autorisation",
            ("scope", Language::French) => "portée",
            ("issuer", Language::French) => "émetteur",
            ("trust", Language::French) => "confiance",
            ("signing_key", Language::English) => "signing key",
            ("signing_key", Language::French) => "clé de signature",
            ("replay_fence", Language::English) => "replay fence",
            ("replay_fence", Language::French) => "barrière contre le rejeu",
            ("replay_windows", Language::English) => "replay windows",
            ("replay_windows", Language::French) => "fenêtres contre le rejeu",
            (kind, _) => kind,
        }
    }
}

/// The kinds of resources of which changes are recorded.
pub const KINDS: [&str; 14] = [
    "client",
    "subject",
    "operator",
    "password",
    "passkey",
    "session",
    "invitation",
    "permission",
    "scope",
    "issuer",
    "trust",
    "signing_key",
    "replay_fence",
    "replay_windows",
];
