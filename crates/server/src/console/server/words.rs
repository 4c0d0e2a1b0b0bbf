//! What the page of the server says.

use crate::pages::{Coded, words};

words! {
    /// What the page of the server says.
    pub struct Words;
    heading: "Server", "Serveur";
    issuer: "Issuer", "Émetteur";
    version: "Version", "Version";
    health: "Health", "Santé";
    is_ready: "ready: the next request can be decided", "prêt : la prochaine requête peut être décidée";
    is_not_ready: "not ready: the database cannot be written", "pas prêt : la base de données ne peut pas être écrite";
    dropped(count: u64): "{count} decisions were lost since the start: too many at once, or they could not be written.", "{count} décisions ont été perdues depuis le démarrage : trop à la fois, ou impossibles à écrire.";
    notes: "What should be mended", "Ce qu'il faudrait corriger";
    no_notes: "Nothing that is known without asking others. The command grantor doctor looks from outside.", "Rien de ce qui est connu sans interroger d'autres serveurs. La commande grantor doctor regarde de l'extérieur.";
    to_mend: "to mend", "à corriger";
    to_know: "to know", "à savoir";
    configuration: "Configuration in force", "Configuration en vigueur";
    configuration_means: "From the file, the environment and the command line, as it came to be at the start. Secrets are not shown. It is changed there, and the server started again.", "Issue du fichier, de l'environnement et de la ligne de commande, telle qu'au démarrage. Les secrets ne sont pas affichés. Elle se modifie là-bas, puis le serveur est redémarré.";
    general: "general", "général";
    is_absent: "not set: off, or as it is usual", "non définie : désactivée, ou comme d'habitude";
    not_set: "not set", "non défini";
    nothing: "none", "aucun";
    yes: "yes", "oui";
    no: "no", "non";
    backup: "Backup", "Sauvegarde";
    backup_by(command: Coded<'_>): "{command} copies the database while the server runs: whole, and of one moment.", "{command} copie la base de données pendant que le serveur tourne : entière, et d'un seul instant.";
    keep_the_key(file: Coded<'_>): "Keep a copy of {file} somewhere else: without it no secret and no signing key in a backup can be read.", "Gardez une copie de {file} ailleurs : sans elle, aucun secret et aucune clé de signature d'une sauvegarde ne peut être lu.";
}
