// What the walks share: a browser, a client's callback, and what must be true of every page.

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join } from "node:path";
import axe from "axe-core";
import { chromium } from "playwright-core";

/** Runs the walk that the first argument names, with what the second one holds as JSON. */
export async function run(walks) {
  const [name, options] = process.argv.slice(2);
  await walks[name](JSON.parse(options));
  process.exit(0);
}

/** A browser in which `walk` is done, and what it printed about broken policies. */
export async function inBrowser(options, walk) {
  const browser = await chromium.launch({ executablePath: options.chromium, args: ["--no-sandbox"] });
  try {
    const context = await browser.newContext({
      javaScriptEnabled: options.script ?? true,
      viewport: options.narrow ? { width: 320, height: 640 } : { width: 1180, height: 800 },
      colorScheme: options.dark ? "dark" : "light",
    });
    const page = await context.newPage();
    const broken = [];
    page.on("console", (message) => message.type() === "error" && broken.push(message.text()));
    await walk(page, context, browser);
    const policy = broken.filter((text) => /Content Security Policy|Refused to/.test(text) && !text.startsWith("Framing"));
    assert.deepEqual(policy, [], "a policy of a page was broken");
  } finally {
    await browser.close();
  }
}

const shots = {};

/** Holds a page against what is true of every page; takes its picture where one is wanted. */
export async function check(page, name, options) {
  assert.equal(await page.locator("h1").count(), 1, `${name}: one heading says what the page is`);
  assert.ok(await page.title(), `${name}: a title`);
  if (options.shots) {
    shots[name] = (shots[name] ?? 0) + 1;
    const kind = `${options.dark ? "dark" : "light"}${options.narrow ? "-narrow" : ""}`;
    await page.screenshot({ path: join(options.shots, `${name}-${shots[name]}-${kind}.png`), fullPage: true });
  }
  if (options.script === false) return;
  const { wide, room } = await page.evaluate(() => ({
    wide: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
  }));
  assert.ok(wide <= room, `${name} scrolls sideways: ${wide} px in ${room}`);
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() => globalThis.axe.run());
  const found = violations.map((each) => `${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
  assert.deepEqual(found, [], `${name}: axe-core`);
}

/** A client's own server: its callback goes on to another origin, as those of real programs do. */
export async function callback() {
  const requests = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url, `http://127.0.0.1:${server.address().port}`);
    if (url.pathname === "/callback") {
      requests.push(url);
      response.writeHead(303, { location: `http://localhost:${server.address().port}/landed` }).end();
    } else {
      response.writeHead(200, { "content-type": "text/html" }).end("<!doctype html><title>Landed</title><h1>Landed</h1>");
    }
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return { uri: `http://127.0.0.1:${server.address().port}/callback`, requests, close: () => server.close() };
}

/** Signs in on the page that is open. */
export async function signIn(page, options) {
  assert.equal(await page.locator("h1").textContent(), "Sign in");
  await check(page, "signin", options);
  await page.getByLabel("Name").fill(options.username);
  await page.getByLabel("Password").fill(options.password);
  await page.getByRole("button", { name: "Sign in" }).click();
}

export async function keyFile(path) {
  return JSON.parse(await readFile(path, "utf8"));
}
