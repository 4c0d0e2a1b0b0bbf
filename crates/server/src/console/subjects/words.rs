//! What the pages of subjects say.

use grantor::registry::Role;

use crate::{
    console::Count,
    pages::{Coded, Language, Link, Markup, Named, markup, words},
    person::SessionKind,
};

words! {
    /// What the pages of subjects say.
    pub struct Words;
    heading: "Subjects", "Sujets";
    new_one: "New subject", "Nouveau sujet";
    none_yet: "No subjects yet. A subject is whom a token is about: a person, or a machine for which a client acts.", "Aucun sujet pour l'instant. Un sujet est celui dont parle un jeton : une personne, ou une machine pour laquelle un client agit.";
    make_the_first: "Make the first one", "Créer le premier";
    none_found: "No subject matches.", "Aucun sujet ne correspond.";
    id: "Name", "Nom";
    id_hint: "The value of sub in tokens, for ever: an address or a number that is given to nobody else.", "La valeur de sub dans les jetons, pour toujours : une adresse ou un numéro qui n'est attribué à personne d'autre.";
    display_name: "What it is called", "Comment il s'appelle";
    display_name_hint: "Lists find it by this, too.", "Les listes le trouvent aussi par ce nom.";
    language: "Language", "Langue";
    language_hint: "The language in which it wants to be addressed.", "La langue dans laquelle il veut qu'on s'adresse à lui.";
    no_language: "not said", "non précisée";
    is_called(name: Named<'_>): "called {name}", "appelé {name}";
    reads(tag: &str, language: &str): "reads <span lang=\"{tag}\">{language}</span>", "lit en <span lang=\"{tag}\">{language}</span>";
    edit: "Change", "Modifier";
    edit_it(name: Named<'_>): "Change {name}", "Modifier {name}";
    is_changed(name: Named<'_>): "{name} is changed.", "{name} est modifié.";
    nothing_changed(name: Named<'_>): "Nothing in {name} was changed.", "Rien n'a été modifié dans {name}.";
    state: "State", "État";
    role: "Role", "Rôle";
    no_role: "none", "aucun";
    made: "Registered", "Enregistré";
    make: "Register", "Enregistrer";
    is_made(name: Named<'_>): "{name} is registered. Nobody may act for it yet, and it cannot sign in yet.", "{name} est enregistré. Personne ne peut encore agir pour lui, et il ne peut pas encore se connecter.";
    is_made_but(name: Named<'_>, warning: &str): "{name} is registered. Mind: <span lang=\"en\">{warning}</span>", "{name} est enregistré. Attention : <span lang=\"en\">{warning}</span>";
    disable: "Disable", "Désactiver";
    enable: "Enable", "Activer";
    disable_it(name: Named<'_>): "Disable {name}?", "Désactiver {name} ?";
    enable_it(name: Named<'_>): "Enable {name}?", "Activer {name} ?";
    disabling: "From the next request on there are no tokens about it, its tokens that are looked at by introspection are inactive, and it is signed out everywhere. APIs that check JWTs by themselves take what there is already until that ends.", "Dès la prochaine requête, il n'y a plus de jetons à son sujet, ses jetons vérifiés par introspection sont inactifs, et il est déconnecté partout. Les API qui vérifient elles-mêmes les JWT acceptent ce qui existe déjà jusqu'à sa fin.";
    enabling: "From the next request on there are tokens about it again, by the permissions that there are, and it can sign in.", "Dès la prochaine requête, il y a à nouveau des jetons à son sujet, selon les autorisations existantes, et il peut se connecter.";
    is_disabled(name: Named<'_>): "{name} is disabled.", "{name} est désactivé.";
    is_enabled(name: Named<'_>): "{name} is enabled.", "{name} est actif.";
    undo: "Undo", "Annuler";
    last_granted(at: &str, ago: &str): "A token about it was last granted on {at}, {ago}.", "Un jeton à son sujet a été accordé pour la dernière fois le {at}, {ago}.";
    nothing_granted_lately: "No token about it was granted lately.", "Aucun jeton à son sujet n'a été accordé récemment.";
    delete: "Delete", "Supprimer";
    delete_it(name: Named<'_>): "Delete {name}?", "Supprimer {name} ?";
    deleting: "From the next request on there are no tokens about it, and its tokens that are looked at by introspection are inactive. It cannot be undone: whoever is registered under this name later is somebody else.", "Dès la prochaine requête, il n'y a plus de jetons à son sujet, et ses jetons vérifiés par introspection sont inactifs. C'est irréversible : qui sera enregistré plus tard sous ce nom sera quelqu'un d'autre.";
    goes_along: "With it go all permissions for it, its password and passkeys, its role, its sessions, its refresh tokens and the invitation that is open.", "Avec lui disparaissent toutes les autorisations le concernant, son mot de passe et ses clés d'accès, son rôle, ses sessions, ses jetons de rafraîchissement et l'invitation en cours.";
    has_role(role: Coded<'_>): "It has the role {role}.", "Il a le rôle {role}.";
    is_deleted(name: Named<'_>): "{name} is deleted.", "{name} est supprimé.";
    sign_in: "How they sign in", "Comment il se connecte";
    password_since(at: &str, ago: &str): "By a password, set on {at}, {ago}.", "Par un mot de passe, défini le {at}, {ago}.";
    no_way_in: "They have no way to sign in. An invitation gives them one.", "Il n'a aucun moyen de se connecter. Une invitation lui en donne un.";
    invite: "Invite", "Inviter";
    recover: "Recover access", "Rétablir l'accès";
    invitation_open(made: &str, ends: &str): "An invitation is open, made {made}. It ends {ends}.", "Une invitation est en cours, créée {made}. Elle prend fin {ends}.";
    recovery_open(made: &str, ends: &str): "A link to recover access is open, made {made}. It ends {ends}.", "Un lien pour rétablir l'accès est en cours, créé {made}. Il prend fin {ends}.";
    end_invitation: "End the invitation", "Mettre fin à l'invitation";
    end_invitation_question(name: Named<'_>): "End the invitation of {name}?", "Mettre fin à l'invitation de {name} ?";
    ending_invitation: "The link that was given to them no longer works. You can make another one.", "Le lien qui lui a été remis ne fonctionne plus. Vous pouvez en créer un autre.";
    invitation_ended(name: Named<'_>): "The invitation of {name} has ended.", "L'invitation de {name} a pris fin.";
    passkeys: "Passkeys", "Clés d'accès";
    passkey: "Passkey", "Clé d'accès";
    passkey_made: "Made", "Créée";
    take_passkey: "Take the passkey", "Retirer la clé d'accès";
    take_passkey_question(passkey: Named<'_>, name: Named<'_>): "Take the passkey {passkey} from {name}?", "Retirer la clé d'accès {passkey} à {name} ?";
    taking_passkey: "It signs nobody in any more, and sessions that were begun with it end. Their other ways to sign in go on.", "Elle ne connecte plus personne, et les sessions commencées avec elle prennent fin. Ses autres moyens de connexion continuent.";
    passkey_taken(passkey: Named<'_>, name: Named<'_>): "{name} no longer has the passkey {passkey}.", "{name} n'a plus la clé d'accès {passkey}.";
    end_credentials: "Take their ways to sign in", "Retirer ses moyens de connexion";
    end_credentials_question(name: Named<'_>): "Take from {name} all ways to sign in?", "Retirer à {name} tous ses moyens de connexion ?";
    ending_credentials: "They are signed out everywhere, and cannot sign in any more until they accept a new invitation.", "Il est déconnecté partout et ne peut plus se connecter avant d'avoir accepté une nouvelle invitation.";
    credentials_ended(name: Named<'_>): "{name} has no way to sign in any more.", "{name} n'a plus aucun moyen de se connecter.";
    invite_it(name: Named<'_>): "Invite {name}?", "Inviter {name} ?";
    inviting: "You get a link, once. Whoever opens it chooses how to sign in under this name: give it to this person by a way that nobody else reads.", "Vous obtenez un lien, une seule fois. Quiconque l'ouvre choisit comment se connecter sous ce nom : remettez-le à cette personne par une voie que personne d'autre ne lit.";
    inviting_ends_older: "A link that was made before ends.", "Un lien créé auparavant prend fin.";
    inviting_keeps: "What they sign in with now goes on.", "Ce avec quoi il se connecte maintenant continue.";
    recover_it(name: Named<'_>): "Let {name} recover access?", "Laisser {name} rétablir son accès ?";
    recovering: "When the link is accepted, all their passkeys and passwords, sessions and refresh tokens end, and then they look through the permissions that were given. Permissions stay.", "Quand le lien est accepté, toutes ses clés d'accès, mots de passe, sessions et jetons de rafraîchissement prennent fin, puis il passe en revue les autorisations données. Les autorisations restent.";
    lifetime: "How long the link works", "Durée de validité du lien";
    a_day: "1 day", "1 jour";
    three_days: "3 days", "3 jours";
    a_week: "7 days", "7 jours";
    a_month: "30 days", "30 jours";
    link_of(name: Named<'_>): "A link for {name}", "Un lien pour {name}";
    link: "Link", "Lien";
    link_works_until(at: &str, ends: &str): "It works once, until {at}, {ends}.", "Il fonctionne une seule fois, jusqu'au {at}, {ends}.";
    give_the_link: "Give it to this person by a way that nobody else reads. You may end it on the page of the subject.", "Remettez-le à cette personne par une voie que personne d'autre ne lit. Vous pouvez y mettre fin sur la page du sujet.";
    sessions: "Where they are signed in", "Où il est connecté";
    no_sessions: "They are signed in nowhere.", "Il n'est connecté nulle part.";
    opens: "What it opens", "Ce qu'elle ouvre";
    signed_in: "Signed in", "Connexion";
    used: "Last used", "Dernière utilisation";
    ends: "Ends if not used", "Prend fin sans utilisation";
    end_sessions: "End all", "Mettre fin à toutes";
    end_sessions_question(name: Named<'_>): "Sign {name} out everywhere?", "Déconnecter {name} partout ?";
    ending_sessions: "They have to sign in again at each browser, at the console and at their own pages. Tokens that clients have go on.", "Il devra se reconnecter dans chaque navigateur, à la console et à ses propres pages. Les jetons que possèdent les clients continuent.";
    sessions_ended(name: Named<'_>): "{name} is signed out everywhere.", "{name} est déconnecté partout.";
    permissions: "Who may act for them", "Qui peut agir pour lui";
    nobody_acts: "Nobody may act for them.", "Personne ne peut agir pour lui.";
    all_permissions: "All permissions", "Toutes les autorisations";
    give_permission: "Let a client act", "Laisser un client agir";
    client: "Client", "Client";
    scope: "Scopes", "Portées";
    all_scopes: "all that it may get", "tout ce qu'il peut obtenir";
    given_by: "Given by", "Donnée par";
    by_person: "the person", "la personne";
    by_operator: "an operator", "un opérateur";
    last_used: "Last used", "Dernière utilisation";
    not_used: "not yet", "pas encore";
    activity: "Activity", "Activité";
    no_activity: "Nothing was decided about them lately.", "Rien n'a été décidé à son sujet récemment.";
    all_decisions: "All decisions", "Toutes les décisions";
    at: "When", "Quand";
    what: "What", "Quoi";
    outcome: "Outcome", "Issue";
    granted: "granted", "accordé";
    refused: "refused", "refusé";
    shown: "page shown", "page affichée";
    changes: "Changes", "Changements";
    all_changes: "All changes", "Tous les changements";
    has_no_role: "None: they administer nothing here.", "Aucun : il n'administre rien ici.";
    change_role: "Change the role", "Changer le rôle";
    give_role: "Give a role", "Donner un rôle";
    only_owners(link: Link<'_>): "They are an operator: only an owner changes what is here. Who that is: {link}.", "C'est un opérateur : seul un propriétaire modifie ce qui est ici. Qui l'est : {link}.";
    operators: "operators", "opérateurs";
}

impl Words {
    /// How many clients act for a subject.
    pub fn clients_act(self, count: Count) -> Markup {
        let Count { number, has_more } = count;
        let text = match (self.0, number, has_more) {
            (_, 0, false) => return markup(self.nobody_acts()),
            (Language::English, 1, false) => "1 client may act for them.".to_owned(),
            (Language::English, count, false) => format!("{count} clients may act for them."),
            (Language::English, count, true) => {
                format!("More than {count} clients may act for them.")
            }
            (Language::French, 1, false) => "1 client peut agir pour lui.".to_owned(),
            (Language::French, count, false) => format!("{count} clients peuvent agir pour lui."),
            (Language::French, count, true) => {
                format!("Plus de {count} clients peuvent agir pour lui.")
            }
        };
        markup(text.as_str())
    }

    /// What a session opens.
    pub fn session(self, kind: SessionKind) -> &'static str {
        match (kind, self.0) {
            (SessionKind::Console, Language::English) => "the console",
            (SessionKind::Console, Language::French) => "la console",
            (SessionKind::Person, Language::English) => "their own pages",
            (SessionKind::Person, Language::French) => "ses propres pages",
        }
    }

    /// A role, or that there is none.
    pub fn role_or_none(self, role: Option<Role>) -> &'static str {
        role.map_or(self.no_role(), Role::as_str)
    }
}
