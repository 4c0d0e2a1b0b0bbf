//! What the pages of clients say.

use crate::pages::{Named, words};

words! {
    /// What the pages of clients say.
    pub struct Words;
    heading: "Clients", "Clients";
    new: "New client", "Nouveau client";
    none_yet: "No clients yet. A client is a program that gets tokens.", "Aucun client pour l'instant. Un client est un programme qui obtient des jetons.";
    make_the_first: "Make the first one", "Créer le premier";
    none_found: "No client is like this.", "Aucun client ne correspond.";
    name: "Name", "Nom";
    id: "Id", "Identifiant";
    state: "State", "État";
    method: "How it authenticates", "Comment il s'authentifie";
    grants: "Grants", "Types d'octroi";
    scope: "Scopes", "Portées";
    made: "Registered", "Enregistré";
    disable: "Disable", "Désactiver";
    enable: "Enable", "Activer";
    disable_it(name: Named<'_>): "Disable {name}?", "Désactiver {name} ?";
    enable_it(name: Named<'_>): "Enable {name}?", "Activer {name} ?";
    disabling: "From the next request on it gets no tokens, and its tokens that are looked at by introspection are inactive. APIs that check JWTs by themselves take what it has already until that ends.", "Dès la prochaine requête, il n'obtient plus de jetons, et ses jetons vérifiés par introspection sont inactifs. Les API qui vérifient elles-mêmes les JWT acceptent ce qu'il possède déjà jusqu'à leur fin.";
    enabling: "From the next request on it gets tokens again, by the keys, secrets and permissions that it has.", "Dès la prochaine requête, il obtient à nouveau des jetons, avec les clés, secrets et autorisations qu'il possède.";
    is_disabled(name: Named<'_>): "{name} is disabled.", "{name} est désactivé.";
    is_enabled(name: Named<'_>): "{name} is enabled.", "{name} est actif.";
    undo: "Undo", "Annuler";
}
