//! What the pages of the operator's own account say.

use crate::pages::words;

words! {
    /// What the pages of the operator's own account say.
    pub struct Words;
    heading: "Your ways to sign in", "Vos moyens de connexion";
    none_yet: "You have no way to sign in yet. When this session ends, you come in again only by a new link.", "Vous n'avez encore aucun moyen de vous connecter. À la fin de cette session, vous ne reviendrez qu'avec un nouveau lien.";
    password: "Password", "Mot de passe";
    no_password: "None is set.", "Aucun n'est défini.";
    set_on: "Set on", "Défini le";
    set_it: "Set a password", "Définir un mot de passe";
    change_it: "Change the password", "Changer le mot de passe";
    sessions: "Where you are signed in", "Où vous êtes connecté";
    kind: "What it opens", "Ce qu'elle ouvre";
    console: "Console", "Console";
    own_pages: "Your own pages", "Vos propres pages";
    this_one: "this one", "celle-ci";
    signed_in: "Signed in", "Connexion";
    used: "Last used", "Dernière utilisation";
    ends: "Ends if not used", "Prend fin sans utilisation";
    end_others: "End all others", "Mettre fin à toutes les autres";
    end_others_question: "End all your other sessions?", "Mettre fin à toutes vos autres sessions ?";
    ending: "Whoever is signed in as you at another browser, at the console or at your own pages, has to sign in again. You stay signed in here.", "Quiconque est connecté sous votre nom dans un autre navigateur, à la console ou à vos propres pages, devra se reconnecter. Vous restez connecté ici.";
    others_ended: "Your other sessions have ended.", "Vos autres sessions ont pris fin.";
    new_password: "New password", "Nouveau mot de passe";
    hint: "At least 15 characters. A few words that do not belong together are good. Pasting works.", "Au moins 15 caractères. Quelques mots sans rapport entre eux conviennent. Le collage fonctionne.";
    others_will_end: "Your other sessions end with it, at the console and at your own pages.", "Vos autres sessions prennent fin avec lui, à la console et à vos propres pages.";
    is_set: "Your password is set. Your other sessions have ended.", "Votre mot de passe est défini. Vos autres sessions ont pris fin.";
    too_many_sign_in: "Too many people are signing in at this moment. Try again shortly.", "Trop de personnes se connectent en ce moment. Réessayez bientôt.";
}
