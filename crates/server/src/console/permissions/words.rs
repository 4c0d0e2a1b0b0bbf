//! What the pages of permissions say.

use crate::pages::{Coded, Named, words};

words! {
    /// What the pages of permissions say.
    pub struct Words;
    heading: "Permissions", "Autorisations";
    about: "Which client may act for which subject. Operators give permissions here, people on the consent page.", "Quel client peut agir pour quel sujet. Les opérateurs donnent des autorisations ici, les personnes sur la page de consentement.";
    new_one: "Give a permission", "Donner une autorisation";
    preview: "Preview", "Aperçu";
    none_yet: "No permissions yet. A client acts for itself alone until an operator gives one here, or a person on the consent page.", "Aucune autorisation pour l'instant. Un client n'agit que pour lui-même tant qu'un opérateur n'en donne pas ici, ou une personne sur la page de consentement.";
    give_the_first: "Give the first one", "Donner la première";
    none_found: "No permission matches.", "Aucune autorisation ne correspond.";
    caption: "Permissions, ordered by client and subject", "Autorisations, dans l'ordre des clients et des sujets";
    client: "Client", "Client";
    subject: "Subject", "Sujet";
    origin: "Given by", "Donnée par";
    by_operator: "an operator", "un opérateur";
    by_person: "the person", "la personne";
    scope: "Scopes", "Portées";
    all_of_client: "all that the client may get", "tout ce que le client peut obtenir";
    grants: "Grants", "Types d'octroi";
    until: "Until", "Jusqu'à";
    until_withdrawn: "withdrawn", "son retrait";
    last_used: "Last used", "Dernière utilisation";
    unused: "Unused for", "Inutilisée depuis";
    days(count: u64): "{count} days", "{count} jours";
    given: "Given", "Donnée";
    managed: "Managed by", "Gérée par";
    not_known: "not known", "inconnue";

    of_pair(client: Named<'_>, subject: Named<'_>): "{client} for {subject}", "{client} pour {subject}";
    records: "Who allows it", "Qui l'autorise";
    no_record: "Neither an operator nor the person has given a permission.", "Ni un opérateur ni la personne n'ont donné d'autorisation.";
    effective: "What a request would get now", "Ce qu'une requête obtiendrait maintenant";
    grant: "Grant", "Type d'octroi";
    would_get: "Would get", "Obtiendrait";
    a_token_without_scope: "a token without a scope", "un jeton sans portée";
    nothing(why: &str): "nothing: <span lang=\"en\">{why}</span>", "rien : <span lang=\"en\">{why}</span>";
    change: "Change", "Modifier";
    withdraw: "Withdraw", "Retirer";
    give: "Give it as an operator", "La donner en tant qu'opérateur";
    ask: "Ask the person", "Demander à la personne";
    ask_hint(subject: Named<'_>): "Send {subject} this link. They are asked there, after signing in.", "Envoyez ce lien à {subject}. La question y est posée, après connexion.";
    by_command: "The client asks for it by this command, with its key file:", "Le client la demande par cette commande, avec son fichier de clé :";
    try_it: "Try a request", "Essayer une requête";
    changes: "Changes", "Changements";
    decisions: "Its decisions", "Ses décisions";

    edit_it(client: Named<'_>, subject: Named<'_>): "What may {client} do for {subject}?", "Que peut faire {client} pour {subject} ?";
    client_hint: "Its id, such as billing.", "Son identifiant, par exemple billing.";
    subject_hint: "The person or account, as tokens name it, such as alice@example.com.", "La personne ou le compte, tel que les jetons le nomment, par exemple alice@example.com.";
    scope_hint: "With spaces between them. Empty: all that the client may get, now and later.", "Séparées par des espaces. Vide : tout ce que le client peut obtenir, maintenant et plus tard.";
    its_end: "It ends on", "Elle finit le";
    its_end_hint: "From that day on it no longer counts. Empty: until it is withdrawn.", "À partir de ce jour, elle ne compte plus. Vide : jusqu'à son retrait.";
    by_jwt_bearer: "By JWTs that the client signs, without the person", "Par des JWT que le client signe, sans la personne";
    by_code: "When the person signs in to the client", "Quand la personne se connecte au client";
    by_refresh: "Afterwards, while the person is absent", "Ensuite, en l'absence de la personne";
    give_it: "Give it", "La donner";
    is_given(client: Named<'_>, subject: Named<'_>): "{client} may act for {subject} from the next request on.", "{client} peut agir pour {subject} dès la prochaine requête.";
    is_changed(client: Named<'_>, subject: Named<'_>): "What {client} may do for {subject} is changed.", "Ce que {client} peut faire pour {subject} est modifié.";

    withdraw_it(client: Named<'_>, subject: Named<'_>): "Withdraw the permission of {client} for {subject}?", "Retirer l'autorisation de {client} pour {subject} ?";
    withdraw_consent(client: Named<'_>, subject: Named<'_>): "Withdraw what {subject} allowed {client}?", "Retirer ce que {subject} a permis à {client} ?";
    withdrawing(until: &str): "From the next request on this permission gives no token, and refresh tokens by it end. Where APIs check JWTs by themselves, what was given out works until {until} at most.", "Dès la prochaine requête, cette autorisation ne donne plus de jeton, et ses jetons de rafraîchissement finissent. Là où les API vérifient elles-mêmes les JWT, ce qui a été délivré sert jusqu'au {until} au plus.";
    other_stays: "The other permission stays, and gives what it gives now.", "L'autre autorisation reste, et donne ce qu'elle donne à présent.";
    only_person_gives: "Only the person can give this back.", "Seule la personne peut la rendre.";
    used_at(at: &str, ago: &str): "It was last used on {at}, {ago}.", "Elle a servi pour la dernière fois le {at}, {ago}.";
    never_used: "It was never used, as far as it is known.", "Elle n'a jamais servi, autant qu'on le sache.";
    is_withdrawn(client: Named<'_>, subject: Named<'_>): "{client} can no longer act for {subject} by this permission.", "{client} ne peut plus agir pour {subject} par cette autorisation.";
    give_again: "Give it again", "La redonner";

    preview_heading: "What would a request get?", "Qu'obtiendrait une requête ?";
    preview_about: "Nothing is asked for, and nothing is used up: this is what would be decided now.", "Rien n'est demandé ni consommé : voici ce qui serait décidé maintenant.";
    preview_subject_hint: "Empty: the client itself.", "Vide : le client lui-même.";
    preview_scope_hint: "Empty: all that is allowed.", "Vide : tout ce qui est permis.";
    resource: "API", "API";
    resource_hint: "Its resource identifier. Empty: the usual one.", "Son identifiant de ressource. Vide : l'habituelle.";
    show_it: "Show", "Montrer";
    would_be_granted: "It would be granted", "Elle serait accordée";
    would_be_refused: "It would be refused", "Elle serait refusée";
    token_with(scope: Coded<'_>, audience: Coded<'_>): "A token with the scope {scope} for {audience}.", "Un jeton avec la portée {scope} pour {audience}.";
    token_without(audience: Coded<'_>): "A token without a scope for {audience}.", "Un jeton sans portée pour {audience}.";
    refused_for(rule: Coded<'_>, why: &str): "The rule {rule} refuses it: <span lang=\"en\">{why}</span>.", "La règle {rule} la refuse : <span lang=\"en\">{why}</span>.";
    to_client: "Look at the client", "Regarder le client";
    to_permission: "Look at the permission", "Regarder l'autorisation";
    no_such_client: "There is no client of this name.", "Il n'y a pas de client de ce nom.";
    no_such_subject: "There is no subject of this name. Register it first, on the page of subjects.", "Il n'y a pas de sujet de ce nom. Enregistrez-le d'abord, à la page des sujets.";
}
