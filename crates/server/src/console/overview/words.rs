//! What the overview says.

use crate::pages::{Coded, Language, Markup, Named, count, words};

words! {
    /// What the overview says.
    pub struct Words;
    heading: "Overview", "Vue d'ensemble";
    attention: "Needs attention", "À surveiller";
    nothing_is_wrong: "Nothing is wrong", "Tout va bien";
    would_be_here: "What ends within 30 days, is refused again and again, or is nearly full would be here.", "Ce qui prend fin dans les 30 jours, est refusé encore et encore, ou est presque plein serait ici.";
    first: "No clients yet. A client is a program that gets tokens.", "Aucun client pour l'instant. Un client est un programme qui obtient des jetons.";
    make_the_first: "Make the first one", "Créer le premier";
    not_ready: "Not ready", "Pas prêt";
    storage_silent: "The storage does not answer: requests are refused.", "Le stockage ne répond pas : les requêtes sont refusées.";
    nearly_full: "Nearly full", "Presque plein";
    disk(free: &str, size: &str): "{free} of {size} are left on the disk of the database.", "Il reste {free} sur {size} sur le disque de la base.";
    mib: "MiB", "Mio";
    gib: "GiB", "Gio";
    lost: "Lost", "Perdu";
    decisions_lost(count: &str): "{count} decisions since the start are not on record: they could not be written in time.", "{count} décisions depuis le démarrage ne sont pas enregistrées : elles n'ont pas pu être écrites à temps.";
    ended(when: &str): "Ended {when}", "Terminé {when}";
    has_none(client: Named<'_>): "{client} has no key or secret any more, and gets no tokens.", "{client} n'a plus de clé ni de secret, et n'obtient pas de jetons.";
    unusable: "Cannot be used", "Inutilisable";
    verifies_nothing(key: Coded<'_>, client: Named<'_>): "The key {key} of {client} verifies nothing.", "La clé {key} de {client} ne vérifie rien.";
    used_again: "Used again", "Réutilisé";
    refresh_reuse(party: Named<'_>, times: &str, first: &str): "A refresh token of {party} was used again after its successor, {times} since {first}. Somebody else may have it.", "Un jeton de rafraîchissement de {party} a été réutilisé après son successeur, {times} depuis {first}. Quelqu'un d'autre l'a peut-être.";
    rising: "Rising", "En hausse";
    rises(lately: &str, before: &str): "{lately} requests were refused in the last 10 minutes, {before} in 10 minutes before.", "{lately} requêtes refusées dans les 10 dernières minutes, {before} en 10 minutes avant.";
    a_minute(count: &str): "{count} a minute", "{count} par minute";
    is_refused(party: Named<'_>, rule: Coded<'_>, since: &str): "{party} is refused for {rule} since {since} UTC.", "{party} est refusé pour {rule} depuis {since} UTC.";
    somebody: "somebody", "quelqu'un";
    ends(when: &str): "Ends {when}", "Prend fin {when}";
    only_key(client: Named<'_>): "The only key of {client}.", "La seule clé de {client}.";
    only_secret(client: Named<'_>): "The only secret of {client}.", "Le seul secret de {client}.";
    all_of(client: Named<'_>): "The last key or secret of {client}.", "La dernière clé ou le dernier secret de {client}.";
    waiting: "Wait", "Attente";
    have_to_wait(count: &str): "Senders that failed too often have to wait: {count} requests in the last hour.", "Des expéditeurs qui ont échoué trop souvent doivent attendre : {count} requêtes dans la dernière heure.";
    old: "Old", "Ancienne";
    signs_since(key: Coded<'_>, since: &str): "The key {key} is of {since}, signs for more than 90 days, and no other follows.", "La clé {key} date du {since}, signe depuis plus de 90 jours, et aucune autre ne suit.";
    ready: "Ready", "Prêt";
    can_be_strict(clients: Markup): "These legacy clients name nothing but this server's issuer, and can be strict: {clients}.", "Ces clients legacy ne nomment que l'émetteur de ce serveur et peuvent devenir strict : {clients}.";
    and_others(named: Markup, others: usize): "{named} and {others} more", "{named} et {others} de plus";
    add_next: "Add its next key", "Ajouter sa prochaine clé";
    look_at_client: "Look at the client", "Voir le client";
    look_at_them: "Look at them", "Les voir";
    look_at_server: "Look at the server", "Voir le serveur";
    rotate_it: "Make the next one", "Créer la suivante";
    see_why: "See why", "Voir pourquoi";
    requests: "Requests", "Requêtes";
    all_statistics: "All statistics", "Toutes les statistiques";
    by_rule: "Refused, by rule", "Refusées, par règle";
    of_time: "Time", "Période";
    hour: "60 minutes", "60 minutes";
    day: "24 hours", "24 heures";
    month: "30 days", "30 jours";
    keys_that_end: "Keys that end", "Clés qui prennent fin";
    none_end: "No key or secret of a client ends within 30 days.", "Aucune clé ni aucun secret d'un client ne prend fin dans les 30 jours.";
    all_that_end: "All that end within 30 days, or have ended", "Tout ce qui prend fin dans les 30 jours, ou est terminé";
    client: "Client", "Client";
    key: "Key", "Clé";
    secret: "secret", "secret";
    when: "When", "Quand";
    legacy: "Legacy audiences", "Audiences legacy";
    legacy_clients: "These clients may name the token endpoint as audience, as before RFC 10070:", "Ces clients peuvent nommer le point d'accès aux jetons comme audience, comme avant la RFC 10070 :";
    no_legacy: "No client names audiences as before RFC 10070.", "Aucun client ne nomme d'audiences comme avant la RFC 10070.";
    all_legacy: "All of them", "Tous";
    as_of(clock: &str): "As of {clock} UTC", "À {clock} UTC";
    go_on: "Go on", "Continuer";
    pause: "Pause", "Pause";
    no_answer: "No answer. What is shown is old.", "Pas de réponse. Ce qui est affiché est ancien.";
}

impl Words {
    /// `once`, `96 times`.
    pub fn times(self, number: u64) -> String {
        let shown = count(number, self.0);
        match (self.0, number) {
            (Language::English, 1) => "once".to_owned(),
            (Language::English, _) => format!("{shown} times"),
            (Language::French, _) => format!("{shown} fois"),
        }
    }
}
