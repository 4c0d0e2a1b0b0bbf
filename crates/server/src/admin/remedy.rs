//! What it means that a rule is broken, what can be done about it and who has to do that: a sentence
//! each, in the languages of pages. Commands print the English ones.

use grantor::types::Rule;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::pages::Language;

/// Who can mend what was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// Who sends the requests: the client's developer.
    Sender,
    /// Who looks after what is registered.
    Operator,
    /// The person at the browser.
    Person,
    /// Who runs the server.
    Host,
}

/// A text in each language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// In English.
    pub english: &'static str,
    /// In French.
    pub french: &'static str,
}

impl Text {
    /// In this language.
    pub fn of(self, language: Language) -> &'static str {
        match language {
            Language::English => self.english,
            Language::French => self.french,
        }
    }
}

/// What is said of a broken rule.
#[derive(Clone, Copy, Debug)]
pub struct Remedy {
    /// What is wrong: the beginning of a sentence that has no end, as a heading.
    pub wrong: Text,
    /// Who has to do it.
    pub whose: Whose,
    /// What to do, in one sentence.
    pub advice: Text,
}

impl Remedy {
    /// Of this rule; nothing of one of an extension.
    pub fn of(rule: &Rule) -> Option<Self> {
        let (whose, [wrong, advice]) = told(rule)?;
        let text = |[english, french]: [&'static str; 2]| Text { english, french };
        Some(Self {
            wrong: text(wrong),
            whose,
            advice: text(advice),
        })
    }
}

/// What is wrong and what to do, each in English and French.
type Told = (Whose, [[&'static str; 2]; 2]);

#[expect(
    clippy::too_many_lines,
    reason = "one table of texts, a row for each rule"
)]
fn told(rule: &Rule) -> Option<Told> {
    use Whose::{Host, Operator, Person, Sender};
    Some(match rule {
        Rule::Throttled => (
            Sender,
            [
                [
                    "The sender failed too often, and has to wait",
                    "L'expéditeur a échoué trop souvent et doit attendre",
                ],
                [
                    "Find what fails with `grantor decisions list --refused --party CLIENT`; the answer said when the client is heard again (Retry-After).",
                    "Cherchez ce qui échoue avec `grantor decisions list --refused --party CLIENT` ; la réponse disait quand le client sera de nouveau entendu (Retry-After).",
                ],
            ],
        ),
        Rule::Form => (
            Sender,
            [
                [
                    "The request is not written as the protocol asks",
                    "La requête n'est pas écrite comme le protocole le demande",
                ],
                [
                    "Have the sender write the request as the cause says.",
                    "Faites écrire la requête par l'expéditeur comme la cause le dit.",
                ],
            ],
        ),
        Rule::Client => (
            Sender,
            [
                [
                    "The client did not prove who it is",
                    "Le client n'a pas prouvé son identité",
                ],
                [
                    "Compare the client's method and credential with `grantor client show CLIENT`; `grantor doctor --key FILE` tries a key file.",
                    "Comparez la méthode et le secret ou la clé du client avec `grantor client show CLIENT` ; `grantor doctor --key FILE` essaie un fichier de clé.",
                ],
            ],
        ),
        Rule::Caller => (
            Sender,
            [
                [
                    "Another client than the one of the assertion sent it",
                    "Un autre client que celui de l'assertion l'a envoyée",
                ],
                [
                    "Have the client that issued the assertion send it, or leave client authentication out.",
                    "Faites envoyer l'assertion par le client qui l'a émise, ou sans authentification du client.",
                ],
            ],
        ),
        Rule::Jws => (
            Sender,
            [
                [
                    "The assertion is no JWT that can be read",
                    "L'assertion n'est pas un JWT lisible",
                ],
                [
                    "Have the sender send the whole assertion: three parts, no white space.",
                    "Faites envoyer l'assertion entière : trois parties, sans espace.",
                ],
            ],
        ),
        Rule::Claims => (
            Sender,
            [
                [
                    "The claims of the assertion cannot be read",
                    "Les revendications de l'assertion sont illisibles",
                ],
                [
                    "Have the sender put one JSON object into the assertion, with claims of the types of RFC 7519 §4.1.",
                    "Faites mettre dans l'assertion un seul objet JSON, avec des revendications des types de la RFC 7519 §4.1.",
                ],
            ],
        ),
        Rule::Issuer => (
            Operator,
            [
                [
                    "The party that the assertion names is not registered, or is disabled",
                    "La partie que nomme l'assertion n'est pas enregistrée, ou est désactivée",
                ],
                [
                    "Register the client with `grantor client create`, accept it again with `grantor client enable`, or have the sender correct `iss`.",
                    "Enregistrez le client avec `grantor client create`, acceptez-le à nouveau avec `grantor client enable`, ou faites corriger `iss` par l'expéditeur.",
                ],
            ],
        ),
        Rule::Method => (
            Sender,
            [
                [
                    "The client authenticates by another method than it is registered for",
                    "Le client s'authentifie par une autre méthode que celle enregistrée",
                ],
                [
                    "Have the client authenticate as `grantor client show CLIENT` says, or register it with `--auth private_key_jwt`.",
                    "Faites authentifier le client comme le dit `grantor client show CLIENT`, ou enregistrez-le avec `--auth private_key_jwt`.",
                ],
            ],
        ),
        Rule::Key => (
            Operator,
            [
                [
                    "No registered key can verify the assertion",
                    "Aucune clé enregistrée ne peut vérifier l'assertion",
                ],
                [
                    "Add the key that signs with `grantor client add-key`, or have the sender sign with a registered one and name its `kid`.",
                    "Ajoutez la clé qui signe avec `grantor client add-key`, ou faites signer l'expéditeur avec une clé enregistrée et nommer son `kid`.",
                ],
            ],
        ),
        Rule::Algorithm => (
            Sender,
            [
                [
                    "The assertion is signed by an algorithm that is not accepted",
                    "L'assertion est signée par un algorithme qui n'est pas accepté",
                ],
                [
                    "Have the sender sign with the expected algorithm, or register a key for the other one.",
                    "Faites signer avec l'algorithme attendu, ou enregistrez une clé pour l'autre.",
                ],
            ],
        ),
        Rule::Signature => (
            Sender,
            [
                [
                    "The signature does not verify",
                    "La signature ne se vérifie pas",
                ],
                [
                    "Have the sender sign with the private half of the registered key, or add the key that it has with `grantor client add-key`.",
                    "Faites signer avec la moitié privée de la clé enregistrée, ou ajoutez la clé de l'expéditeur avec `grantor client add-key`.",
                ],
            ],
        ),
        Rule::Type => (
            Sender,
            [
                [
                    "The typ of the assertion names another kind of JWT",
                    "Le typ de l'assertion désigne une autre sorte de JWT",
                ],
                [
                    "Have the sender leave `typ` out, or set an expected one.",
                    "Faites omettre `typ`, ou mettre une valeur attendue.",
                ],
            ],
        ),
        Rule::Confirmation => (
            Sender,
            [
                [
                    "The JWT is bound to a key, and is no bearer token",
                    "Le JWT est lié à une clé et n'est pas un jeton au porteur",
                ],
                [
                    "Have the sender send a JWT without `cnf`: one that is bound to a key is no bearer token.",
                    "Faites envoyer un JWT sans `cnf` : un JWT lié à une clé n'est pas un jeton au porteur.",
                ],
            ],
        ),
        Rule::IssuerClaim => (
            Sender,
            [
                [
                    "The iss of the assertion is not the client that signed it",
                    "Le iss de l'assertion n'est pas le client qui l'a signée",
                ],
                [
                    "Have the sender set `iss` to the client's identifier.",
                    "Faites mettre l'identifiant du client dans `iss`.",
                ],
            ],
        ),
        Rule::SubjectClaim => (
            Sender,
            [
                [
                    "The sub of the assertion is not the expected one",
                    "Le sub de l'assertion n'est pas celui attendu",
                ],
                [
                    "Have the sender set `sub` as expected.",
                    "Faites mettre dans `sub` ce qui est attendu.",
                ],
            ],
        ),
        Rule::Audience => (
            Sender,
            [
                [
                    "The audience is another server's",
                    "L'audience est celle d'un autre serveur",
                ],
                [
                    "Have the sender set `aud` to this server's issuer identifier, and nothing else.",
                    "Faites mettre dans `aud` l'identifiant d'émetteur de ce serveur, et rien d'autre.",
                ],
            ],
        ),
        Rule::Expiry => (
            Sender,
            [
                [
                    "The assertion has expired, or lasts too long",
                    "L'assertion a expiré, ou dure trop longtemps",
                ],
                [
                    "Have the sender sign a new assertion for each request, for no longer than allowed, by a clock that is right.",
                    "Faites signer une nouvelle assertion pour chaque requête, pas plus longue que permis, avec une horloge juste.",
                ],
            ],
        ),
        Rule::NotBefore => (
            Sender,
            [
                [
                    "The assertion is not valid yet",
                    "L'assertion n'est pas encore valable",
                ],
                [
                    "Have the sender set its clock right, or send the assertion later.",
                    "Faites mettre à l'heure l'horloge de l'expéditeur, ou envoyer l'assertion plus tard.",
                ],
            ],
        ),
        Rule::IssuedAt => (
            Sender,
            [
                [
                    "The assertion was issued in the future, or too long ago",
                    "L'assertion a été émise dans le futur, ou il y a trop longtemps",
                ],
                [
                    "Have the sender set its clock right, and sign a new assertion for each request.",
                    "Faites mettre à l'heure l'horloge de l'expéditeur, et signer une nouvelle assertion pour chaque requête.",
                ],
            ],
        ),
        Rule::TokenId => (
            Sender,
            [
                [
                    "The assertion has no jti that can be remembered",
                    "L'assertion n'a pas de jti qui puisse être retenu",
                ],
                [
                    "Have the sender put a `jti` into each assertion, another one each time.",
                    "Faites mettre un `jti` dans chaque assertion, un autre chaque fois.",
                ],
            ],
        ),
        Rule::Fence => (
            Sender,
            [
                [
                    "The assertion is older than the restored database",
                    "L'assertion est plus ancienne que la base restaurée",
                ],
                [
                    "Have the sender sign a new assertion: those signed before the database was restored are refused.",
                    "Faites signer une nouvelle assertion : celles d'avant la restauration de la base sont refusées.",
                ],
            ],
        ),
        Rule::Replay => (
            Sender,
            [
                [
                    "The assertion was used before",
                    "L'assertion a déjà été utilisée",
                ],
                [
                    "Have the sender sign a new assertion for each request; if it does, somebody else sent a copy of this one.",
                    "Faites signer une nouvelle assertion pour chaque requête ; si c'est déjà le cas, quelqu'un d'autre a envoyé une copie de celle-ci.",
                ],
            ],
        ),
        Rule::ReplayQuota => (
            Sender,
            [
                [
                    "The client used up more assertions than are remembered",
                    "Le client a utilisé plus d'assertions qu'il n'en est retenu",
                ],
                [
                    "Have the client keep its tokens instead of asking for each request, or raise `limits.replay_entries_per_issuer`.",
                    "Faites garder ses jetons au client au lieu d'en demander à chaque requête, ou augmentez `limits.replay_entries_per_issuer`.",
                ],
            ],
        ),
        Rule::Trust => (
            Operator,
            [
                [
                    "Not exactly one trust of the issuer takes the JWT",
                    "Ce n'est pas exactement une confiance de l'émetteur qui accepte le JWT",
                ],
                [
                    "Compare the JWT with the trusts of its issuer: `grantor trust test FILE.jwt` shows each, claim by claim.",
                    "Comparez le JWT avec les confiances de son émetteur : `grantor trust test FILE.jwt` montre chacune, revendication par revendication.",
                ],
            ],
        ),
        Rule::MappedSubject => (
            Operator,
            [
                [
                    "The trust finds no subject in the JWT that it may be about",
                    "La confiance ne trouve dans le JWT aucun sujet qu'il puisse concerner",
                ],
                [
                    "Have the job send the claim that `grantor trust show NAME` names under `subject`, or map another: `grantor trust update NAME --subject KIND:TEXT`.",
                    "Faites envoyer la revendication que `grantor trust show NAME` nomme sous `subject`, ou choisissez-en une autre : `grantor trust update NAME --subject KIND:TEXT`.",
                ],
            ],
        ),
        Rule::IssuerKeys => (
            Operator,
            [
                [
                    "The keys of the issuer cannot be had",
                    "Les clés de l'émetteur ne peuvent pas être obtenues",
                ],
                [
                    "Run `grantor issuer refresh ISSUER`: it says why its keys cannot be had; the sender may try again.",
                    "Lancez `grantor issuer refresh ISSUER` : la commande dit pourquoi ses clés ne peuvent pas être obtenues ; l'expéditeur peut réessayer.",
                ],
            ],
        ),
        Rule::ScopeClaim => (
            Sender,
            [
                [
                    "The scope claim of the assertion is no scope",
                    "La revendication scope de l'assertion n'est pas une portée",
                ],
                [
                    "Have the sender write the `scope` claim as names with one space between.",
                    "Faites écrire la revendication `scope` comme des noms séparés par une espace.",
                ],
            ],
        ),
        Rule::Subject => (
            Operator,
            [
                [
                    "The subject is not known, or is disabled",
                    "Le sujet est inconnu, ou désactivé",
                ],
                [
                    "Register the subject with `grantor subject create`, accept it again with `grantor subject enable`, or have the sender correct `sub`.",
                    "Enregistrez le sujet avec `grantor subject create`, acceptez-le à nouveau avec `grantor subject enable`, ou faites corriger `sub` par l'expéditeur.",
                ],
            ],
        ),
        Rule::Permission => (
            Operator,
            [
                [
                    "The client may not act for this subject",
                    "Le client ne peut pas agir pour ce sujet",
                ],
                [
                    "Let the client act for the subject with `grantor permission create CLIENT SUBJECT`.",
                    "Laissez le client agir pour le sujet avec `grantor permission create CLIENT SUBJECT`.",
                ],
            ],
        ),
        Rule::Grant => (
            Operator,
            [
                [
                    "The client may not use this grant",
                    "Le client ne peut pas utiliser ce type d'octroi",
                ],
                [
                    "Allow the client this grant with `grantor client update CLIENT --grant NAME`, or have it use one that it is registered for.",
                    "Permettez ce type d'octroi au client avec `grantor client update CLIENT --grant NAME`, ou faites-lui utiliser un de ceux pour lesquels il est enregistré.",
                ],
            ],
        ),
        Rule::RedirectUri => (
            Operator,
            [
                [
                    "The redirect URI is none of the client's",
                    "L'adresse de redirection n'est pas une de celles du client",
                ],
                [
                    "Register the address with `grantor client update CLIENT --redirect-uri URI`, or have the client send the registered one to the letter.",
                    "Enregistrez l'adresse avec `grantor client update CLIENT --redirect-uri URI`, ou faites envoyer à la lettre celle qui est enregistrée.",
                ],
            ],
        ),
        Rule::Pkce => (
            Sender,
            [
                [
                    "The proof of PKCE is absent or wrong",
                    "La preuve PKCE est absente ou fausse",
                ],
                [
                    "Have the client send a `code_challenge` by S256 with each request, and its `code_verifier` with the code.",
                    "Faites envoyer un `code_challenge` par S256 avec chaque requête, et son `code_verifier` avec le code.",
                ],
            ],
        ),
        Rule::Ticket => (
            Person,
            [
                [
                    "The page was open too long, or is another browser's",
                    "La page est restée ouverte trop longtemps, ou vient d'un autre navigateur",
                ],
                [
                    "Have the person begin again: a page is good for 15 minutes, in one browser.",
                    "Faites recommencer la personne : une page vaut 15 minutes, dans un navigateur.",
                ],
            ],
        ),
        Rule::Origin => (
            Host,
            [
                [
                    "The form came from another place than this server",
                    "Le formulaire vient d'ailleurs que de ce serveur",
                ],
                [
                    "The form came from another place than this server: if honest people see this, compare the issuer with the address in their browser.",
                    "Le formulaire vient d'ailleurs que de ce serveur : si des personnes honnêtes voient cela, comparez l'émetteur avec l'adresse dans leur navigateur.",
                ],
            ],
        ),
        Rule::Session => (
            Person,
            [
                [
                    "Nobody is signed in, or not recently enough",
                    "Personne n'est connecté, ou pas assez récemment",
                ],
                [
                    "Have the person sign in.",
                    "Faites se connecter la personne.",
                ],
            ],
        ),
        Rule::Passkey => (
            Person,
            [
                [
                    "The passkey is none of the person's",
                    "La clé d'accès n'est pas une de celles de la personne",
                ],
                [
                    "Have the person try another passkey, or send a new link: `grantor subject invite SUBJECT`.",
                    "Faites essayer une autre clé d'accès, ou envoyez un nouveau lien : `grantor subject invite SUBJECT`.",
                ],
            ],
        ),
        Rule::Password => (
            Person,
            [
                [
                    "The name or the password is wrong",
                    "Le nom ou le mot de passe est incorrect",
                ],
                [
                    "If the person cannot sign in any more, send a new link: `grantor subject invite SUBJECT --recover`.",
                    "Si la personne ne peut plus se connecter, envoyez un nouveau lien : `grantor subject invite SUBJECT --recover`.",
                ],
            ],
        ),
        Rule::Invitation => (
            Operator,
            [
                [
                    "The invitation was used, or has ended",
                    "L'invitation a été utilisée, ou est terminée",
                ],
                [
                    "Send a new link: `grantor subject invite SUBJECT`.",
                    "Envoyez un nouveau lien : `grantor subject invite SUBJECT`.",
                ],
            ],
        ),
        Rule::Consent => (
            Person,
            [
                [
                    "The person has not allowed it",
                    "La personne ne l'a pas permis",
                ],
                [
                    "Have the person open the link of `grantor permission ask CLIENT SUBJECT`, and say yes; `grantor permission show` says what there is.",
                    "Faites ouvrir par la personne le lien de `grantor permission ask CLIENT SUBJECT`, et dire oui ; `grantor permission show` dit ce qu'il y a.",
                ],
            ],
        ),
        Rule::Code => (
            Sender,
            [
                [
                    "The authorization code was used, has expired, or is another client's",
                    "Le code d'autorisation a été utilisé, a expiré, ou est celui d'un autre client",
                ],
                [
                    "Have the client redeem each code once, within its lifetime, and begin again where that failed.",
                    "Faites échanger chaque code une fois, pendant sa durée de vie, et recommencer en cas d'échec.",
                ],
            ],
        ),
        Rule::RefreshToken => (
            Sender,
            [
                [
                    "The refresh token has ended, or is another client's",
                    "Le jeton de rafraîchissement est terminé, ou est celui d'un autre client",
                ],
                [
                    "Have the client ask the person anew: the token has expired, was given back, or is another client's.",
                    "Faites redemander à la personne : le jeton a expiré, a été rendu, ou est celui d'un autre client.",
                ],
            ],
        ),
        Rule::RefreshReuse => (
            Operator,
            [
                [
                    "A refresh token was used again after its successor",
                    "Un jeton de rafraîchissement a été réutilisé après son successeur",
                ],
                [
                    "Ask the person and the client's operator who else has the token; if the client sends old ones itself, have it keep the newest. It asks the person anew.",
                    "Demandez à la personne et à l'exploitant du client qui d'autre a le jeton ; si le client envoie lui-même d'anciens jetons, faites-lui garder le plus récent. Il redemande à la personne.",
                ],
            ],
        ),
        Rule::AccessToken => (
            Sender,
            [
                [
                    "The access token is not in force here",
                    "Le jeton d'accès n'est pas en vigueur ici",
                ],
                [
                    "Have the sender get a new token, with `resource` set to the API's name; one that ended with its client, subject or permission comes back with none of them.",
                    "Faites obtenir un nouveau jeton, avec dans `resource` le nom de l'API ; un jeton terminé avec son client, son sujet ou son autorisation ne revient avec aucun d'eux.",
                ],
            ],
        ),
        Rule::Role => (
            Operator,
            [
                [
                    "The role is less than what is asked for needs",
                    "Le rôle est inférieur à ce que la demande exige",
                ],
                [
                    "Have an owner do it, or give more: the client's scope names `grantor:write` or `grantor:admin`, and so does the subject's role.",
                    "Faites-le faire par un propriétaire, ou donnez plus : la portée du client nomme `grantor:write` ou `grantor:admin`, et le rôle du sujet aussi.",
                ],
            ],
        ),
        Rule::Resource => (
            Host,
            [
                [
                    "The resource is not one that is served here",
                    "La ressource n'est pas une de celles servies ici",
                ],
                [
                    "Have the client name a resource of `token.resources`, or add this one there.",
                    "Faites nommer une ressource de `token.resources`, ou ajoutez-y celle-ci.",
                ],
            ],
        ),
        Rule::Scope => (
            Operator,
            [
                [
                    "More scope is asked for than is allowed",
                    "La portée demandée dépasse ce qui est permis",
                ],
                [
                    "Have the client ask for less, or allow it more: `grantor client update CLIENT --scope SCOPE`, and the scope of its permission.",
                    "Faites demander moins, ou permettez plus : `grantor client update CLIENT --scope SCOPE`, et la portée de son autorisation.",
                ],
            ],
        ),
        Rule::Issue => (
            Host,
            [
                [
                    "The token could not be made",
                    "Le jeton n'a pas pu être fait",
                ],
                [
                    "Read the server's log of this time; of a quota, have the client keep its tokens, or raise `limits.tokens_per_client`.",
                    "Lisez le journal du serveur à cette heure ; pour un quota, faites garder ses jetons au client, ou augmentez `limits.tokens_per_client`.",
                ],
            ],
        ),
        Rule::Unchanged => (
            Host,
            [
                [
                    "What the decision rests on was changed while it was made",
                    "Ce sur quoi repose la décision a été modifié pendant qu'elle était prise",
                ],
                [
                    "The sender asks again; look at `grantor changes list` for what was changed at this time.",
                    "L'expéditeur redemande ; voyez dans `grantor changes list` ce qui a été modifié à cette heure.",
                ],
            ],
        ),
        Rule::Storage => (
            Host,
            [
                ["The storage did not answer", "Le stockage n'a pas répondu"],
                [
                    "Look at the disk, at `grantor health` and at the server's log of this time; the sender may try again.",
                    "Regardez le disque, `grantor health` et le journal du serveur à cette heure ; l'expéditeur peut réessayer.",
                ],
            ],
        ),
        Rule::Defect => (
            Host,
            [
                ["The server has a defect", "Le serveur a un défaut"],
                [
                    "Report this defect of the server, with its log of this time.",
                    "Signalez ce défaut du serveur, avec son journal à cette heure.",
                ],
            ],
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_rule_of_this_program_has_sentences_of_its_own() {
        let remedies = Rule::ALL.iter().map(|rule| Remedy::of(rule).expect("one"));
        let sentences: BTreeSet<_> = remedies
            .flat_map(|Remedy { wrong, advice, .. }| {
                [wrong.english, wrong.french, advice.english, advice.french]
            })
            .collect();
        assert_eq!(sentences.len(), 4 * Rule::ALL.len());
        assert!(Remedy::of(&Rule::named("binding")).is_none());
    }
}
