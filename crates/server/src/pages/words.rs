//! What the pages of people say, and what all pages share.

use super::{Coded, Link, Named, words};
use crate::person::Unfit;

words! {
    /// What the pages of people say, and what all pages share.
    pub struct Words;
    skip: "To the content", "Aller au contenu";
    sign_in: "Sign in", "Se connecter";
    sign_out: "Sign out", "Se déconnecter";
    sign_out_question: "Sign out?", "Se déconnecter ?";
    signed_out: "You are signed out", "Vous êtes déconnecté";
    light: "Light", "Clair";
    dark: "Dark", "Sombre";
    fault: "Fault:", "Erreur :";
    start_again: "Start again", "Recommencer";
    your_page: "your page", "votre page";
    name: "Name", "Nom";
    password: "Password", "Mot de passe";
    no_way_in: "No way to sign in, or it is lost? Whoever runs this server can send you a new link.", "Aucun moyen de vous connecter, ou perdu ? L'exploitant de ce serveur peut vous envoyer un nouveau lien.";
    no_way_into_console(command: Coded<'_>): "No way to sign in, or it is lost? An owner can send you a new link. On the server's machine, {command} prints one.", "Aucun moyen de vous connecter, ou perdu ? Un propriétaire peut vous envoyer un nouveau lien. Sur la machine du serveur, {command} en affiche un.";
    confirm_it_is_you: "Confirm it is you", "Confirmez que c'est bien vous";
    confirm: "Confirm", "Confirmer";
    to_go_on_to(name: Named<'_>): "To go on to {name}.", "Pour continuer vers {name}.";
    you_are(name: Named<'_>): "You are {name}.", "Vous êtes {name}.";
    not_you: "Not you?", "Ce n'est pas vous ?";
    let_it_act(name: Named<'_>): "Let {name} act for you?", "Autoriser {name} à agir pour vous ?";
    consent: "Let a program act for you?", "Autoriser un programme à agir pour vous ?";
    registered_since(date: &str): "registered since {date}", "enregistré depuis le {date}";
    will_be_able_to(name: Named<'_>): "{name} will be able to", "{name} pourra";
    asks_nothing(name: Named<'_>): "{name} asks for no particular scope: it learns who you are, and nothing else.", "{name} ne demande aucun droit particulier : il apprend qui vous êtes, et rien d'autre.";
    if_you_wish: "And if you wish", "Et si vous le souhaitez";
    at_any_time: "At any time, also when you are not here, until you withdraw it.", "À tout moment, même en votre absence, jusqu'à ce que vous le retiriez.";
    while_you_use_it: "Only while you use it.", "Seulement pendant que vous l'utilisez.";
    already_allowed: "You already allow", "Vous autorisez déjà";
    allow: "Allow", "Autoriser";
    do_not_allow: "Don't allow", "Ne pas autoriser";
    afterwards(host: Named<'_>): "Afterwards you go on to {host}.", "Ensuite, vous continuez vers {host}.";
    can_withdraw(link: Link<'_>): "You can withdraw this at any time on {link}.", "Vous pouvez le retirer à tout moment sur {link}.";
    may_act_now(name: Named<'_>): "{name} may act for you now", "{name} peut maintenant agir pour vous";
    allowed: "Allowed", "Autorisé";
    until_withdrawn(link: Link<'_>): "Until you withdraw it on {link}. You can close this window.", "Jusqu'à ce que vous le retiriez sur {link}. Vous pouvez fermer cette fenêtre.";
    until_or_withdrawn(until: &str, link: Link<'_>): "Until {until}, or until you withdraw it on {link}. You can close this window.", "Jusqu'au {until}, ou jusqu'à ce que vous le retiriez sur {link}. Vous pouvez fermer cette fenêtre.";
    on_to(host: Named<'_>): "On to {host}", "Vers {host}";
    going_on: "Going on", "Suite";
    continue_to(host: &str): "Continue to {host}", "Continuer vers {host}";
    goes_on_by_itself: "It goes on by itself.", "La suite est automatique.";
    choose_sign_in: "Choose how you sign in", "Choisissez comment vous connecter";
    will_be_signed_out(name: Named<'_>): "{name} will be signed out here.", "{name} sera déconnecté ici.";
    link_is_for(name: Named<'_>): "This link is for {name}. It works once.", "Ce lien est pour {name}. Il fonctionne une seule fois.";
    all_earlier_end: "All earlier ways to sign in end with it.", "Tous les moyens de connexion antérieurs prennent fin avec lui.";
    new_password: "New password", "Nouveau mot de passe";
    password_hint: "At least 15 characters. A few words that do not belong together are good. Pasting works.", "Au moins 15 caractères. Quelques mots sans rapport entre eux conviennent. Le collage fonctionne.";
    set_password: "Set the password", "Définir le mot de passe";
    sensitive: "Sensitive", "Sensible";
    no_scope: "No particular scope: it learns who you are, and nothing else.", "Aucun droit particulier : il apprend qui vous êtes, et rien d'autre.";
    more_scopes(count: usize): "and {count} more", "et {count} de plus";
    no_description: "No description", "Aucune description";
    who_may_act: "Who may act for you", "Qui peut agir pour vous";
    no_longer_acts(name: Named<'_>, until: &str): "{name} can no longer act for you. What it already has works until {until} at most.", "{name} ne peut plus agir pour vous. Ce qu'il a déjà fonctionne jusqu'au {until} au plus.";
    recovered: "You have a new way to sign in. All other ways have ended. Look through who may act for you.", "Vous avez un nouveau moyen de connexion. Tous les autres ont pris fin. Vérifiez qui peut agir pour vous.";
    nobody_acts: "Nobody may act for you. When you allow a program something, it is listed here, and you can end it here.", "Personne ne peut agir pour vous. Quand vous autorisez un programme, il apparaît ici et vous pouvez y mettre fin ici.";
    switched_off: "The operator has switched it off for now.", "L'exploitant l'a désactivé pour le moment.";
    acted_lately(date: &str): "It may not act for you now. It acted last on {date}.", "Il ne peut pas agir pour vous maintenant. Il a agi pour la dernière fois le {date}.";
    allow_again: "Allow again", "Autoriser à nouveau";
    you_allowed_it: "You allowed it", "Vous l'avez autorisé";
    you_allowed_it_on(date: &str): "You allowed it on {date}", "Vous l'avez autorisé le {date}";
    set_up_by_operator: "Set up by the operator: ask there to end it", "Mis en place par l'exploitant : adressez-vous à lui pour y mettre fin";
    set_up_by_operator_on(date: &str): "Set up by the operator on {date}: ask there to end it", "Mis en place par l'exploitant le {date} : adressez-vous à lui pour y mettre fin";
    until(date: &str): "until {date}", "jusqu'au {date}";
    last_used(date: &str): "last used {date}", "dernière utilisation {date}";
    not_used_yet: "not used yet", "pas encore utilisé";
    withdraw: "Withdraw", "Retirer";
    what_it_may_do(name: &str): "what {name} may do", "ce que {name} peut faire";
    shall_no_longer(name: Named<'_>): "Shall {name} no longer act for you?", "{name} ne doit-il plus agir pour vous ?";
    gets_nothing_more(until: &str): "From now on it gets nothing more for you. What it has already works until {until} at most.", "Dès maintenant, il n'obtient plus rien pour vous. Ce qu'il a déjà fonctionne jusqu'au {until} au plus.";
    operator_goes_on: "What the operator of this server set up for it goes on: ask there to end it.", "Ce que l'exploitant de ce serveur a mis en place pour lui continue : adressez-vous à lui pour y mettre fin.";
    keep_it: "Keep it", "Conserver";
    wrong_passkey: "The passkey was not accepted, or this account cannot sign in.", "La clé d'accès n'a pas été acceptée, ou ce compte ne peut pas se connecter.";
    sign_in_by_passkey: "Sign in with a passkey", "Se connecter avec une clé d'accès";
    confirm_by_passkey: "Confirm with a passkey", "Confirmer avec une clé d'accès";
    passkey_failed: "The passkey did not answer. Try again, or use another way.", "La clé d'accès n'a pas répondu. Réessayez, ou utilisez un autre moyen.";
    no_passkeys_here: "This browser knows no passkeys.", "Ce navigateur ne connaît pas les clés d'accès.";
    passkeys_need_script: "Passkeys need a script, and this browser runs none here.", "Les clés d'accès exigent un script, et ce navigateur n'en exécute aucun ici.";
    too_many_sign_in: "Too many people are signing in at this moment. Try again shortly.", "Trop de personnes se connectent en ce moment. Réessayez bientôt.";
    password_short: "A password has at least 15 characters. A few words that do not belong together are a good one.", "Un mot de passe a au moins 15 caractères. Quelques mots sans rapport entre eux conviennent.";
    password_long: "A password has at most 1,024 octets.", "Un mot de passe a au plus 1 024 octets.";
    password_control: "A password has no control characters.", "Un mot de passe n'a pas de caractères de contrôle.";
    password_guessable: "The password is your name, or the name of this server. Others would try it first.", "Le mot de passe est votre nom, ou celui de ce serveur. D'autres l'essaieraient en premier.";
    passkeys_too_many: "There are as many passkeys as there may be; remove one first.", "Il y a autant de clés d'accès que possible ; supprimez-en une d'abord.";
    passkey_last: "This is the last way to sign in; add another one first.", "C'est le dernier moyen de connexion ; ajoutez-en un autre d'abord.";
    passkey_unchanged: "The passkey could not be added or removed; try again.", "La clé d'accès n'a pas pu être ajoutée ou supprimée ; réessayez.";
    passkey_misnamed: "The name has 1 to 64 characters, and none that is hidden or turns the text around.", "Le nom a de 1 à 64 caractères, et aucun qui soit caché ou qui inverse le texte.";
    wrong_sign_in: "Name or password is wrong, or this account cannot sign in.", "Le nom ou le mot de passe est incorrect, ou ce compte ne peut pas se connecter.";
    wait_heading: "Wait a little", "Attendez un peu";
    wait(seconds: u64): "Too many wrong tries from here. Go on in {seconds} seconds, or use a passkey.", "Trop d'essais incorrects depuis cet endroit. Reprenez dans {seconds} secondes, ou utilisez une clé d'accès.";
    link_does_not_work: "This link does not work", "Ce lien ne fonctionne pas";
    not_registered: "The program that sent you here is not registered with this address.", "Le programme qui vous a envoyé ici n'est pas enregistré avec cette adresse.";
    open_too_long: "This page was open too long", "Cette page est restée ouverte trop longtemps";
    nothing_changed: "Nothing has been changed.", "Rien n'a été modifié.";
    not_signed_in: "You are not signed in", "Vous n'êtes pas connecté";
    not_from_here: "This form did not come from here", "Ce formulaire ne vient pas d'ici";
    nothing_allowed: "Nothing was allowed", "Rien n'a été autorisé";
    no_more_than_before: "The program may do no more than before.", "Le programme ne peut rien faire de plus qu'avant.";
    link_no_more: "This link does not work any more", "Ce lien ne fonctionne plus";
    link_was_used: "It was used, it has ended, or a newer one was made. Whoever sent it can send another.", "Il a été utilisé, il a pris fin, ou un plus récent a été créé. La personne qui l'a envoyé peut en envoyer un autre.";
    did_not_work: "This did not work", "Cela n'a pas marché";
    reason_under(id: Coded<'_>): "Whoever runs this server finds the reason under {id}.", "L'exploitant de ce serveur trouvera la raison sous {id}.";
    your_pages: "Your pages", "Vos pages";
    activity: "Activity", "Activité";
    activity_means: "What programs asked for in your name, the newest first.", "Ce que des programmes ont demandé en votre nom, le plus récent d'abord.";
    no_activity: "Nothing yet. When a program acts for you, it is listed here.", "Rien pour l'instant. Quand un programme agit pour vous, cela apparaît ici.";
    was_granted: "granted", "accordé";
    was_refused: "refused", "refusé";
    not_me: "This was not me", "Ce n'était pas moi";
    client_acted(name: Named<'_>): "{name} acted in your name. If that is not what you want, withdraw what you allowed it.", "{name} a agi en votre nom. Si ce n'est pas ce que vous voulez, retirez ce que vous lui avez autorisé.";
    not_yours_to_end: "You have not allowed it anything, or have withdrawn it. What the operator of this server set up is ended there.", "Vous ne lui avez rien autorisé, ou vous l'avez retiré. Ce que l'exploitant de ce serveur a mis en place prend fin auprès de lui.";
    somebody_else_here: "If somebody else may be signed in as you, end all other sessions. You stay signed in here.", "Si quelqu'un d'autre est peut-être connecté à votre place, mettez fin à toutes les autres sessions. Vous restez connecté ici.";
    end_other_sessions: "End all other sessions", "Mettre fin à toutes les autres sessions";
    others_ended: "All other sessions have ended.", "Toutes les autres sessions ont pris fin.";
    reused(date: &str): "A refresh token of yours was used twice, on {date}. Perhaps it was stolen: what came of it has ended. Look at your activity, and withdraw what you do not know.", "Un de vos jetons de rafraîchissement a été utilisé deux fois, le {date}. Il a peut-être été volé : ce qui en provenait a pris fin. Regardez votre activité et retirez ce que vous ne connaissez pas.";
    dismiss: "I have seen it", "J'ai vu";
    ways_to_sign_in: "Ways to sign in", "Moyens de connexion";
    console: "Console", "Console";
    passkeys: "Passkeys", "Clés d'accès";
    no_passkeys: "None yet. A passkey is on your device or security key, and cannot be guessed or phished.", "Aucune pour l'instant. Une clé d'accès se trouve sur votre appareil ou votre clé de sécurité ; elle ne peut être ni devinée ni hameçonnée.";
    add_second: "This is your only way to sign in. Add a second passkey, on another device.", "C'est votre seul moyen de connexion. Ajoutez une deuxième clé d'accès, sur un autre appareil.";
    add_passkey: "Add a passkey", "Ajouter une clé d'accès";
    passkey_name: "What you call it", "Comment vous l'appelez";
    usual_name: "Passkey", "Clé d'accès";
    no_passkey_made: "No passkey was made. Try again.", "Aucune clé d'accès n'a été créée. Réessayez.";
    passkey_known: "This device holds a passkey of yours already.", "Cet appareil conserve déjà une de vos clés d'accès.";
    needs_script: "Making a passkey is the one thing here that needs a script.", "Créer une clé d'accès est la seule chose ici qui exige un script.";
    passkey_added: "The passkey is added. You sign in with it from now on, too.", "La clé d'accès est ajoutée. Vous pouvez désormais aussi vous connecter avec elle.";
    passkey_removed: "The passkey is removed.", "La clé d'accès est supprimée.";
    remove: "Remove", "Supprimer";
    remove_passkey(name: Named<'_>): "Remove {name}?", "Supprimer {name} ?";
    removing_passkey: "You no longer sign in with it. Sessions that began with it end. On your device it stays until you delete it there.", "Vous ne vous connectez plus avec elle. Les sessions commencées avec elle prennent fin. Sur votre appareil, elle reste jusqu'à ce que vous l'y supprimiez.";
    made_on(date: &str): "made on {date}", "créée le {date}";
    password_set_on(date: &str): "Set on {date}. With another one your other sessions end.", "Défini le {date}. Avec un autre, vos autres sessions prennent fin.";
    no_password: "None is set.", "Aucun n'est défini.";
    password_is_set: "Your password is set. Your other sessions have ended.", "Votre mot de passe est défini. Vos autres sessions ont pris fin.";
    where_signed_in: "Where you are signed in", "Où vous êtes connecté";
    this_one: "this one", "celle-ci";
    signed_in_on(date: &str): "signed in on {date}", "connexion le {date}";
    confirm_first(link: Link<'_>): "You signed in more than five minutes ago. A change here asks you to prove that it is you: {link}", "Vous vous êtes connecté il y a plus de cinq minutes. Toute modification ici vous demande de prouver que c'est vous : {link}";
}

impl Words {
    /// Why a password cannot be one.
    pub fn unfit(self, unfit: Unfit) -> &'static str {
        match unfit {
            Unfit::Short => self.password_short(),
            Unfit::Long => self.password_long(),
            Unfit::Control => self.password_control(),
            Unfit::Guessable => self.password_guessable(),
        }
    }
}
