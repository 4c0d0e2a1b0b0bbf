//! What the pages of trusts say.

use grantor::{assertion::Usage, registry::Mode};

use crate::pages::{Coded, Link, Named, words};

words! {
    /// What the pages of trusts say.
    pub struct Words;
    heading: "Trusts", "Confiances";
    about: "A trust says what a verified JWT of an issuer is worth: which claims it must have, and the client, subject and scope of the token. A JWT is taken if exactly one trust takes it.", "Une confiance dit ce que vaut un JWT vérifié d'un émetteur : quels claims il doit avoir, et le client, le sujet et la portée du jeton. Un JWT est accepté si exactement une confiance l'accepte.";
    new_one: "New trust", "Nouvelle confiance";
    none_yet: "No trusts yet. With one, jobs of a platform get tokens without a secret.", "Aucune confiance pour l'instant. Avec une confiance, les tâches d'une plateforme obtiennent des jetons sans secret.";
    make_the_first: "Make the first one", "Créer la première";
    none_found: "No trust matches.", "Aucune confiance ne correspond.";
    caption: "Trusts, of which issuer and for which client", "Confiances, de quel émetteur et pour quel client";
    name: "Name", "Nom";
    name_hint: "What it is called here. If no client is named, a client of this name is made.", "Son nom ici. Si aucun client n'est nommé, un client de ce nom est créé.";
    name_stays: "Its name and issuer do not change.", "Son nom et son émetteur ne changent pas.";
    issuer: "Issuer", "Émetteur";
    issuer_hint: "Its name or its iss.", "Son nom ou son iss.";
    client: "Client", "Client";
    client_hint: "Who gets the token. If nothing is said, a client of the trust's name is made, which can do nothing else.", "Qui obtient le jeton. Si rien n'est dit, un client du nom de la confiance est créé, qui ne peut rien d'autre.";
    mode: "Mode", "Mode";
    on: "on", "active";
    shadow: "shadow", "ombre";
    off: "off", "inactive";
    on_hint: "It takes JWTs.", "Elle accepte des JWT.";
    shadow_hint: "It is tried beside the others and grants nothing. Its report says what it would have done.", "Elle est essayée à côté des autres et n'accorde rien. Son rapport dit ce qu'elle aurait fait.";
    off_hint: "It is not looked at.", "Elle n'est pas consultée.";
    takes_of(issuer: Link<'_>): "It takes a JWT of {issuer} if", "Elle accepte un JWT de {issuer} si";
    is_pinned(claim: Coded<'_>, value: Coded<'_>): "{claim} is {value}", "{claim} est {value}";
    is_number(claim: Coded<'_>, value: Coded<'_>): "{claim} is the number {value}", "{claim} est le nombre {value}";
    is_boolean(claim: Coded<'_>, value: Coded<'_>): "{claim} is the boolean {value}", "{claim} est le booléen {value}";
    contains(claim: Coded<'_>, value: Coded<'_>): "{claim} is a list that has {value}", "{claim} est une liste qui contient {value}";
    matches(claim: Coded<'_>, glob: Coded<'_>): "{claim} matches {glob}, from its beginning to its end", "{claim} correspond à {glob}, du début à la fin";
    condition_holds(condition: Coded<'_>): "and this condition holds: {condition}", "et si cette condition est remplie : {condition}";
    gives: "What it gives", "Ce qu'elle donne";
    subject: "Subject", "Sujet";
    subject_fixed(subject: Named<'_>): "always {subject}", "toujours {subject}";
    subject_claim(claim: Coded<'_>): "the value of {claim}", "la valeur de {claim}";
    subject_template(text: Coded<'_>): "{text}, with the values of the claims in braces", "{text}, avec les valeurs des claims entre accolades";
    subject_existing(claim: Coded<'_>): "the registered subject that {claim} names; permissions for it apply", "le sujet enregistré que nomme {claim} ; ses autorisations s'appliquent";
    scope: "Scope, at most", "Portée, au plus";
    no_scope: "none", "aucune";
    resources: "Resources", "Ressources";
    default_resource: "the server's default", "celle par défaut du serveur";
    lifetime: "Lifetime of its tokens", "Durée de vie de ses jetons";
    server_lifetime: "as long as the server's", "celle du serveur";
    at_most_seconds(count: u64): "at most {count} seconds", "au plus {count} secondes";
    capped: "and not longer than the JWT", "et pas plus longtemps que le JWT";
    copies: "Claims that are copied", "Claims copiés";
    copied(from: Coded<'_>, to: Coded<'_>): "{from} as {to}", "{from} sous le nom {to}";
    uses: "Used as", "Utilisée comme";
    grant: "grant", "octroi";
    client_authentication: "client authentication", "authentification de client";
    client_auth: "The client authenticates besides", "Le client s'authentifie en plus";
    required: "it has to", "obligatoirement";
    optional: "it may", "facultativement";
    allowed_lints: "Warnings that are overruled", "Avertissements levés";
    template: "Template", "Modèle";
    made: "Registered", "Enregistrée";
    job: "How its job gets a token", "Comment sa tâche obtient un jeton";
    job_of(platform: &str): "The job on {platform} asks its platform for a JWT:", "La tâche sur {platform} demande un JWT à sa plateforme :";
    job_hint: "The job asks its platform for a JWT with the audience below.", "La tâche demande à sa plateforme un JWT avec l'audience ci-dessous.";
    job_sends: "Then it sends one request, and the answer has the access token:", "Puis elle envoie une requête, dont la réponse contient le jeton d'accès :";
    audience: "Audience", "Audience";
    report: "Report", "Rapport";
    look_at_report: "What it took and would have taken", "Ce qu'elle a accepté et aurait accepté";
    report_of(name: Named<'_>): "What {name} took", "Ce que {name} a accepté";
    report_about(most: &str): "Counted among the newest {most} decisions.", "Compté parmi les {most} décisions les plus récentes.";
    report_since(most: &str, when: &str): "Counted among the newest {most} decisions, since {when}.", "Compté parmi les {most} décisions les plus récentes, depuis le {when}.";
    granted: "Taken", "Acceptés";
    refused: "Not taken, and by no other trust", "Non acceptés, ni par une autre confiance";
    would_grant: "Would have been taken, as a shadow", "Auraient été acceptés, comme ombre";
    would_let_in: "of these, refused in fact: it would let them in", "dont refusés en fait : elle les laisserait entrer";
    would_refuse: "Would not have been taken, as a shadow", "N'auraient pas été acceptés, comme ombre";
    would_keep_out: "of these, granted in fact: it would keep them out", "dont acceptés en fait : elle les écarterait";
    reasons: "Why not", "Pourquoi non";
    reasons_of(newest: &str): "Of the newest {newest} that it did not take, or would not have taken.", "Des {newest} derniers qu'elle n'a pas acceptés, ou n'aurait pas acceptés.";
    no_reasons: "No JWT was turned away. Good.", "Aucun JWT n'a été refusé. Tant mieux.";
    claim: "Claim", "Claim";
    condition: "Condition", "Condition";
    expected: "Expected", "Attendu";
    got: "Got", "Reçu";
    count: "Times", "Fois";
    last_seen: "Last", "Dernière fois";
    decisions: "Decisions by this trust", "Décisions par cette confiance";
    changes: "Changes of this trust", "Changements de cette confiance";
    test: "Test with a JWT", "Tester avec un JWT";
    test_it(name: Named<'_>): "Does {name} take a JWT?", "{name} accepte-t-elle un JWT ?";
    edit: "Change", "Modifier";
    edit_it(name: Named<'_>): "Change {name}", "Modifier {name}";
    is_changed(name: Named<'_>): "{name} is changed.", "{name} est modifiée.";
    nothing_changed(name: Named<'_>): "Nothing in {name} was changed.", "Rien n'a été modifié dans {name}.";
    turn_on: "Turn on", "Activer";
    turn_off: "Turn off", "Désactiver";
    to_shadow: "Make it a shadow", "En faire une ombre";
    turn_on_it(name: Named<'_>): "Turn {name} on?", "Activer {name} ?";
    turn_off_it(name: Named<'_>): "Turn {name} off?", "Désactiver {name} ?";
    to_shadow_it(name: Named<'_>): "Make {name} a shadow?", "Faire de {name} une ombre ?";
    turning_on: "From the next request on it takes JWTs. If another trust takes the same JWT, the request has to name its client.", "Dès la prochaine requête, elle accepte des JWT. Si une autre confiance accepte le même JWT, la requête doit nommer son client.";
    turning_off(client: Coded<'_>): "From the next request on it takes no JWT, so jobs get no tokens of {client} by it. Tokens that were given by it are inactive until it is turned on again.", "Dès la prochaine requête, elle n'accepte plus de JWT : les tâches n'obtiennent plus de jetons de {client} par elle. Les jetons donnés par elle sont inactifs jusqu'à sa réactivation.";
    shadowing(client: Coded<'_>): "From the next request on it grants nothing, so jobs get no tokens of {client} by it. It is tried beside the others, and its report says what it would have done.", "Dès la prochaine requête, elle n'accorde rien : les tâches n'obtiennent pas de jetons de {client} par elle. Elle est essayée à côté des autres, et son rapport dit ce qu'elle aurait fait.";
    is_on(name: Named<'_>): "{name} is on.", "{name} est active.";
    is_off(name: Named<'_>): "{name} is off.", "{name} est inactive.";
    is_shadow(name: Named<'_>): "{name} is a shadow.", "{name} est une ombre.";
    undo: "Undo", "Annuler";
    delete: "Delete", "Supprimer";
    delete_it(name: Named<'_>): "Delete {name}?", "Supprimer {name} ?";
    deleting(client: Coded<'_>): "From the next request on it takes no JWT, and tokens that were given by it end. Its client {client} stays.", "Dès la prochaine requête, elle n'accepte plus de JWT, et les jetons donnés par elle prennent fin. Son client {client} reste.";
    used_last(when: &str): "It took a JWT last at {when}.", "Elle a accepté un JWT pour la dernière fois le {when}.";
    never_used: "No decision that is kept is by this trust.", "Aucune décision conservée n'est le fait de cette confiance.";
    is_deleted(name: Named<'_>): "{name} is deleted. Its client stays.", "{name} est supprimée. Son client reste.";
    is_made(name: Named<'_>): "{name} is made.", "{name} est créée.";
    is_made_with_client(name: Named<'_>, client: Coded<'_>): "{name} is made, with the client {client}.", "{name} est créée, avec le client {client}.";
    is_made_with_issuer(name: Named<'_>, issuer: Named<'_>): "{name} is made, with the issuer {issuer}.", "{name} est créée, avec l'émetteur {issuer}.";
    is_made_with_both(name: Named<'_>, issuer: Named<'_>, client: Coded<'_>): "{name} is made, with the issuer {issuer} and the client {client}.", "{name} est créée, avec l'émetteur {issuer} et le client {client}.";
    next_job: "See what its job does", "Voir ce que fait sa tâche";
    by_hand: "New trust by hand", "Nouvelle confiance à la main";
    has_template(link: Link<'_>): "The platform of this issuer is known: {link} asks for its ids, and makes the claims of them.", "La plateforme de cet émetteur est connue : {link} demande ses identifiants et en fait les claims.";
    pins: "Claims with fixed values", "Claims à valeur fixe";
    pins_hint: "One a line, such as repository_id=456789. Text, or int:20, bool:true, contains:x for a list. A claim within another: /kubernetes.io/namespace=billing.", "Un par ligne, par exemple repository_id=456789. Du texte, ou int:20, bool:true, contains:x pour une liste. Un claim dans un autre : /kubernetes.io/namespace=billing.";
    globs: "Claims that match a pattern", "Claims qui correspondent à un motif";
    globs_hint: "One a line, such as ref=refs/heads/release/*. A star is one or more characters but / and :, two stars of any.", "Un par ligne, par exemple ref=refs/heads/release/*. Une étoile vaut un ou plusieurs caractères sauf / et :, deux étoiles n'importe lesquels.";
    condition_hint: "In CEL, it narrows the rest, such as assertion.ref_protected == 'true'.", "En CEL, elle restreint le reste, par exemple assertion.ref_protected == 'true'.";
    subject_hint: "fixed:SUBJECT, claim:CLAIM, template:TEXT with claims in braces, or existing:CLAIM. If nothing is said, template:NAME:{sub}.", "fixed:SUJET, claim:CLAIM, template:TEXTE avec des claims entre accolades, ou existing:CLAIM. Si rien n'est dit, template:NOM:{sub}.";
    scope_hint: "With spaces between them. What a request asks for is bounded by this; without asking it gets all of it.", "Séparées par des espaces. Ce qu'une requête demande y est limité ; sans demande, elle obtient tout.";
    resources_hint: "One a line: what tokens may be for.", "Une par ligne : ce à quoi les jetons peuvent servir.";
    lifetime_hint: "In seconds; as long as the server's, if nothing is said.", "En secondes ; celle du serveur, si rien n'est dit.";
    lifetime_field: "Lifetime of its tokens, at most", "Durée de vie de ses jetons, au plus";
    cap: "End tokens with the JWT", "Terminer les jetons avec le JWT";
    copies_hint: "One a line, NAME=CLAIM: what the access token has of the JWT.", "Un par ligne, NOM=CLAIM : ce que le jeton d'accès reprend du JWT.";
    needs_client_auth: "The client has to authenticate besides", "Le client doit s'authentifier en plus";
    allow: "Overrule these warnings", "Lever ces avertissements";
    allow_hint: "A warning refuses a trust that is probably a mistake. Overrule it only if you know why it does not matter here.", "Un avertissement refuse une confiance qui est sans doute une erreur. Ne le levez que si vous savez pourquoi il est sans importance ici.";
    more: "More about the tokens", "Plus sur les jetons";
    make: "Make the trust", "Créer la confiance";
    choose_platform: "Whose JWTs?", "Les JWT de qui ?";
    choose_about: "Choose the platform of the job. What is made of it is an issuer and a trust, which can be changed afterwards.", "Choisissez la plateforme de la tâche. Il en résulte un émetteur et une confiance, modifiables ensuite.";
    other_platform: "Another issuer, by hand", "Un autre émetteur, à la main";
    of_platform(title: &str): "A job on {title}", "Une tâche sur {title}";
    platform_docs: "How the platform documents its JWTs", "La documentation de la plateforme sur ses JWT";
    its_options: "Whose JWTs it takes", "Quels JWT elle accepte";
    example(example: Coded<'_>): "Such as {example}.", "Par exemple {example}.";
    find: "To find it:", "Pour le trouver :";
    needed: "needed", "nécessaire";
    its_token: "What it gives", "Ce qu'elle donne";
    first_shadow: "Only try it first, as a shadow", "L'essayer seulement, comme ombre";
    skip_check: "Do not ask for the issuer's keys now", "Ne pas demander les clés de l'émetteur maintenant";
    skip_check_hint: "Otherwise nothing is registered unless they can be had.", "Sinon, rien n'est enregistré à moins qu'elles ne soient disponibles.";
    issuer_filter: "Issuer, by name or iss", "Émetteur, par nom ou iss";
}

impl Words {
    /// What a trust does in this mode.
    pub fn of_mode(self, mode: Mode) -> (&'static str, &'static str) {
        match mode {
            Mode::On => (self.on(), self.on_hint()),
            Mode::Shadow => (self.shadow(), self.shadow_hint()),
            _ => (self.off(), self.off_hint()),
        }
    }

    /// The verb by which a trust comes to this mode.
    pub fn turn(self, mode: Mode) -> &'static str {
        match mode {
            Mode::On => self.turn_on(),
            Mode::Shadow => self.to_shadow(),
            _ => self.turn_off(),
        }
    }

    /// What a JWT is taken for.
    pub fn usage(self, usage: Usage) -> &'static str {
        match usage {
            Usage::Grant => self.grant(),
            Usage::ClientAuthentication => self.client_authentication(),
        }
    }
}
