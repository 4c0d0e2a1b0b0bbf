// Passkeys, with an authenticator that Chromium pretends to have: each function is a walk that asserts.

import assert from "node:assert/strict";
import { open } from "node:fs/promises";
import { check, inBrowser, run } from "./browser.mjs";
import { enter } from "./console.mjs";

/** An authenticator in this device, whose owner is there and says yes. */
async function authenticator(page) {
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("WebAuthn.enable");
  const options = {
    protocol: "ctap2",
    transport: "internal",
    hasResidentKey: true,
    hasUserVerification: true,
    isUserVerified: true,
    automaticPresenceSimulation: true,
  };
  const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
  return {
    /** From now on its owner is known to it, or is not. */
    knows: (isUserVerified) => cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified }),
    keys: async () => (await cdp.send("WebAuthn.getCredentials", { authenticatorId })).credentials,
  };
}

/** Sets the server's clock so many minutes ahead. */
async function pass(minutes, options) {
  const milliseconds = new BigInt64Array([BigInt(minutes * 60_000)]);
  const file = await open(options.clock, "r+");
  await file.write(new Uint8Array(milliseconds.buffer), 0, 8, 0);
  await file.close();
}

/** Presses a button or follows a link that leads to another page. */
async function go(page, role, name, where) {
  await page.getByRole(role, { name, exact: true }).first().click();
  await page.waitForURL(where);
}

const heading = (page) => page.locator("h1").innerText();
const told = (page) => page.locator(".note.good[role=status]").innerText();

/** Signs out, by the button that every page of the console has, and the first one of people. */
async function signOut(page) {
  await page.getByRole("button", { name: "Sign out" }).first().click();
  await page.getByRole("heading", { name: "You are signed out" }).waitFor();
}

/** M110, M112: made at the account, used to sign in on the way to a page, and to confirm what is grave. */
async function operator(options) {
  await inBrowser(options, async (page) => {
    const device = await authenticator(page);
    await enter(page, options);
    await go(page, "link", "Add a passkey", "**/passkeys/new");
    await check(page, "passkey-new", options);
    await page.getByLabel("What you call it").fill("Laptop");
    await go(page, "button", "Add a passkey", "**/account?**");
    assert.match(await told(page), /Laptop is added/);
    await check(page, "account-passkey", options);
    const [key] = await device.keys();
    assert.equal(key.rpId, "localhost");
    assert.equal(key.isResidentCredential, true);
    await signOut(page);
    await page.goto(`${options.issuer}/console/clients`);
    await check(page, "signin-passkey", options);
    await go(page, "button", "Sign in with a passkey", "**/console/clients");
    await page.goto(`${options.issuer}/console/signing-keys`);
    await pass(6, options);
    await go(page, "link", "Make a new key", "**/signin?**");
    assert.equal(await heading(page), "Confirm it is you");
    await check(page, "confirm-passkey", options);
    await go(page, "button", "Confirm with a passkey", "**/signing-keys/new");
    await go(page, "button", "Make a new key", "**/signing-keys?**");
    assert.match(await told(page), /is published/);
    // The passkey is the only way in: it stays.
    await page.goto(`${options.issuer}/console/account`);
    await page.getByRole("link", { name: "Remove Laptop" }).click();
    await page.getByRole("button", { name: "Remove" }).click();
    await page.getByText("This is the last way to sign in").waitFor();
  });
}

/** C082, C084, C090, C093: from the invitation to the day when a password takes the passkey's place. */
async function person(options) {
  await inBrowser(options, async (page) => {
    await authenticator(page);
    await page.goto(options.link);
    await check(page, "invitation-passkey", options);
    await go(page, "button", "Add a passkey", "**/me");
    await signOut(page);
    await page.goto(`${options.issuer}/me`);
    await check(page, "signin-passkey", options);
    await go(page, "button", "Sign in with a passkey", "**/me");
    await go(page, "link", "Ways to sign in", "**/me/signin");
    await check(page, "ways", options);
    await page.getByText("Add a second passkey, on another device").waitFor();
    await remove(page);
    await page.getByText("This is the last way to sign in; add another one first.").waitFor();
    await check(page, "ways-last", options);
    // The device holds a passkey of this person: it makes no second one.
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByText("This device holds a passkey of yours already.").waitFor();
    await pass(6, options);
    await page.getByLabel("New password").fill(options.password);
    await go(page, "button", "Set the password", "**/signin?**");
    assert.equal(await heading(page), "Confirm it is you");
    await go(page, "button", "Confirm with a passkey", "**/me/signin");
    await page.getByLabel("New password").fill(options.password);
    await go(page, "button", "Set the password", "**/me/signin?**");
    await remove(page);
    assert.match(await told(page), /The passkey is removed/);
    assert.equal(await page.getByRole("link", { name: /^Remove/ }).count(), 0);
    await signOutByPage(page, options);
    // The device still has it: the server takes it no more, and says so in the words of every refusal.
    await page.goto(`${options.issuer}/me`);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    assert.match(await page.getByRole("alert").innerText(), /The passkey was not accepted/);
    await check(page, "signin-refused", options);
    await byPassword(page, options);
  });
}

/** Removes the only passkey of the page: a question, and a button. */
async function remove(page) {
  await page.getByRole("link", { name: "Remove Passkey" }).click();
  await page.getByRole("heading", { name: "Remove Passkey?" }).waitFor();
  await page.getByRole("button", { name: "Remove", exact: true }).click();
}

async function signOutByPage(page, options) {
  await page.goto(`${options.issuer}/me`);
  await signOut(page);
}

async function byPassword(page, options) {
  await page.getByLabel("Name").fill(options.username);
  await page.getByLabel("Password").fill(options.password);
  await go(page, "button", "Sign in", "**/me");
}

/** C091: who is not known to the device makes and uses no passkey; a fault says so, and the password is there. */
async function unanswered(options) {
  await inBrowser(options, async (page) => {
    const device = await authenticator(page);
    await device.knows(false);
    await page.goto(options.link);
    await page.getByRole("button", { name: "Add a passkey" }).click();
    await page.getByText("No passkey was made. Try again.").waitFor();
    assert.deepEqual(await device.keys(), []);
    await check(page, "invitation-unanswered", options);
    // The invitation is not used up, and the same page makes one once the device knows who is there.
    await device.knows(true);
    await go(page, "button", "Add a passkey", "**/me");
    await page.goto(`${options.issuer}/me/signin`);
    await page.getByLabel("New password").fill(options.password);
    await go(page, "button", "Set the password", "**/me/signin?**");
    await signOutByPage(page, options);
    await device.knows(false);
    await page.goto(`${options.issuer}/me`);
    await page.getByRole("button", { name: "Sign in with a passkey" }).click();
    await page.getByText("The passkey did not answer. Try again, or use another way.").waitFor();
    await check(page, "signin-unanswered", options);
    await byPassword(page, options);
  });
}

/** C063, M100: without a script there is a password, and the reason why no passkey is offered. */
async function without_script(options) {
  await inBrowser(options, async (page) => {
    const why = "Passkeys need a script, and this browser runs none here.";
    const isWhy = async () => {
      assert.ok((await page.locator("main").innerText()).includes(why), await page.locator("main").innerText());
      assert.equal(await page.locator("[data-passkey]").isVisible(), false);
    };
    await page.goto(options.link);
    await isWhy();
    await page.getByLabel("New password").fill(options.password);
    await go(page, "button", "Set the password", "**/me");
    await page.goto(`${options.issuer}/me/signin`);
    assert.match(await page.locator("main").innerText(), /Making a passkey is the one thing here that needs a script/);
    assert.equal(await page.locator("[data-passkey]").isVisible(), false);
    await signOutByPage(page, options);
    await page.goto(`${options.issuer}/console/clients`);
    await isWhy();
    await page.goto(`${options.issuer}/me`);
    await isWhy();
    await byPassword(page, options);
  });
}

await run({ operator, person, unanswered, without_script });
