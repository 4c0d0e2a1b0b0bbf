//! What the pages of issuers say.

use grantor::registry::{AudienceMatch, ReplayPolicy};

use crate::pages::{Coded, Markup, Named, words};

words! {
    /// What the pages of issuers say.
    pub struct Words;
    heading: "Issuers", "Émetteurs";
    about: "An issuer is a third party that signs JWTs: a CI platform, a cluster, a partner. What its JWTs are worth, trusts say.", "Un émetteur est un tiers qui signe des JWT : une plateforme de CI, une grappe, un partenaire. Ce que valent ses JWT, les confiances le disent.";
    new_one: "New issuer", "Nouvel émetteur";
    none_yet: "No issuers yet. With one, CI jobs and pods get tokens without a secret.", "Aucun émetteur pour l'instant. Avec un émetteur, les tâches d'intégration continue et les pods obtiennent des jetons sans secret.";
    make_the_first: "Register the first one", "Enregistrer le premier";
    none_found: "No issuer matches.", "Aucun émetteur ne correspond.";
    name: "Name", "Nom";
    name_hint: "What it is called here. If nothing is said, the host of the issuer.", "Son nom ici. Si rien n'est dit, l'hôte de l'émetteur.";
    iss: "Issuer (iss)", "Émetteur (iss)";
    iss_hint: "As its JWTs have it, to the letter: a slash at the end counts.", "Comme dans ses JWT, à la lettre : une barre oblique finale compte.";
    iss_stays: "The issuer itself does not change: another iss is another issuer.", "L'émetteur lui-même ne change pas : un autre iss est un autre émetteur.";
    state: "State", "État";
    keys: "Keys", "Clés";
    keys_from: "Where its keys come from", "D'où viennent ses clés";
    change_keys_from: "Change where its keys come from", "Changer la provenance de ses clés";
    keys_stay: "As they are", "Comme à présent";
    source_discovery: "From its metadata", "De ses métadonnées";
    source_discovery_hint: "Asked for at the place of OpenID Connect Discovery, then at that of RFC 8414.", "Demandées à l'emplacement d'OpenID Connect Discovery, puis à celui de la RFC 8414.";
    metadata_url: "Address of the metadata, if it is at neither place", "Adresse des métadonnées, si elles ne sont à aucun des deux";
    source_jwks_uri: "From a key set", "D'un jeu de clés";
    jwks_uri: "Address of the key set", "Adresse du jeu de clés";
    source_jwks: "Uploaded as a JWK Set", "Téléversées comme JWK Set";
    source_jwks_hint: "For what this server cannot reach, such as the output of kubectl get --raw /openid/v1/jwks. The keys stay until they are changed here.", "Pour ce que ce serveur ne peut pas atteindre, par exemple la sortie de kubectl get --raw /openid/v1/jwks. Les clés restent jusqu'à ce qu'on les change ici.";
    jwks: "JWK Set", "JWK Set";
    source_pem: "Uploaded as PEM", "Téléversées comme PEM";
    pem: "Public key or certificate", "Clé publique ou certificat";
    source_bundle: "From a SPIFFE bundle", "D'un bundle SPIFFE";
    bundle: "Address of the bundle, or the bundle itself", "Adresse du bundle, ou le bundle lui-même";
    trust_domain: "SPIFFE trust domain", "Domaine de confiance SPIFFE";
    trust_domain_hint: "Such as acme.example. If nothing is said, that of the issuer.", "Par exemple acme.example. Si rien n'est dit, celui de l'émetteur.";
    audiences: "Audiences", "Audiences";
    audiences_hint: "What aud may be, one a line. If nothing is said, this server's issuer identifier and token endpoint.", "Ce que peut être aud, une par ligne. Si rien n'est dit, l'identifiant d'émetteur et le point d'accès aux jetons de ce serveur.";
    own_audiences(issuer: Coded<'_>): "{issuer}, and the token endpoint of this server", "{issuer}, et le point d'accès aux jetons de ce serveur";
    shared: "others take it too", "d'autres l'acceptent aussi";
    shared_hint: "Whoever receives such a JWT elsewhere can use it here.", "Quiconque reçoit un tel JWT ailleurs peut l'utiliser ici.";
    audience_match: "How aud has it", "Comment aud la contient";
    sole: "alone", "seule";
    any: "among others", "parmi d'autres";
    algorithms: "Algorithms", "Algorithmes";
    types: "Types (typ) beside JWT", "Types (typ) outre JWT";
    types_hint: "One a line, such as at+jwt. Usually none.", "Un par ligne, par exemple at+jwt. Aucun en général.";
    max_lifetime: "Longest lifetime of a JWT, in seconds", "Durée de vie maximale d'un JWT, en secondes";
    max_lifetime_hint: "From iat to exp; at most 90000 (25 hours).", "De iat à exp ; au plus 90000 (25 heures).";
    leeway: "How far its clock may be off, in seconds", "Écart toléré de son horloge, en secondes";
    leeway_hint: "At most 300.", "Au plus 300.";
    at_most_seconds(count: u64): "at most {count} seconds", "au plus {count} secondes";
    lifetime: "Lifetime of a JWT", "Durée de vie d'un JWT";
    clock: "Its clock may be off", "Écart de son horloge";
    replay: "How often a JWT may be used", "Combien de fois un JWT peut servir";
    once: "Once, by its jti", "Une fois, par son jti";
    once_by_digest: "Once, by its digest: for issuers that send no jti", "Une fois, par son empreinte : pour les émetteurs sans jti";
    reusable: "Until it expires: for JWTs that are mounted or cached", "Jusqu'à son expiration : pour les JWT montés ou mis en cache";
    tenant_claims: "Claims that tell its customers apart", "Claims qui distinguent ses clients";
    tenant_claims_hint: "Of an issuer that strangers share, one a line. Each trust has to pin one of them.", "Pour un émetteur partagé avec des inconnus, un par ligne. Chaque confiance doit en fixer un.";
    shared_issuer: "Strangers share this issuer: each trust pins one of these.", "Des inconnus partagent cet émetteur : chaque confiance en fixe un.";
    ca: "Certificates of its server, in PEM", "Certificats de son serveur, en PEM";
    ca_hint: "For a server that is known by a private authority. Beside those of the system.", "Pour un serveur certifié par une autorité privée. En plus de ceux du système.";
    own_ca: "a private authority", "une autorité privée";
    allow_internal: "Internal networks where its documents may be", "Réseaux internes où peuvent être ses documents";
    allow_internal_hint: "One a line, such as 172.18.0.0/16. Only an owner opens networks.", "Un par ligne, par exemple 172.18.0.0/16. Seul un propriétaire ouvre des réseaux.";
    bearer_token_file: "File with its bearer token", "Fichier de son jeton porteur";
    more: "More about its JWTs and how its keys are fetched", "Plus sur ses JWT et la lecture de ses clés";
    skip_check: "Do not ask for its keys now", "Ne pas demander ses clés maintenant";
    skip_check_hint: "Otherwise nothing is done unless its keys can be had.", "Sinon, rien n'est fait à moins que ses clés ne soient disponibles.";
    template: "Template", "Modèle";
    made: "Registered", "Enregistré";
    tokens_since: "Tokens from before were revoked", "Jetons antérieurs révoqués";
    by_hand: "Register an issuer by hand", "Enregistrer un émetteur à la main";
    register: "Register it", "L'enregistrer";
    caption: "Issuers and where their keys come from", "Émetteurs et provenance de leurs clés";
    place_discovery: "its metadata", "ses métadonnées";
    place_uploaded: "uploaded", "téléversées";
    place_bundle: "SPIFFE bundle", "bundle SPIFFE";
    edit: "Change", "Modifier";
    edit_it(name: Named<'_>): "Change {name}", "Modifier {name}";
    is_changed(name: Named<'_>): "{name} is changed.", "{name} est modifié.";
    nothing_changed(name: Named<'_>): "Nothing in {name} was changed.", "Rien n'a été modifié dans {name}.";
    is_registered(name: Named<'_>): "{name} is registered. A JWT of it is worth nothing until a trust takes it.", "{name} est enregistré. Un JWT de cet émetteur ne vaut rien tant qu'aucune confiance ne l'accepte.";
    make_a_trust: "Make a trust", "Créer une confiance";
    key_id: "Key (kid)", "Clé (kid)";
    kind: "Kind", "Genre";
    added: "Uploaded", "Téléversée";
    ends: "Ends", "Prend fin";
    of_no_use: "of no use", "inutilisable";
    fetched_at(when: &str): "Fetched at {when}.", "Lues le {when}.";
    fresh_until(when: &str): "Fresh until {when}.", "Fraîches jusqu'au {when}.";
    stale_since(since: &str, until: &str): "Their life has been over since {since}: unless they can be fetched, they are refused from {until} on.", "Leur durée de vie est écoulée depuis le {since} : si elles ne peuvent être lues, elles sont refusées à partir du {until}.";
    not_fetched: "They were not fetched yet: the first JWT has them fetched.", "Elles n'ont pas encore été lues : le premier JWT les fera lire.";
    last_fetch_failed(when: &str): "The last fetch failed at {when}:", "La dernière lecture a échoué le {when} :";
    no_kid: "without kid", "sans kid";
    fetch_now: "Fetch now", "Lire maintenant";
    fetch_them(name: Named<'_>): "Fetch the keys of {name} now?", "Lire les clés de {name} maintenant ?";
    fetching: "They are asked for once from here. If they can be had, every server begins anew with them; if not, servers go on with those that they hold.", "Elles sont demandées une fois d'ici. Si elles sont disponibles, chaque serveur repart avec elles ; sinon, les serveurs continuent avec celles qu'ils ont.";
    fetched_one(name: Named<'_>): "One key of {name} was found.", "Une clé de {name} a été trouvée.";
    fetched_many(count: usize, name: Named<'_>): "{count} keys of {name} were found.", "{count} clés de {name} ont été trouvées.";
    add_keys: "Upload keys", "Téléverser des clés";
    add_keys_of(name: Named<'_>): "Upload keys of {name}", "Téléverser des clés de {name}";
    overlap: "The keys before work on for, in seconds", "Les clés précédentes servent encore, en secondes";
    overlap_hint: "0 ends them now. If nothing is said, they stay as they are.", "0 y met fin maintenant. Si rien n'est dit, elles restent telles quelles.";
    keys_are_added(name: Named<'_>): "The keys of {name} are uploaded.", "Les clés de {name} sont téléversées.";
    trusts: "Trusts", "Confiances";
    no_trusts: "No trust of this issuer yet, so its JWTs get nothing.", "Aucune confiance pour cet émetteur : ses JWT n'obtiennent donc rien.";
    new_trust: "New trust", "Nouvelle confiance";
    all_trusts: "All its trusts", "Toutes ses confiances";
    decisions: "Decisions about its JWTs", "Décisions sur ses JWT";
    changes: "Changes of this issuer", "Changements de cet émetteur";
    client: "Client", "Client";
    test: "Test with a JWT", "Tester avec un JWT";
    test_it(name: Named<'_>): "Test a JWT of {name}", "Tester un JWT de {name}";
    disable: "Disable", "Désactiver";
    enable: "Enable", "Activer";
    disable_it(name: Named<'_>): "Disable {name}?", "Désactiver {name} ?";
    enable_it(name: Named<'_>): "Enable {name}?", "Activer {name} ?";
    disabling: "From the next request on its JWTs are refused, as grants and as client authentication. Tokens that were given for them are inactive until it is enabled again.", "Dès la prochaine requête, ses JWT sont refusés, comme octroi et comme authentification de client. Les jetons donnés pour eux sont inactifs jusqu'à sa réactivation.";
    enabling: "From the next request on its JWTs are taken by its trusts again.", "Dès la prochaine requête, ses JWT sont de nouveau acceptés par ses confiances.";
    has_one_trust(name: Markup): "One trust is concerned: {name}.", "Une confiance est concernée : {name}.";
    has_trusts(count: usize, names: Markup): "{count} trusts are concerned: {names}.", "{count} confiances sont concernées : {names}.";
    has_many_trusts(count: usize, names: Markup): "More than {count} trusts are concerned, among them {names}.", "Plus de {count} confiances sont concernées, dont {names}.";
    concerns_none: "It has no trusts, so nobody gets tokens by it.", "Il n'a pas de confiances : personne n'obtient donc de jetons par lui.";
    came_last(when: &str): "A JWT of it came last at {when}.", "Un JWT de cet émetteur est venu pour la dernière fois le {when}.";
    never_came: "No decision that is kept is about a JWT of it.", "Aucune décision conservée ne porte sur un JWT de cet émetteur.";
    revoke_tokens: "End the tokens given for its JWTs for good", "Mettre fin définitivement aux jetons donnés pour ses JWT";
    revoke_tokens_hint: "They stay revoked when it is enabled again.", "Ils restent révoqués quand il est réactivé.";
    is_disabled(name: Named<'_>): "{name} is disabled.", "{name} est désactivé.";
    is_enabled(name: Named<'_>): "{name} is enabled.", "{name} est actif.";
    undo: "Undo", "Annuler";
    delete: "Delete", "Supprimer";
    delete_it(name: Named<'_>): "Delete {name}?", "Supprimer {name} ?";
    deleting: "Its keys go along, and tokens that were given for its JWTs end. JWTs that were used stay used. Clients stay.", "Ses clés disparaissent avec lui, et les jetons donnés pour ses JWT prennent fin. Les JWT utilisés le restent. Les clients restent.";
    cascade: "Delete its trusts too", "Supprimer aussi ses confiances";
    cascade_hint: "An issuer with trusts is not deleted otherwise.", "Sinon, un émetteur qui a des confiances n'est pas supprimé.";
    has_trusts_still: "It has trusts, so nothing has been deleted. Delete them first, or along with it.", "Il a des confiances : rien n'a donc été supprimé. Supprimez-les d'abord, ou avec lui.";
    is_deleted(name: Named<'_>): "{name} is deleted.", "{name} est supprimé.";
    is_deleted_with(name: Named<'_>, count: usize): "{name} is deleted, and its trusts ({count}).", "{name} est supprimé, ainsi que ses confiances ({count}).";
}

impl Words {
    /// How often a JWT may be used.
    pub fn policy(self, policy: ReplayPolicy) -> &'static str {
        match policy {
            ReplayPolicy::OnceByDigest => self.once_by_digest(),
            ReplayPolicy::Reusable => self.reusable(),
            _ => self.once(),
        }
    }

    /// How `aud` has an audience.
    pub fn matching(self, how: AudienceMatch) -> &'static str {
        match how {
            AudienceMatch::Any => self.any(),
            _ => self.sole(),
        }
    }
}
