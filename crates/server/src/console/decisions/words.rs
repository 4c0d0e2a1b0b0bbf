//! What the pages of decisions say.

use grantor::admin::GroupsDocument;

use crate::pages::{Coded, Language, Link, Named, count, words};

words! {
    /// What the pages of decisions say.
    pub struct Words;
    heading: "Decisions", "Décisions";
    kept(decisions: &str, days: u64): "Why requests were granted or refused: the newest {decisions}, for {days} days at most.", "Pourquoi des requêtes ont été accordées ou refusées : les {decisions} plus récentes, pendant {days} jours au plus.";
    pause: "Pause", "Pause";
    go_on: "Go on", "Continuer";
    no_answer: "No answer. What is shown is old.", "Pas de réponse. Ce qui est affiché est ancien.";
    as_of(time: &str): "As of {time}", "État à {time}";
    of_time: "Time", "Période";
    last_hour: "Last hour", "Dernière heure";
    last_day: "24 hours", "24 heures";
    last_week: "7 days", "7 jours";
    all_kept: "All that is kept", "Tout ce qui est conservé";
    outcome: "Outcome", "Issue";
    only_refused: "only refused", "refusées seulement";
    granted: "Granted", "Acceptée";
    refused: "Refused", "Refusée";
    undecided: "Undecided", "Sans décision";
    done_as_asked: "Done as asked", "Faite comme demandé";
    nothing_decided: "A page was shown, or the request was cut off: nothing is decided", "Une page a été affichée, ou la requête a été interrompue : rien n'est décidé";
    breaks(rule: Coded<'_>): "The request breaks the rule {rule}", "La requête enfreint la règle {rule}";
    rule: "Rule", "Règle";
    party: "Client or issuer", "Client ou émetteur";
    client: "Client", "Client";
    issuer: "Issuer", "Émetteur";
    trust: "Trust", "Confiance";
    subject: "Subject", "Sujet";
    endpoint: "Endpoint", "Point d'accès";
    since: "Not before", "Pas avant";
    until: "Before", "Avant";
    time_hint: "As 2027-01-31T12:00:00Z", "Comme 2027-01-31T12:00:00Z";
    more_filters: "More filters", "Plus de filtres";
    grouped: "Refused, by rule and party", "Refusées, par règle et par partie";
    grouped_caption: "Refusals for the same rule and of the same party", "Refus pour la même règle et de la même partie";
    no_refusals: "No refusals in this time. Good.", "Aucun refus dans cette période. Tant mieux.";
    nobody_named: "nobody is named", "personne n'est nommé";
    how_often: "How often", "Combien";
    first: "First", "Premier";
    last: "Last", "Dernier";
    see_them: "See them", "Les voir";
    newest: "The newest", "Le plus récent";
    one_by_one: "One by one", "Une par une";
    newest_first: "The newest first", "Les plus récentes d'abord";
    none_found: "No decision matches.", "Aucune décision ne correspond.";
    none_yet: "Nothing is decided yet. Each request for a token, and each page and operation, is decided and recorded here.", "Rien n'est encore décidé. Chaque requête de jeton, chaque page et chaque opération est décidée et enregistrée ici.";
    when: "When", "Quand";
    why: "Why", "Pourquoi";
    what_to_do: "What to do", "Que faire";
    by_sender: "Its sender has to do it: the developer of the client.", "C'est à son expéditeur de le faire : le développeur du client.";
    by_operator: "You can do it, or another operator.", "Vous pouvez le faire, ou un autre opérateur.";
    by_person: "The person at the browser has to do it.", "C'est à la personne devant le navigateur de le faire.";
    by_host: "Whoever runs the server has to do it.", "C'est à qui exploite le serveur de le faire.";
    to_new_subject: "Register a subject", "Enregistrer un sujet";
    to_new_permission: "Give the permission", "Donner l'autorisation";
    expected_and_got(expected: &str, got: &str): "Expected: {expected}. Got: {got}.", "Attendu : {expected}. Reçu : {got}.";
    this_decision(id: Coded<'_>, time: &str): "Decision {id} of {time}", "Décision {id} du {time}";
    mark_it: "Mark it and copy it by hand", "Sélectionnez et copiez à la main";
    is_proven(client: Named<'_>, method: Coded<'_>): "{client} proved who it is, by {method}.", "{client} a prouvé son identité, par {method}.";
    signed_by(issuer: Named<'_>): "The issuer {issuer} signed it.", "L'émetteur {issuer} l'a signé.";
    says_it_is(party: Named<'_>): "It says it is {party}. That is not proven.", "Elle dit venir de {party}. Ce n'est pas prouvé.";
    says_and_signed(party: Named<'_>): "It says it is {party}; its signature is right.", "Elle dit venir de {party} ; sa signature est juste.";
    rules: "Rule by rule", "Règle par règle";
    as_grant: "The JWT as a grant", "Le JWT comme octroi";
    as_authentication: "The JWT as client authentication", "Le JWT comme authentification du client";
    result: "Result", "Résultat";
    passes: "pass", "respectée";
    fails: "fail", "enfreinte";
    not_reached: "not reached", "non examinée";
    expected: "Expected", "Attendu";
    got: "Got", "Reçu";
    keys_tried: "Keys tried", "Clés essayées";
    clock: "Clock", "Horloge";
    our_clock(time: &str): "This server's clock said {time}.", "L'horloge de ce serveur disait {time}.";
    issued_before(time: &str): "By it the JWT was issued {time} before.", "Selon elle, le JWT a été émis {time} avant.";
    issued_ahead(time: &str): "By it the JWT was issued {time} in the future.", "Selon elle, le JWT a été émis {time} dans le futur.";
    ends_after(time: &str): "It ends {time} later.", "Il se termine {time} après.";
    ended_before(time: &str): "It ended {time} before.", "Il s'est terminé {time} avant.";
    trusts: "Trusts of the issuer", "Confiances de l'émetteur";
    shadows: "Trusts that only look on", "Confiances qui ne font qu'observer";
    takes_it: "takes it", "l'accepte";
    takes_not: "does not take it", "ne l'accepte pas";
    not_asked: "not asked", "non consultée";
    what_is_compared: "What is compared", "Ce qui est comparé";
    condition: "condition", "condition";
    facts: "What is known", "Ce qui est connu";
    claimed(name: &str): "{name}, not proven", "{name}, non prouvé";
    meant(client: Link<'_>): "Did its sender mean {client}?", "L'expéditeur voulait-il dire {client} ?";
    key: "Key", "Clé";
    scope: "Scope", "Portée";
    audience: "Audience", "Audience";
    sender: "From", "De";
    error: "Error code of the answer", "Code d'erreur de la réponse";
    cause: "Cause", "Cause";
    the_same(party: Named<'_>, times: &str, first: &str): "The same for {party}: {times} since {first}.", "La même chose pour {party} : {times} depuis {first}.";
    see_all: "See all", "Tout voir";
    whole_record: "The whole record, as JSON", "L'enregistrement entier, en JSON";
}

impl Words {
    /// `96 refusals in 12 groups, among the newest 100,000 decisions.`
    pub fn how_many(self, found: &GroupsDocument) -> String {
        let shown = |number| count(number, self.0);
        let (refused, groups) = (shown(found.refused), shown(found.all));
        let most = shown(found.looked_through.into());
        let is_cut = found.refused >= u64::from(found.most);
        match self.0 {
            Language::English => {
                let newest = if is_cut { "The newest " } else { "" };
                let refusals = if found.refused == 1 {
                    "refusal"
                } else {
                    "refusals"
                };
                let word = if found.all == 1 { "group" } else { "groups" };
                format!(
                    "{newest}{refused} {refusals} in {groups} {word}, among the newest {most} decisions."
                )
            }
            Language::French => {
                let newest = if is_cut { "Les derniers " } else { "" };
                let word = if found.all > 1 { "groupes" } else { "groupe" };
                format!(
                    "{newest}{refused} refus dans {groups} {word}, parmi les {most} décisions les plus récentes."
                )
            }
        }
    }

    /// `once`, `96 times`.
    pub fn times(self, number: u64) -> String {
        let shown = count(number, self.0);
        match (self.0, number) {
            (Language::English, 1) => "once".to_owned(),
            (Language::English, _) => format!("{shown} times"),
            (Language::French, _) => format!("{shown} fois"),
        }
    }

    /// So many seconds, in the largest unit of which there is a whole one.
    pub fn seconds(self, seconds: f64) -> String {
        const DAY: f64 = 86_400.0;
        let seconds = seconds.abs();
        let (number, units) = match seconds {
            0.0..120.0 => (seconds, ["s", "s"]),
            120.0..7_200.0 => (seconds / 60.0, ["minutes", "minutes"]),
            7_200.0..172_800.0 => (seconds / 3_600.0, ["hours", "heures"]),
            172_800.0..1e10 => (seconds / DAY, ["days", "jours"]),
            _ => {
                return match self.0 {
                    Language::English => "centuries".to_owned(),
                    Language::French => "des siècles".to_owned(),
                };
            }
        };
        let unit = match self.0 {
            Language::English => units[0],
            Language::French => units[1],
        };
        format!("{:.0} {unit}", number.floor())
    }
}
