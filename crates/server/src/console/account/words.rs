//! What the pages of the operator's own account say.

use crate::pages::{Named, words};

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
    end_others_question: "End all your other sessions?", "Mettre fin à toutes vos autres sessions ?";
    ending: "Whoever is signed in as you at another browser, at the console or at your own pages, has to sign in again. You stay signed in here.", "Quiconque est connecté sous votre nom dans un autre navigateur, à la console ou à vos propres pages, devra se reconnecter. Vous restez connecté ici.";
    others_ended: "Your other sessions have ended.", "Vos autres sessions ont pris fin.";
    new_password: "New password", "Nouveau mot de passe";
    hint: "At least 15 characters. A few words that do not belong together are good. Pasting works.", "Au moins 15 caractères. Quelques mots sans rapport entre eux conviennent. Le collage fonctionne.";
    others_will_end: "Your other sessions end with it, at the console and at your own pages.", "Vos autres sessions prennent fin avec lui, à la console et à vos propres pages.";
    is_set: "Your password is set. Your other sessions have ended.", "Votre mot de passe est défini. Vos autres sessions ont pris fin.";
    passkeys: "Passkeys", "Clés d'accès";
    no_passkeys: "None yet. A passkey is on your device or security key, and cannot be guessed or phished.", "Aucune pour l'instant. Une clé d'accès se trouve sur votre appareil ou votre clé de sécurité ; elle ne peut être ni devinée ni hameçonnée.";
    to_overview: "Go to the overview", "Aller à la vue d'ensemble";
    passkeys_impossible: "Passkeys need a host name, and this server is called by an IP address. Give it an issuer with a name, such as http://localhost:8080.", "Les clés d'accès exigent un nom d'hôte, et ce serveur est appelé par une adresse IP. Donnez-lui un émetteur avec un nom, par exemple http://localhost:8080.";
    add_second: "This is your only way to sign in. Add a second passkey, on another device.", "C'est votre seul moyen de connexion. Ajoutez une deuxième clé d'accès, sur un autre appareil.";
    add_passkey: "Add a passkey", "Ajouter une clé d'accès";
    passkey_means: "Your browser asks which device or security key is to hold it. This server gets its public half only.", "Votre navigateur demande quel appareil ou quelle clé de sécurité doit la conserver. Ce serveur n'en reçoit que la moitié publique.";
    passkey_name: "What you call it", "Comment vous l'appelez";
    passkey_name_hint: "Such as the device that holds it.", "Par exemple l'appareil qui la conserve.";
    usual_name: "Passkey", "Clé d'accès";
    passkey_failed: "No passkey was made. Try again.", "Aucune clé d'accès n'a été créée. Réessayez.";
    passkey_known: "This device holds a passkey of yours already.", "Cet appareil conserve déjà une de vos clés d'accès.";
    no_passkeys_here: "This browser knows no passkeys.", "Ce navigateur ne connaît pas les clés d'accès.";
    needs_script: "Making a passkey is the one thing here that needs a script.", "Créer une clé d'accès est la seule chose ici qui exige un script.";
    passkey_added(name: Named<'_>): "{name} is added. You sign in with it from now on, too.", "{name} est ajoutée. Vous pouvez désormais aussi vous connecter avec elle.";
    passkey_removed(name: Named<'_>): "{name} is removed.", "{name} est supprimée.";
    remove: "Remove", "Supprimer";
    remove_it(name: Named<'_>): "Remove {name}?", "Supprimer {name} ?";
    removing: "You no longer sign in with it. Sessions that began with it end. On your device it stays until you delete it there.", "Vous ne vous connectez plus avec elle. Les sessions commencées avec elle prennent fin. Sur votre appareil, elle reste jusqu'à ce que vous l'y supprimiez.";
    made: "Made", "Créée";
    never_used: "not used yet", "pas encore utilisée";
}
