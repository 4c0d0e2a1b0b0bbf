//! What the pages of scopes say.

use crate::pages::{Coded, words};

words! {
    /// What the pages of scopes say.
    pub struct Words;
    heading: "Scopes", "Portées";
    about: "What people read when a client asks them for a scope. A client may have scopes that are not described here; people read their names alone.", "Ce que les personnes lisent quand un client leur demande une portée. Un client peut avoir des portées qui ne sont pas décrites ici ; les personnes n'en lisent que le nom.";
    new_one: "Describe a scope", "Décrire une portée";
    none_yet: "No scope is described yet. People who are asked for one read its name alone.", "Aucune portée n'est encore décrite. Les personnes à qui on en demande une n'en lisent que le nom.";
    describe_the_first: "Describe the first one", "Décrire la première";
    none_found: "No described scope matches.", "Aucune portée décrite ne correspond.";
    caption: "Scopes and their texts", "Portées et leurs textes";
    name: "Name", "Nom";
    name_hint: "As clients ask for it, such as invoices:read.", "Comme les clients la demandent, par exemple invoices:read.";
    in_english: "In English", "En anglais";
    in_french: "In French", "En français";
    text_hint: "It goes on behind “The client will be able to:”, such as “Read your invoices”. Without a text people read the name alone.", "Il suit « Le client pourra : », par exemple « Lire vos factures ». Sans texte, les personnes n'en lisent que le nom.";
    kind: "Kind", "Genre";
    sensitive: "Sensitive", "Sensible";
    sensitive_hint: "It is marked. It is granted for the time when people are absent only after they have proved anew who they are, and consent to it is never implied.", "Elle est signalée. Elle n'est accordée pour les moments d'absence qu'après une nouvelle preuve d'identité, et le consentement n'est jamais implicite.";
    optional: "Optional", "Facultative";
    optional_hint: "A person may leave it out and allow the rest.", "Une personne peut la refuser et accorder le reste.";
    managed: "Managed by", "Géré par";
    no_text: "No text", "Aucun texte";
    as_read: "As people read it", "Telle que les personnes la lisent";
    reads_name: "People read the name alone.", "Les personnes n'en lisent que le nom.";
    edit: "Change", "Modifier";
    edit_it(name: Coded<'_>): "Change the texts of {name}", "Modifier les textes de {name}";
    delete: "Delete", "Supprimer";
    delete_it(name: Coded<'_>): "Delete the texts of {name}?", "Supprimer les textes de {name} ?";
    clients_first: "It stays as long as a client may get the scope: take it there first. Tokens with it stay good until they end.", "Ils restent tant qu'un client peut obtenir la portée : retirez-la d'abord du client. Les jetons qui la contiennent restent valables jusqu'à leur fin.";
    no_longer_sensitive: "It is sensitive now. Without this description it is not: it is no longer marked, and it is granted for the time when people are absent without a new proof of who they are.", "Elle est sensible à présent. Sans cette description, elle ne l'est plus : elle n'est plus signalée, et elle est accordée pour les moments d'absence sans nouvelle preuve d'identité.";
    is_described(name: Coded<'_>): "{name} is described.", "{name} est décrite.";
    is_changed(name: Coded<'_>): "What people read of {name} is changed.", "Ce que les personnes lisent de {name} est modifié.";
    is_deleted(name: Coded<'_>): "The texts of {name} are deleted.", "Les textes de {name} sont supprimés.";
    describe_again: "Describe it again", "La décrire à nouveau";
}
