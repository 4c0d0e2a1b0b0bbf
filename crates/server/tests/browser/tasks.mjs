// What operators do, by the keyboard alone (M101): each function is a walk that asserts.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { check, inBrowser, run } from "./browser.mjs";
import { choose, go, press, reach, type, until } from "./keyboard.mjs";

const PASSWORD = "correct horse battery staple";
const STARTED = Date.now().toString(36);

/** An operator at the console, with the words of one language. */
class Operator {
  constructor(page, context, options) {
    Object.assign(this, { page, context, options });
    this.hasScript = options.script !== false;
  }

  /** What a page says in the language of this operator. */
  says(english, french) {
    return this.options.language === "fr" ? french : english;
  }

  /** A name that no other walk takes. */
  own(begin) {
    return `${begin}${STARTED}`;
  }

  go(role, english, french = english, within = this.page) {
    return go(this.page, role, this.says(english, french), within);
  }

  type(english, french, text, within = this.page) {
    return type(this.page, this.says(english, french), text, within);
  }

  /** Goes to a section by the side bar. */
  async section(english, french = english) {
    await go(this.page, "link", this.says(english, french), this.page.getByRole("navigation", { name: "Console" }));
    await this.is(english, french);
  }

  /** Where the operator is. */
  async is(english, french = english) {
    const wanted = this.says(english, french);
    const heading = await this.page.locator("h1").innerText();
    assert.ok(wanted instanceof RegExp ? wanted.test(heading) : heading.startsWith(wanted), `${this.page.url()}: ${heading}, not ${wanted}`);
  }

  /** Goes to a client of the list, by a part of its name. */
  async client(name) {
    await this.section("Clients");
    await this.type("Name or part of it", "Nom ou partie du nom", name);
    await this.go("button", "Filter", "Filtrer");
    await go(this.page, "link", name);
    await this.is(name);
  }

  check(name) {
    return check(this.page, `task-${name}`, this.options);
  }

  /** Follows a link to a question: in place with script, else on a page of its own. Answers where it is asked. */
  async ask(english, french) {
    const page = this.page;
    const link = page.getByRole("link", { name: this.says(english, french), exact: true });
    if (!this.hasScript) {
      await go(page, "link", this.says(english, french));
      return page.locator("main");
    }
    await reach(page, link);
    await page.keyboard.press("Enter");
    const asked = page.locator(".confirming");
    await asked.waitFor();
    await until(page, "the question has the focus", () => document.activeElement.matches(".confirming h2"));
    return asked;
  }

  /** What the page says has happened (M114). */
  async told(english, french) {
    const note = await this.page.locator(".note.good[role=status]").innerText();
    assert.match(note, this.says(english, french));
  }

  /** Signs in with a name and a password. */
  async signsIn() {
    await this.is("Sign in", "Se connecter");
    await this.type("Name", "Nom", this.options.operator);
    await this.type("Password", "Mot de passe", PASSWORD);
    await this.go("button", "Sign in", "Se connecter");
  }

}

/** Comes in by a link, sets a password, signs out, and in again. */
async function sign_in(me) {
  const { page, options } = me;
  await page.goto(options.link);
  await me.check("open");
  await me.go("button", "Open the console", "Ouvrir la console");
  await me.is("Your ways to sign in", "Vos moyens de connexion");
  await me.check("account");
  await me.go("link", /^(Set a|Change the) password$/, /^(Définir un|Changer le) mot de passe$/);
  await me.type("New password", "Nouveau mot de passe", PASSWORD);
  await me.check("password");
  await me.go("button", "Set a password", "Définir un mot de passe");
  await me.told(/Your password is set/, /Votre mot de passe est défini/);
  await me.go("button", "Sign out", "Se déconnecter");
  await me.is("You are signed out", "Vous êtes déconnecté");
  await me.check("signed-out");
  await me.go("link", "Sign in", "Se connecter");
  await me.check("signin");
  await me.signsIn();
  // The first stop leads over all that is the same on every page (2.4.1).
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await until(page, "the content has the focus", () => document.activeElement.id === "main");
}

/** Makes a new signing key, ahead of its time. */
async function rotate_key(me) {
  await me.section("Signing keys", "Clés de signature");
  const before = await me.page.locator("main > table tbody tr").count();
  const asked = await me.ask("Make a new key", "Créer une nouvelle clé");
  await me.check("rotate");
  await me.go("button", "Make a new key", "Créer une nouvelle clé", asked);
  await me.told(/is published/, /est publiée/);
  assert.equal(await me.page.locator("main > table tbody tr").count(), before + 1);
  assert.ok((await me.page.locator("main > table").innerText()).includes(me.says("upcoming", "à venir")));
  await me.check("rotated");
}

/** What is shown once is copied, or downloaded without a script; afterwards it is nowhere: not in a reload, not by Back (M115, MA26). */
async function isShownOnce(me, selector, secret, file) {
  const { page } = me;
  const shown = page.locator(selector);
  const text = await shown.innerText();
  const [, hidden] = text.match(secret) ?? assert.fail(`no secret in ${selector}`);
  assert.match(await page.locator(".note.warn[role=status]").innerText(), me.says(/shown once/, /affiché qu'une fois/));
  if (me.hasScript) {
    await press(page, "button", me.says("Copy", "Copier"), page.locator(".snippet", { has: shown }));
    await page.locator("[role=status]", { hasText: me.says("Copied", "Copié") }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), text);
  }
  if (file) {
    await reach(page, page.getByRole("button", { name: new RegExp(`^${me.says("Download", "Télécharger")}`) }));
    const [download] = await Promise.all([page.waitForEvent("download"), page.keyboard.press("Enter")]);
    assert.equal(download.suggestedFilename(), file);
    assert.equal((await readFile(await download.path(), "utf8")).trim(), text.trim());
  }
  await page.reload();
  assert.ok(!(await page.content()).includes(hidden), "shown again after a reload");
  await page.goBack();
  assert.ok(!(await page.content()).includes(hidden), "shown again by Back");
}

/** Makes a client, copies its key, and gets a token with it as its page says (M116). */
async function new_client(me) {
  const { page } = me;
  const id = me.own("export-");
  await me.section("Clients");
  await me.go("link", "New client", "Nouveau client");
  await me.check("new-client");
  await choose(page, me.says(/^A program with a key/, /^Un programme avec une clé/));
  await me.type("Id", "Identifiant", id);
  await me.type("Name", "Nom", "Export of the day");
  await me.type("Scopes", "Portées", "invoices:read");
  await me.go("button", "Make it", "Créer");
  await me.is(/Export of the day/);
  await me.check("client-made");
  assert.match(await page.locator("main").innerText(), /grantor token --key/);
  await isShownOnce(me, "#once-file", /"d":\s*"([\w-]+)"/, `${id}.json`);
}

/** Adds a key that is made here. */
async function add_key(me) {
  await me.client("Retired reports");
  await me.go("link", "Add a key", "Ajouter une clé");
  await me.check("new-key");
  await choose(me.page, me.says(/^Here:/, /^Ici/));
  await me.go("button", "Add it", "L'ajouter");
  await me.is(/Retired reports/);
  await me.check("key-made");
  await me.go("link", "I have kept it", "Je l'ai conservé");
  await me.is(/Retired reports/);
  assert.ok((await me.page.locator("table", { hasText: "ES256" }).locator("tbody tr").count()) >= 2);
}

/** Makes a subject, and a link by which this person comes in. */
async function invite(me) {
  const { page } = me;
  const name = me.own("new.person.");
  await me.section("Subjects", "Sujets");
  await me.go("link", "New subject", "Nouveau sujet");
  await me.check("new-subject");
  await me.type("Name", "Nom", name);
  await me.go("button", "Register", "Enregistrer");
  await me.told(/is registered/, /est enregistré/);
  await me.check("subject");
  await me.go("link", "Invite", "Inviter", page.locator("main"));
  await me.check("invite");
  await me.go("button", "Invite", "Inviter");
  await me.check("invited");
  await isShownOnce(me, "pre[id]", /invitation\S*?([\w-]{20,})/);
}

/** Gives a permission, and withdraws it. */
async function permission(me) {
  const { page } = me;
  await me.section("Permissions", "Autorisations");
  await me.go("link", "Give a permission", "Donner une autorisation");
  await me.check("new-permission");
  await me.type("Client", "Client", "reporter");
  await me.type("Subject", "Sujet", "alice@example.com");
  await me.type("Scopes", "Portées", "reports:read");
  await me.go("button", "Give it", "La donner");
  await me.told(/may act for/, /peut agir pour/);
  await me.check("permission");
  const asked = await me.ask("Withdraw", "Retirer");
  await me.check("withdraw");
  await me.go("button", "Withdraw", "Retirer", asked);
  await me.told(/can no longer act for/, /ne peut plus agir pour/);
}

/** Pastes a JWT and reads why it would be refused; it is not in the answer (M166). */
async function explain(me) {
  const { page, options } = me;
  await me.section("Explain a JWT", "Expliquer un JWT");
  await me.type("JWT", "JWT", options.jwt);
  await me.go("button", "Explain", "Expliquer");
  const text = await page.locator("main").innerText();
  assert.ok(text.includes(me.says("Would be refused", "Serait refusé")), text);
  assert.ok(text.includes("https://other.example"), text);
  assert.ok(!(await page.content()).includes(options.jwt), "the JWT is in the answer");
  await me.check("explained");
}

/** Reads who changed a client, how it was before, and why. */
async function read_change(me) {
  const { page } = me;
  await me.client("Reporter");
  const changes = page.locator("section", { hasText: "its key was lost" });
  await me.go("link", /UTC/, /UTC/, changes.locator("li", { hasText: "its key was lost" }));
  await me.is(/^(Change|Changement) \d+/);
  const text = await page.locator("main").innerText();
  for (const words of ["its key was lost", me.options.operator, "reporter", "enabled", "true", "false"]) assert.ok(text.includes(words), `${words} is not in ${text}`);
  await me.check("change");
}

/** Disables a client for a reason, and takes that back. */
async function disable_client(me) {
  await me.client("Reporter");
  let asked = await me.ask("Disable", "Désactiver");
  assert.match(await asked.innerText(), me.says(/Disable Reporter\?/, /Désactiver Reporter\s\?/));
  await me.check("disable");
  await me.type(/^Reason/, /^Raison/, "its key was lost", asked);
  await me.go("button", "Disable", "Désactiver", asked);
  await me.told(/Reporter is disabled/, /Reporter est désactivé/);
  await me.check("disabled");
  await me.go("link", "Undo", "Annuler");
  await me.go("button", "Enable", "Activer");
  await me.told(/Reporter is enabled/, /Reporter est actif/);
}

/** Finds out why a partner's requests are refused. */
async function find_decision(me) {
  const { page } = me;
  await me.section("Decisions", "Décisions");
  await me.check("decisions");
  await me.go("link", "The newest", "Le plus récent", page.locator("#groups tr", { hasText: "aud" }));
  await me.is(/^✗/);
  const text = await page.locator("main").innerText();
  for (const words of ["https://other.example", me.says("What to do", "Que faire")]) assert.ok(text.includes(words), `${words} is not in ${text}`);
  await me.check("decision");
}

/** What was typed comes back after signing in, when the session has ended meanwhile (M111). */
async function come_back(me) {
  const { page, context, options } = me;
  await me.section("Scopes", "Portées");
  await me.go("link", "Describe a scope", "Décrire une portée");
  const elsewhere = await context.newPage();
  await elsewhere.goto(`${options.issuer}/console/scopes`);
  await new Operator(elsewhere, context, options).go("button", "Sign out", "Se déconnecter");
  await elsewhere.close();
  const name = me.own("reports:send-");
  await me.type("Name", "Nom", name);
  await me.type("In English", "En anglais", "Send \"reports\" & <letters>");
  await me.go("button", "Save", "Enregistrer");
  await me.signsIn();
  await me.is("Describe a scope", "Décrire une portée");
  assert.match(await page.locator("[role=alert]").innerText(), me.says(/You had been signed out/, /Vous aviez été déconnecté/));
  assert.equal(await page.locator("#name").inputValue(), name);
  assert.equal(await page.locator("#en").inputValue(), "Send \"reports\" & <letters>");
  await me.check("came-back");
  await me.go("button", "Save", "Enregistrer");
  await me.told(new RegExp(name), new RegExp(name));
}

// What is grave comes first: it needs a sign-in that is fresh.
const TASKS = { sign_in, new_client, add_key, invite, rotate_key, permission, disable_client, read_change, find_decision, explain, come_back };

/** All of them, one after the other, or those that are named. */
async function tasks(options) {
  await inBrowser(options, async (page, context) => {
    await context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: options.issuer });
    const me = new Operator(page, context, options);
    for (const [name, task] of Object.entries(TASKS)) {
      if (options.only && name !== "sign_in" && !options.only.includes(name)) continue;
      try {
        await task(me);
      } catch (error) {
        throw new Error(`${name} at ${page.url()}, which says:\n${await page.locator("body").innerText()}`, { cause: error });
      }
    }
  });
}

await run({ tasks });
