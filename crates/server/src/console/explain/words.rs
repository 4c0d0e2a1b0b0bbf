//! What the page says into which a JWT is pasted.

use crate::pages::words;

words! {
    /// What the page says into which a JWT is pasted.
    pub struct Words;
    heading: "Explain a JWT", "Expliquer un JWT";
    about: "Paste a JWT and see what this server would decide about it now, rule by rule. It is not used up, kept nowhere and not logged; nothing is fetched for it.", "Collez un JWT et voyez ce que ce serveur déciderait à son sujet maintenant, règle par règle. Il n'est pas consommé, n'est conservé nulle part et n'est pas journalisé ; rien n'est récupéré pour lui.";
    jwt: "JWT", "JWT";
    jwt_hint: "Three parts with points between, at most 16 KiB. It does not come back on the next page.", "Trois parties séparées par des points, 16 Kio au plus. Il ne revient pas sur la page suivante.";
    used_as: "Used as", "Utilisé comme";
    as_it_says: "As its typ says, else as a grant", "Comme son typ le dit, sinon comme octroi";
    grant: "A grant (jwt-bearer)", "Un octroi (jwt-bearer)";
    client_authentication: "Client authentication (private_key_jwt)", "Authentification du client (private_key_jwt)";
    explain: "Explain", "Expliquer";
    nothing_pasted: "Nothing is pasted here; paste a JWT", "Rien n'est collé ici ; collez un JWT";
    too_long: "This is longer than 16 KiB, which no request takes; paste one JWT", "C'est plus long que 16 Kio, ce qu'aucune requête n'accepte ; collez un seul JWT";
    would_be_accepted: "Would be accepted", "Serait accepté";
    would_be_refused: "Would be refused", "Serait refusé";
    keeps_all_rules: "It keeps every rule", "Il respecte toutes les règles";
    usable_for(time: &str): "Whoever has it can still use it, for another {time}.", "Qui le possède peut encore l'utiliser, pendant {time}.";
    usable: "Whoever has it can still use it, for a moment.", "Qui le possède peut encore l'utiliser, pour un instant.";
    used_up: "It was used already: nobody can use it again.", "Il a déjà été utilisé : personne ne peut l'utiliser à nouveau.";
    lasts(time: &str): "As it is, nobody can use it. It has not ended: it lasts another {time}.", "En l'état, personne ne peut l'utiliser. Il n'est pas terminé : il dure encore {time}.";
    ended(time: &str): "It ended {time} ago: nobody can use it any more.", "Il s'est terminé il y a {time} : personne ne peut plus l'utiliser.";
    no_end: "Nobody can use it.", "Personne ne peut l'utiliser.";
    not_used_up: "Looking at it here did not use it up.", "Le regarder ici ne l'a pas consommé.";
}
