//! What the pages of signing keys say.

use crate::pages::{Coded, words};

words! {
    /// What the pages of signing keys say.
    pub struct Words;
    heading: "Signing keys", "Clés de signature";
    about(path: Coded<'_>): "Access tokens are signed with the private halves, which never leave this server. APIs read the public halves from {path}.", "Les jetons d'accès sont signés avec les moitiés privées, qui ne quittent jamais ce serveur. Les API lisent les moitiés publiques dans {path}.";
    time_line: "Keys on a time line", "Clés sur une ligne de temps";
    one_signs(key: &str): "{key} signs now.", "{key} signe à présent.";
    none_signs: "No key signs now.", "Aucune clé ne signe à présent.";
    no_keys: "There are no keys.", "Il n'y a pas de clés.";
    now: "now", "maintenant";
    key: "Key", "Clé";
    state: "State", "État";
    upcoming: "upcoming", "à venir";
    signing: "signing", "signe";
    previous: "previous", "précédente";
    published_since: "Published since", "Publiée depuis";
    signs_from: "Signs from", "Signe à partir de";
    last_token_ends: "Last token ends", "Fin du dernier jeton";
    published_until: "Published until", "Publiée jusqu'au";
    note: "What it does", "Ce qu'elle fait";
    alive: "Tokens alive, at most", "Jetons en cours, au plus";
    unknown: "not counted", "non compté";
    note_upcoming(when: &str): "signs {when}", "signe {when}";
    note_signing(when: &str): "since {when}", "depuis {when}";
    note_previous(when: &str): "ends {when}", "fin {when}";
    while_it_signs: "while it signs", "tant qu'elle signe";
    rotate: "Make a new key", "Créer une nouvelle clé";
    rotate_it: "Make a new signing key?", "Créer une nouvelle clé de signature ?";
    rotating: "The new key is published at once, and signs after the time below. The keys before it stay published until the last token that they signed has ended, so tokens stay good.", "La nouvelle clé est publiée aussitôt et signe après le délai ci-dessous. Les clés précédentes restent publiées jusqu'à la fin du dernier jeton qu'elles ont signé : les jetons restent donc valables.";
    rotating_early: "An API that keeps the key set for longer than that refuses new tokens until it reads the key set again.", "Une API qui conserve le jeu de clés plus longtemps refuse les nouveaux jetons jusqu'à ce qu'elle le relise.";
    algorithm: "Algorithm", "Algorithme";
    algorithm_hint: "APIs have to know it. The first is that of the configuration.", "Les API doivent le connaître. Le premier est celui de la configuration.";
    ahead: "Published before it signs, in seconds", "Publiée avant de signer, en secondes";
    ahead_hint: "As long as APIs keep the key set: 120 is usual, 2592000 (30 days) the most.", "Aussi longtemps que les API conservent le jeu de clés : 120 est usuel, 2592000 (30 jours) le maximum.";
    is_published(key: Coded<'_>, when: &str): "{key} is published, and signs from {when} on.", "{key} est publiée et signe à partir du {when}.";
    signs_already(key: Coded<'_>): "{key} is published, and signs.", "{key} est publiée et signe.";
    too_many(most: usize): "{most} keys are published already. Revoke one, or wait until the last token of the oldest has ended.", "{most} clés sont déjà publiées. Révoquez-en une, ou attendez la fin du dernier jeton de la plus ancienne.";
    revoke: "Revoke", "Révoquer";
    revoke_it(key: Coded<'_>): "Revoke the signing key {key}?", "Révoquer la clé de signature {key} ?";
    breaks_unknown: "Every token that it signed ends.", "Tous les jetons qu'elle a signés prennent fin.";
    breaks_many(count: u64, when: &str): "Every token that it signed ends: at most {count} are alive, and the last of them would end {when}.", "Tous les jetons qu'elle a signés prennent fin : au plus {count} sont en cours, et le dernier prendrait fin {when}.";
    breaks_one(when: &str): "Every token that it signed ends: at most one is alive, and it would end {when}.", "Tous les jetons qu'elle a signés prennent fin : au plus un est en cours, et il prendrait fin {when}.";
    breaks_none: "No token that it signed is alive, so nothing stops working.", "Aucun jeton qu'elle a signé n'est en cours : rien ne cesse de fonctionner.";
    signed_nothing: "It has signed nothing yet, so nothing stops working.", "Elle n'a encore rien signé : rien ne cesse de fonctionner.";
    for_clients: "Every client that holds such a token is refused by APIs, and has to ask for a new one. Here they are inactive at once; APIs that verify JWTs by themselves take them until they read the key set again.", "Chaque client qui détient un tel jeton est refusé par les API et doit en demander un nouveau. Ici, ils sont inactifs aussitôt ; les API qui vérifient elles-mêmes les JWT les acceptent jusqu'à ce qu'elles relisent le jeu de clés.";
    last_signed(when: &str): "It signed last {when}.", "Elle a signé pour la dernière fois {when}.";
    it_signs: "It signs now. Make a new key first, and let it sign, unless this one is in the wrong hands.", "Elle signe à présent. Créez d'abord une nouvelle clé et laissez-la signer, à moins que celle-ci ne soit en de mauvaises mains.";
    while_signing: "Revoke it although it signs", "La révoquer bien qu'elle signe";
    while_signing_hint: "The upcoming key signs at once, or a new one is made. APIs refuse its tokens until they read the key set again.", "La clé à venir signe aussitôt, ou une nouvelle est créée. Les API refusent ses jetons jusqu'à ce qu'elles relisent le jeu de clés.";
    signs_now: "This key signs now, so it has not been revoked. Make a new key and let it sign first, or say below that it is to go although it signs.", "Cette clé signe à présent : elle n'a donc pas été révoquée. Créez d'abord une nouvelle clé et laissez-la signer, ou indiquez ci-dessous qu'elle doit partir bien qu'elle signe.";
    is_revoked(key: Coded<'_>): "{key} is revoked. Tokens that it signed are inactive.", "{key} est révoquée. Les jetons qu'elle a signés sont inactifs.";
}
