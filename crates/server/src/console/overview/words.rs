//! What the overview says.

use crate::pages::{Coded, Named, words};

words! {
    /// What the overview says.
    pub struct Words;
    heading: "Overview", "Vue d'ensemble";
    attention: "Needs attention", "À surveiller";
    nothing_wrong: "Nothing needs attention. What ends within 30 days, or is refused more than before, is listed here.", "Rien à surveiller. Ce qui prend fin dans les 30 jours, ou est refusé plus qu'avant, apparaît ici.";
    first: "No clients yet. A client is a program that gets tokens.", "Aucun client pour l'instant. Un client est un programme qui obtient des jetons.";
    make_the_first: "Make the first one", "Créer le premier";
    ends: "Ends", "Prend fin";
    ended: "Ended", "Terminé";
    refused: "Refused", "Refusé";
    reused: "Used twice", "Utilisé deux fois";
    waits: "Waits", "Attend";
    unusable: "Cannot be used", "Inutilisable";
    key_ends(client: Named<'_>, when: &str): "A key or secret of {client} ends {when}.", "Une clé ou un secret de {client} prend fin {when}.";
    key_ended(client: Named<'_>, when: &str): "A key or secret of {client} ended {when}.", "Une clé ou un secret de {client} a pris fin {when}.";
    key_unusable(client: Named<'_>, key: Coded<'_>): "The key {key} of {client} verifies nothing.", "La clé {key} de {client} ne vérifie rien.";
    more_end: "More of them", "Les autres";
    add_next: "Add its next key", "Ajouter sa prochaine clé";
    look_at_client: "Look at the client", "Voir le client";
    rising(now: u64, before: u64): "{now} requests were refused in the last hour, {before} in the hour before.", "{now} requêtes refusées dans la dernière heure, {before} dans l'heure précédente.";
    see_why: "See why", "Voir pourquoi";
    refresh_reuse(count: u64): "A refresh token was used again after its successor, {count} times in 24 hours. What came of them has ended.", "Un jeton d'actualisation a été réutilisé après son successeur, {count} fois en 24 heures. Ce qui en provenait a pris fin.";
    throttled(count: u64): "{count} requests of senders that fail too often had to wait in the last hour.", "{count} requêtes d'expéditeurs qui échouent trop souvent ont dû attendre dans la dernière heure.";
    tokens: "Requests", "Requêtes";
    by_rule: "Refused, by rule", "Refusées, par règle";
    of_time: "Time", "Période";
    hour: "60 minutes", "60 minutes";
    day: "24 hours", "24 heures";
    month: "30 days", "30 jours";
    keys_that_end: "Keys that end", "Clés qui prennent fin";
    none_end: "No key or secret ends within 30 days.", "Aucune clé ni aucun secret ne prend fin dans les 30 jours.";
    client: "Client", "Client";
    when: "When", "Quand";
    as_of(clock: &str): "As of {clock} UTC", "À {clock} UTC";
    go_on: "Go on", "Reprendre";
    pause: "Stop renewing", "Ne plus actualiser";
    no_answer: "No answer. What is shown is old.", "Pas de réponse. L'affichage est ancien.";
}
