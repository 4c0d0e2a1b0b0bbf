//! What the page of help says.

use crate::pages::words;

words! {
    /// What the page of help says.
    pub struct Words;
    heading: "Help", "Aide";
    keyboard: "Keyboard", "Clavier";
    without_keys: "Everything works with the keys that a browser has: Tab and Shift+Tab go from one link, button or field to the next, Enter follows and presses, the space bar ticks. The first link of a page leads past the menu.", "Tout fonctionne avec les touches du navigateur : Tab et Maj+Tab passent d'un lien, bouton ou champ à l'autre, Entrée suit et active, la barre d'espace coche. Le premier lien d'une page mène au-delà du menu.";
    single_keys: "Single keys lead to pages, too, once they are switched on. The choice is kept in this browser alone.", "Des touches seules mènent aussi aux pages, une fois activées. Le choix n'est conservé que dans ce navigateur.";
    need_script: "Switching them on needs the script of this page.", "Leur activation nécessite le script de cette page.";
    switch: "Single keys", "Touches seules";
    key: "Key", "Touche";
    leads_to: "Leads to", "Mène à";
    this_help: "this help", "cette aide";
    then: "then", "puis";
    terms_heading: "Words", "Vocabulaire";
    more: "More", "Pour aller plus loin";
    commands: "Each command tells about itself: grantor help, grantor client create --help. What is here can be done by commands and by the admin API as well, under the same names.", "Chaque commande s'explique elle-même : grantor help, grantor client create --help. Ce qui est ici se fait aussi par commandes et par l'API d'administration, sous les mêmes noms.";
    lost: "Why was a request refused? Its answer has an id: type it into the field on top of any page.", "Pourquoi une requête a-t-elle été refusée ? Sa réponse porte un identifiant : saisissez-le dans le champ en haut de n'importe quelle page.";
    access_token: "Access token", "Jeton d'accès";
    access_token_is: "What a client shows to an API. It is good for a few minutes.", "Ce qu'un client présente à une API. Il est valable quelques minutes.";
    assertion: "Assertion", "Assertion";
    assertion_is: "A JWT that its sender signs to say who it is, or for whom it acts. It is used once.", "Un JWT que son expéditeur signe pour dire qui il est, ou pour qui il agit. Il sert une seule fois.";
    audience: "Audience", "Audience";
    audience_is: "For whom a JWT is meant, its member aud: this server for assertions, an API for tokens.", "À qui un JWT est destiné, son membre aud : ce serveur pour les assertions, une API pour les jetons.";
    audience_policy: "Audience policy", "Politique d'audience";
    audience_policy_is: "What a client may write into aud: strict takes the issuer identifier of this server alone, legacy its token endpoint as well.", "Ce qu'un client peut écrire dans aud : strict n'accepte que l'identifiant d'émetteur de ce serveur, legacy aussi son point d'accès aux jetons.";
    client: "Client", "Client";
    client_is: "A program that gets tokens, by its keys, its secret or the people who use it.", "Un programme qui obtient des jetons, par ses clés, son secret ou les personnes qui l'utilisent.";
    consent: "Consent", "Consentement";
    consent_is: "What a person answers when a client asks to act for them. It makes a permission.", "La réponse d'une personne à qui un client demande d'agir pour elle. Il crée une autorisation.";
    decision: "Decision", "Décision";
    decision_is: "The record of one request: granted, or refused by which rule, and why.", "La trace d'une requête : accordée, ou refusée par quelle règle, et pourquoi.";
    grant: "Grant", "Type d'octroi";
    grant_is: "A way to ask for a token: jwt-bearer for a subject, client-credentials for the client itself, authorization-code after consent, refresh-token to go on.", "Une façon de demander un jeton : jwt-bearer pour un sujet, client-credentials pour le client lui-même, authorization-code après consentement, refresh-token pour continuer.";
    introspection: "Introspection", "Introspection";
    introspection_is: "An API asks this server whether a token is still in force.", "Une API demande à ce serveur si un jeton est encore en vigueur.";
    issuer: "Issuer", "Émetteur";
    issuer_is: "Whoever signs JWTs: this server its tokens, another one those that trusts accept here.", "Qui signe des JWT : ce serveur ses jetons, un autre ceux que des confiances acceptent ici.";
    kid: "Key id", "Identifiant de clé";
    kid_is: "The name of a key, the member kid in the head of a JWT.", "Le nom d'une clé, le membre kid dans l'en-tête d'un JWT.";
    managed: "Managed", "Géré";
    managed_is: "A file says how something is. It is changed there, and applied again.", "Un fichier dit comment quelque chose doit être. On le modifie là-bas, puis on l'applique à nouveau.";
    operator: "Operator", "Opérateur";
    operator_is: "A subject with a role: a reader looks, an editor changes what gives no power, an owner changes everything.", "Un sujet doté d'un rôle : un reader consulte, un editor modifie ce qui ne donne pas de pouvoir, un owner modifie tout.";
    passkey: "Passkey", "Clé d'accès";
    passkey_is: "A key that a device keeps, and by which somebody signs in without a password.", "Une clé que garde un appareil et par laquelle on se connecte sans mot de passe.";
    permission: "Permission", "Autorisation";
    permission_is: "That a client may act for a subject, given by an operator or by the person.", "Le droit d'un client d'agir pour un sujet, donné par un opérateur ou par la personne.";
    refresh_token: "Refresh token", "Jeton de rafraîchissement";
    refresh_token_is: "By which a client goes on without asking the person again. It is exchanged at each use, and used twice it ends all that came of it.", "Par lequel un client continue sans redemander à la personne. Il est échangé à chaque usage et, utilisé deux fois, met fin à tout ce qui en provient.";
    replay: "Replay", "Rejeu";
    replay_is: "An assertion that comes a second time, known by its jti. It is refused.", "Une assertion qui arrive une seconde fois, reconnue à son jti. Elle est refusée.";
    revocation: "Revocation", "Révocation";
    revocation_is: "The end of a token or key before its time.", "La fin d'un jeton ou d'une clé avant son terme.";
    rotation: "Rotation", "Rotation";
    rotation_is: "A new signing key takes over, and the one before is still published as long as its tokens live.", "Une nouvelle clé de signature prend le relais, et la précédente reste publiée tant que vivent ses jetons.";
    scope: "Scope", "Portée";
    scope_is: "What a token may be used for, a word that the API knows.", "Ce à quoi un jeton peut servir, un mot que l'API connaît.";
    subject: "Subject", "Sujet";
    subject_is: "Whom a token is about, its member sub: a person, or a machine.", "Ce dont parle un jeton, son membre sub : une personne, ou une machine.";
    trust: "Trust", "Confiance";
    trust_is: "Which JWTs of an issuer let which client in, and as whom.", "Quels JWT d'un émetteur laissent entrer quel client, et comme qui.";
}

impl Words {
    /// The words of the field, and what each means.
    pub fn terms(self) -> Vec<(&'static str, &'static str)> {
        let mut terms = vec![
            (self.access_token(), self.access_token_is()),
            (self.assertion(), self.assertion_is()),
            (self.audience(), self.audience_is()),
            (self.audience_policy(), self.audience_policy_is()),
            (self.client(), self.client_is()),
            (self.consent(), self.consent_is()),
            (self.decision(), self.decision_is()),
            (self.grant(), self.grant_is()),
            (self.introspection(), self.introspection_is()),
            (self.issuer(), self.issuer_is()),
            (self.kid(), self.kid_is()),
            (self.managed(), self.managed_is()),
            (self.operator(), self.operator_is()),
            (self.passkey(), self.passkey_is()),
            (self.permission(), self.permission_is()),
            (self.refresh_token(), self.refresh_token_is()),
            (self.replay(), self.replay_is()),
            (self.revocation(), self.revocation_is()),
            (self.rotation(), self.rotation_is()),
            (self.scope(), self.scope_is()),
            (self.subject(), self.subject_is()),
            (self.trust(), self.trust_is()),
        ];
        terms.sort_by_key(|(term, _)| term.replace('É', "E"));
        terms
    }
}
