//! What pages of the console say in more than one place.

use grantor::registry::Role;

use super::Section;
use crate::pages::{Coded, Language, Named, words};

words! {
    /// What the pages of the console share.
    pub struct Words;
    console: "Console", "Console";
    menu: "Menu", "Menu";
    find: "Go to", "Aller à";
    find_it: "Find", "Chercher";
    trail: "Where this is", "Où vous êtes";
    find_hint: "A client, subject, issuer, trust, or the id of a decision or change", "Un client, un sujet, un émetteur, une confiance, ou l'identifiant d'une décision ou d'un changement";
    account: "Your ways to sign in", "Vos moyens de connexion";
    only_looks: "You can look at this. Changing it needs the role editor.", "Vous pouvez consulter ceci. Le modifier exige le rôle editor.";
    needs_role(role: Coded<'_>): "You can look at this. Changing it needs the role {role}.", "Vous pouvez consulter ceci. Le modifier exige le rôle {role}.";
    nothing_here: "There is nothing here", "Il n'y a rien ici";
    nothing_of_name: "No page or no record has this address. It may have been deleted.", "Aucune page ni aucun enregistrement n'a cette adresse. Il a peut-être été supprimé.";
    no_such_filter: "There is no such filter, or its value makes no sense.", "Ce filtre n'existe pas, ou sa valeur n'a pas de sens.";
    too_old: "This page was open too long. Nothing has been changed.", "Cette page est restée ouverte trop longtemps. Rien n'a été modifié.";
    not_from_here: "This form did not come from a page of this server. Nothing has been changed.", "Ce formulaire ne vient pas d'une page de ce serveur. Rien n'a été modifié.";
    start_again: "Start again", "Recommencer";
    broken: "This did not work", "Cela n'a pas marché";
    slow_down(seconds: u64): "You asked for this too often. Go on in {seconds} seconds.", "Vous avez demandé cela trop souvent. Reprenez dans {seconds} secondes.";
    try_again: "Try again in a moment.", "Réessayez dans un instant.";
    reason_found(id: Coded<'_>): "The reason is in the log, under {id}.", "La raison est dans le journal, sous {id}.";
    was_open_too_long: "This page was open too long. What you typed is below and has not been sent.", "Cette page est restée ouverte trop longtemps. Ce que vous avez saisi est ci-dessous et n'a pas été envoyé.";
    you_were_signed_out: "You had been signed out. What you typed is below and has not been sent.", "Vous aviez été déconnecté. Ce que vous avez saisi est ci-dessous et n'a pas été envoyé.";
    somebody_was_faster: "Somebody changed this meanwhile. Your change is below and has not been made.", "Quelqu'un l'a modifié entre-temps. Votre modification est ci-dessous et n'a pas été faite.";
    managed_by(owner: Named<'_>): "Managed by {owner}: change it there", "Géré par {owner} : modifiez-le là-bas";
    override_it: "Change it here all the same", "Le modifier ici quand même";
    look_over: "Look over these", "À revoir";
    reason: "Reason, for the record of changes", "Raison, pour le registre des changements";
    keep_it: "Keep it", "Conserver";
    cancel: "Cancel", "Annuler";
    save: "Save", "Enregistrer";
    copy: "Copy", "Copier";
    copied: "Copied", "Copié";
    next_page: "Next page", "Page suivante";
    first_page: "First page", "Première page";
    as_csv: "As CSV", "En CSV";
    as_json: "As JSON", "En JSON";
    filter: "Filter", "Filtrer";
    no_filter: "Without filter", "Sans filtre";
    search: "Name or part of it", "Nom ou partie du nom";
    any: "any", "tous";
    yes: "yes", "oui";
    no: "no", "non";
    and_more(count: usize): "and {count} more", "et {count} de plus";
    never: "never", "jamais";
    enabled: "enabled", "actif";
    disabled: "disabled", "inactif";
    same_as_table: "The same as a table", "La même chose en tableau";
    shown_once: "This is shown once. It is kept nowhere here: copy it now.", "Ceci n'est affiché qu'une fois et n'est conservé nulle part ici : copiez-le maintenant.";
    was_shown: "This was shown once", "Ceci a déjà été affiché";
    was_shown_and_kept_nowhere: "What was made is in force, and is shown no second time. If you did not keep it, make another one.", "Ce qui a été créé est en vigueur et n'est plus affiché. Si vous ne l'avez pas conservé, créez-en un autre.";
    failed_to_copy: "Mark it and copy it by hand", "Sélectionnez-le et copiez-le à la main";
    last_owner: "This is the last owner who can sign in. Make another one first.", "C'est le dernier propriétaire qui peut se connecter. Créez-en d'abord un autre.";
    have_kept_it: "I have kept it", "Je l'ai conservé";
    download: "Download", "Télécharger";
    on: "on", "active";
    shadow: "shadow", "ombre";
    off: "off", "inactive";
}

impl Words {
    /// An entry of the side bar.
    pub fn section(self, section: Section) -> &'static str {
        use Language::{English, French};
        match (section, self.0) {
            (Section::Overview, English) => "Overview",
            (Section::Overview, French) => "Vue d'ensemble",
            (Section::Clients, _) => "Clients",
            (Section::Subjects, English) => "Subjects",
            (Section::Subjects, French) => "Sujets",
            (Section::Permissions, English) => "Permissions",
            (Section::Permissions, French) => "Autorisations",
            (Section::Scopes, English) => "Scopes",
            (Section::Scopes, French) => "Portées",
            (Section::Issuers, English) => "Issuers",
            (Section::Issuers, French) => "Émetteurs",
            (Section::Trusts, English) => "Trusts",
            (Section::Trusts, French) => "Confiances",
            (Section::SigningKeys, English) => "Signing keys",
            (Section::SigningKeys, French) => "Clés de signature",
            (Section::Decisions, English) => "Decisions",
            (Section::Decisions, French) => "Décisions",
            (Section::Statistics, English) => "Statistics",
            (Section::Statistics, French) => "Statistiques",
            (Section::Explain, English) => "Explain a JWT",
            (Section::Explain, French) => "Expliquer un JWT",
            (Section::Changes, English) => "Changes",
            (Section::Changes, French) => "Changements",
            (Section::Operators, English) => "Operators",
            (Section::Operators, French) => "Opérateurs",
            (Section::Server, English) => "Server",
            (Section::Server, French) => "Serveur",
            (Section::Help, English) => "Help",
            (Section::Help, French) => "Aide",
            (Section::Account, _) => self.account(),
        }
    }

    /// A role.
    pub fn role(self, role: Role) -> &'static str {
        // They are the words of commands and of the API in every language.
        role.as_str()
    }
}
