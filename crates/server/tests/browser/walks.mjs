// What people do, in Debian's Chromium: each function is a walk that asserts.

import assert from "node:assert/strict";
import * as oauth from "oauth4webapi";
import * as openid from "openid-client";
import { callback, check, inBrowser, keyFile, run, signIn } from "./browser.mjs";

const HTTP = { [oauth.allowInsecureRequests]: true };
const SCOPE = "invoices:read";

/** The client of a key file, as oauth4webapi knows it. */
async function known(path) {
  const key = await keyFile(path);
  const issuer = new URL(key.issuer);
  const server = await oauth.processDiscoveryResponse(
    issuer,
    await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...HTTP }),
  );
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const privateKey = await crypto.subtle.importKey("jwk", key.private_key, algorithm, false, ["sign"]);
  const authentication = oauth.PrivateKeyJwt({ key: privateKey, kid: key.private_key.kid });
  return { server, client: { client_id: key.client_id }, authentication, key, privateKey };
}

/** An authorization request with everything that a careful client sends. */
async function asked(server, client, uri, more = {}) {
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const url = new URL(server.authorization_endpoint);
  const parameters = {
    client_id: client.client_id,
    redirect_uri: uri,
    response_type: "code",
    scope: SCOPE,
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    ...more,
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return { url: url.href, verifier, state };
}

/** C027, C036, C071: sign-in, consent, hand-over to a callback that redirects on, code, refresh; then without a page. */
async function code_grant(options) {
  const back = await callback();
  const { server, client, authentication } = await known(options.key);
  await inBrowser(options, async (page) => {
    const first = await asked(server, client, back.uri);
    await page.goto(first.url);
    await signIn(page, options);
    await page.waitForURL("**/consent?**");
    await check(page, "consent", options);
    const text = await page.locator("main").innerText();
    for (const words of ["Billing", "billing", options.username, "Read your invoices", "At any time, also when you are not here", "127.0.0.1"]) {
      assert.ok(text.includes(words), `the consent page does not say ${words}: ${text}`);
    }
    const [allow, deny] = await Promise.all(["Allow", "Don't allow"].map((name) => page.getByRole("button", { name, exact: true }).boundingBox()));
    assert.equal(allow.height, deny.height);
    assert.equal(allow.width, deny.width, "both buttons are of one size");
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await page.waitForURL("**/landed");
    const answer = oauth.validateAuthResponse(server, client, back.requests.at(-1), first.state);
    const token = await oauth.processAuthorizationCodeResponse(
      server,
      client,
      await oauth.authorizationCodeGrantRequest(server, client, authentication, answer, back.uri, first.verifier, HTTP),
    );
    assert.equal(token.scope, SCOPE);
    const refreshed = await oauth.processRefreshTokenResponse(
      server,
      client,
      await oauth.refreshTokenGrantRequest(server, client, authentication, token.refresh_token, HTTP),
    );
    assert.notEqual(refreshed.refresh_token, token.refresh_token);
    const second = await asked(server, client, back.uri);
    await page.goto(second.url);
    await page.waitForURL("**/landed");
    assert.ok(back.requests.at(-1).searchParams.get("code"), "asked once");
    assert.equal(back.requests.length, 2);
  });
  back.close();
}

/** C039: nothing is recorded, the client is told, and the next request asks again. */
async function deny(options) {
  const back = await callback();
  const { server, client } = await known(options.key);
  await inBrowser(options, async (page) => {
    const first = await asked(server, client, back.uri);
    await page.goto(first.url);
    await signIn(page, options);
    await page.getByRole("button", { name: "Don't allow" }).click();
    await page.waitForURL("**/landed");
    const told = back.requests.at(-1).searchParams;
    assert.equal(told.get("error"), "access_denied");
    assert.equal(told.get("state"), first.state);
    assert.equal(told.get("iss"), server.issuer);
    const second = await asked(server, client, back.uri);
    await page.goto(second.url);
    await page.getByRole("button", { name: "Allow", exact: true }).waitFor();
  });
  back.close();
}

/** C040, C060, C061: the link of a job's log, the list, and the way out. */
async function consent_link(options) {
  await inBrowser(options, async (page) => {
    await page.goto(`${options.consent_uri}&redirect_uri=https%3A%2F%2Fevil.example&next=%2F%2Fevil.example`);
    assert.equal(await page.getByLabel("Name").inputValue(), options.username, "the hint is filled in");
    await signIn(page, options);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await page.waitForURL(`${options.issuer}/**`);
    await check(page, "done", options);
    assert.match(await page.locator("h1").innerText(), /may act for you now/);
    await page.getByRole("link", { name: "your page" }).click();
    await check(page, "me", options);
    assert.ok((await page.locator("main").innerText()).includes("You allowed it on"));
  });
}

/** C061: withdrawing is a question and one button; afterwards the list says so. */
async function withdraw(options) {
  await inBrowser(options, async (page) => {
    await page.goto(`${options.issuer}/me`);
    await signIn(page, options);
    await page.getByRole("link", { name: "Withdraw" }).click();
    await check(page, "withdraw", options);
    await page.getByRole("button", { name: "Withdraw" }).click();
    await check(page, "me", options);
    const text = await page.locator("main").innerText();
    assert.match(text, /Billing can no longer act for you/);
    assert.match(text, /It may not act for you now/);
    await page.reload();
    await page.getByRole("button", { name: "Sign out" }).click();
    await check(page, "signed-out", options);
    await page.goBack();
    assert.ok(!(await page.locator("main").innerText()).includes("Billing"), "CA48: nothing private after sign-out");
  });
}

/** C080 to C082: looking uses nothing up; a password that cannot be one is a fault at its field. */
async function invitation(options) {
  await inBrowser(options, async (page) => {
    for (let times = 0; times < 100; times += 1) {
      const answer = await page.request.get(options.link);
      assert.equal(answer.status(), 200);
    }
    await page.goto(options.link);
    await check(page, "invitation", options);
    await page.getByLabel("New password").fill("too short");
    await page.getByRole("button", { name: "Set the password" }).click();
    await check(page, "invitation-fault", options);
    assert.match(await page.getByRole("alert").innerText(), /at least 15 characters/);
    await page.getByLabel("New password").fill(options.password);
    await page.getByRole("button", { name: "Set the password" }).click();
    await check(page, "me", options);
    const again = await page.goto(options.link);
    assert.equal(again.status(), 400);
    await check(page, "refusal", options);
  });
}

/** C095, CA36: one text for whatever is wrong; what was typed stays. */
async function wrong_password(options) {
  await inBrowser(options, async (page) => {
    await page.goto(`${options.issuer}/me`);
    const texts = new Set();
    for (const name of [options.username, "nobody@example.com", options.disabled, "\u0000", "x".repeat(300)]) {
      await page.getByLabel("Name").fill(name.slice(0, 255));
      await page.getByLabel("Password").fill("not the password of anybody");
      await page.getByRole("button", { name: "Sign in" }).click();
      texts.add(await page.getByRole("alert").innerText());
    }
    await check(page, "signin-fault", options);
    assert.equal(texts.size, 1, [...texts].join("\n"));
    assert.match([...texts][0], /Name or password is wrong/);
  });
}

/** CA19: no page in a frame; the list of permissions knows no opener; a callback in a popup does. */
async function frames(options) {
  const back = await callback();
  const { server, client } = await known(options.key);
  await inBrowser(options, async (page) => {
    const { url } = await asked(server, client, back.uri);
    for (const target of [`${options.issuer}/signin`, `${options.issuer}/me`, url]) {
      await page.goto(back.uri.replace("/callback", "/landed"));
      await page.evaluate((address) => {
        const frame = document.createElement("iframe");
        frame.src = address;
        document.body.append(frame);
        return new Promise((loaded) => frame.addEventListener("load", loaded));
      }, target);
      const shown = await page.frames().at(-1).evaluate(() => document.body?.innerText ?? "").catch(() => "");
      assert.ok(!shown.includes("Sign in"), `${target} is shown in a frame`);
    }
    await page.goto(back.uri.replace("/callback", "/landed"));
    const [popup] = await Promise.all([page.waitForEvent("popup"), page.evaluate((address) => void globalThis.open(address), url)]);
    await popup.waitForLoadState();
    await signIn(popup, options);
    await popup.getByRole("button", { name: "Allow", exact: true }).click();
    await popup.waitForURL("**/landed");
    assert.equal(await popup.evaluate(() => globalThis.opener !== null), true, "the callback lost its opener");
    const [apart] = await Promise.all([page.waitForEvent("popup"), page.evaluate((address) => void globalThis.open(address), `${options.issuer}/me`)]);
    await apart.waitForLoadState();
    assert.equal(await apart.evaluate(() => globalThis.opener), null, "/me knows its opener");
  });
  back.close();
}

/** C106: openid-client, from the authorization request to the refresh. */
async function openid_client(options) {
  const back = await callback();
  const { key, privateKey } = await known(options.key);
  const configuration = await openid.discovery(
    new URL(key.issuer),
    key.client_id,
    undefined,
    openid.PrivateKeyJwt({ key: privateKey, kid: key.private_key.kid }),
    { algorithm: "oauth2", execute: [openid.allowInsecureRequests] },
  );
  await inBrowser(options, async (page) => {
    const verifier = openid.randomPKCECodeVerifier();
    const state = openid.randomState();
    const url = openid.buildAuthorizationUrl(configuration, {
      redirect_uri: back.uri,
      scope: SCOPE,
      state,
      code_challenge: await openid.calculatePKCECodeChallenge(verifier),
      code_challenge_method: "S256",
    });
    await page.goto(url.href);
    await signIn(page, options);
    await page.getByRole("button", { name: "Allow", exact: true }).click();
    await page.waitForURL("**/landed");
    const checks = { pkceCodeVerifier: verifier, expectedState: state };
    const token = await openid.authorizationCodeGrant(configuration, back.requests.at(-1), checks);
    assert.equal(token.scope, SCOPE);
    const refreshed = await openid.refreshTokenGrant(configuration, token.refresh_token);
    assert.ok(refreshed.access_token);
  });
  back.close();
}

await run({ code_grant, deny, consent_link, withdraw, invitation, wrong_password, frames, openid_client });
