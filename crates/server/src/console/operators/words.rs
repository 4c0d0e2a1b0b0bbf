//! What the pages of operators say.

use grantor::registry::Role;

use crate::pages::{Coded, Language, Named, words};

words! {
    /// What the pages of operators say.
    pub struct Words;
    heading: "Operators", "Opérateurs";
    what_it_is: "A subject with a role administers this server, at the console and by the API. A client with a scope that is one does so by the API.", "Un sujet doté d'un rôle administre ce serveur, à la console et par l'API. Un client doté d'une portée correspondante le fait par l'API.";
    people: "People", "Personnes";
    no_people: "Nobody has a role yet. The command grantor console lets whoever runs this server in.", "Personne n'a encore de rôle. La commande grantor console laisse entrer l'exploitant de ce serveur.";
    clients: "Clients", "Clients";
    no_clients: "No client has power over this server.", "Aucun client n'a de pouvoir sur ce serveur.";
    give_role: "Give a role", "Donner un rôle";
    change_role: "Change the role", "Changer le rôle";
    name: "Name", "Nom";
    role: "Role", "Rôle";
    state: "State", "État";
    signs_in_with: "Signs in with", "Se connecte avec";
    a_password: "password", "mot de passe";
    nothing: "nothing yet", "rien pour l'instant";
    last_seen: "Last seen", "Vu pour la dernière fois";
    not_known: "not known", "inconnu";
    subject: "Subject", "Sujet";
    subject_hint: "Somebody who is not registered yet is registered with it.", "Qui n'est pas encore enregistré l'est du même coup.";
    no_role: "none", "aucun";
    takes_all: "Administrates nothing here any more. The subject stays registered.", "N'administre plus rien ici. Le sujet reste enregistré.";
    role_of(name: Named<'_>): "What may {name} do here?", "Que peut faire {name} ici ?";
    at_once: "It is in force with their next click, and with the next request of each of their tokens.", "Cela s'applique dès son prochain clic et dès la prochaine requête de chacun de ses jetons.";
    first_ends: "With a first role what they signed in with so far ends, sessions and password: invite them anew.", "Avec un premier rôle, ce avec quoi il se connectait jusqu'ici prend fin, sessions et mot de passe : invitez-le à nouveau.";
    now(role: Coded<'_>): "Now: {role}.", "Actuellement : {role}.";
    now_none: "Now: none.", "Actuellement : aucun.";
    last_seen_at(ago: &str): "Last seen here {ago}.", "Vu ici pour la dernière fois {ago}.";
    set: "Set the role", "Définir le rôle";
    has_role(name: Named<'_>, role: Coded<'_>): "{name} has the role {role}.", "{name} a le rôle {role}.";
    has_role_and_cannot_sign_in(name: Named<'_>, role: Coded<'_>): "{name} has the role {role}, and no way to sign in yet.", "{name} a le rôle {role}, et pas encore de moyen de se connecter.";
    has_no_role(name: Named<'_>): "{name} administers nothing here any more.", "{name} n'administre plus rien ici.";
    invite: "Invite", "Inviter";
    undo: "Undo", "Annuler";
}

impl Words {
    /// How many passkeys there are, if any.
    pub fn so_many_passkeys(self, count: usize) -> Option<String> {
        Some(match (count, self.0) {
            (0, _) => return None,
            (1, Language::English) => "1 passkey".to_owned(),
            (1, Language::French) => "1 clé d'accès".to_owned(),
            (count, Language::English) => format!("{count} passkeys"),
            (count, Language::French) => format!("{count} clés d'accès"),
        })
    }

    /// What a role may do.
    pub fn means(self, role: Role) -> &'static str {
        match (role, self.0) {
            (Role::Reader, Language::English) => "Looks at everything, and changes nothing.",
            (Role::Reader, Language::French) => "Consulte tout et ne modifie rien.",
            (Role::Editor, Language::English) => {
                "Changes clients, subjects, permissions, scopes, issuers and trusts that give no power over this server."
            }
            (Role::Editor, Language::French) => {
                "Modifie les clients, sujets, autorisations, portées, émetteurs et confiances qui ne donnent aucun pouvoir sur ce serveur."
            }
            (Role::Owner, Language::English) => {
                "Changes everything: signing keys, roles, and whatever gives power."
            }
            (Role::Owner, Language::French) => {
                "Modifie tout : clés de signature, rôles et tout ce qui donne du pouvoir."
            }
        }
    }
}
