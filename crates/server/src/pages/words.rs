//! What pages say in more than one place.

use super::words;

words! {
    /// What all pages share.
    pub struct Words;
    skip: "To the content", "Aller au contenu";
    sign_in: "Sign in", "Se connecter";
    sign_out: "Sign out", "Se déconnecter";
    look: "Language and theme", "Langue et thème";
    light: "Light", "Clair";
    dark: "Dark", "Sombre";
    fault: "Fault", "Erreur";
    start_again: "Start again", "Recommencer";
}
