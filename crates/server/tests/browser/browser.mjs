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

export const WIDE = { width: 1180, height: 800 };
export const NARROW = { width: 320, height: 640 };

/** A browser in which `walk` is done; no page in it breaks its policy, or opens a dialog. */
export async function inBrowser(options, walk) {
  const browser = await chromium.launch({ executablePath: options.chromium, args: ["--no-sandbox"] });
  try {
    const context = await browser.newContext({
      javaScriptEnabled: options.script ?? true,
      viewport: options.narrow ? NARROW : WIDE,
      colorScheme: options.dark ? "dark" : "light",
      locale: options.language ?? "en",
      forcedColors: options.forced ? "active" : "none",
    });
    const broken = [];
    context.on("console", (message) => message.type() === "error" && broken.push(message.text()));
    context.on("dialog", (dialog) => {
      broken.push(`Refused to show a dialog: ${dialog.message()}`);
      void dialog.dismiss();
    });
    const page = await context.newPage();
    await walk(page, context, browser);
    const policy = broken.filter((text) => /Content Security Policy|Refused to/.test(text) && !text.startsWith("Framing"));
    assert.deepEqual(policy, [], "a policy of a page was broken");
  } finally {
    await browser.close();
  }
}

const shots = {};

/** Takes a picture of the whole page, where pictures are wanted. */
export async function shoot(page, name, options, kind = "") {
  if (!options.shots) return;
  const full = [name, options.language, options.dark ? "dark" : "light", options.narrow && "narrow", kind].filter(Boolean).join("-");
  shots[full] = (shots[full] ?? 0) + 1;
  await page.screenshot({ path: join(options.shots, `${full}-${shots[full]}.png`), fullPage: true });
}

/** What is wrong with the page as it is shown, of what must be true of every page. */
export async function faults(page) {
  const found = [];
  const { headings, title, wide, room, twice, inline, loaded } = await page.evaluate(() => {
    // A form's fields hide its properties where they have their names: they are asked by attribute.
    const all = [...document.querySelectorAll("*")];
    const of = (name) => all.map((each) => each.getAttribute(name)).filter((each) => each !== null);
    const ids = of("id");
    const inline = [...document.querySelectorAll("script:not([src]),style,[style]:not([style='']),[href^='javascript:' i],[action^='javascript:' i]")];
    inline.push(...all.filter((each) => each.getAttributeNames().some((name) => name.startsWith("on"))));
    const sources = [...of("src"), ...[...document.querySelectorAll("link")].map((link) => link.getAttribute("href"))];
    return {
      headings: document.querySelectorAll("h1").length,
      title: document.title,
      wide: document.documentElement.scrollWidth,
      room: document.documentElement.clientWidth,
      twice: ids.filter((id, place) => ids.indexOf(id) !== place),
      inline: inline.map((each) => each.outerHTML.slice(0, 200)),
      loaded: sources.filter((each) => new URL(each, location).origin !== location.origin),
    };
  });
  if (headings !== 1) found.push(`${headings} h1`);
  if (!title) found.push("no title");
  if (wide > room) found.push(`scrolls sideways: ${wide} px in ${room}`);
  if (twice.length) found.push(`ids that are there twice: ${twice}`);
  if (inline.length) found.push(`something inline: ${inline}`);
  if (loaded.length) found.push(`loaded from elsewhere: ${loaded}`);
  return found;
}

/** What axe-core finds on the page as it is shown. What it finds in order is not gathered: that takes it twice as long again. */
export async function axeFaults(page, rules) {
  // A page that was looked at before, in another shape, has it already.
  if (!(await page.evaluate(() => typeof globalThis.axe?.run === "function"))) await page.evaluate(axe.source);
  const asked = { resultTypes: ["violations"], selectors: false };
  if (rules) asked.runOnly = { type: "rule", values: rules };
  const { violations } = await page.evaluate((asked) => globalThis.axe.run(asked), asked);
  return violations.map((each) => `axe ${each.id}: ${each.nodes.map((node) => node.html).join(" | ")}`);
}

/** Holds a page against what is true of every page; takes its picture where one is wanted. */
export async function check(page, name, options) {
  await shoot(page, name, options);
  const found = await faults(page);
  // Without script axe-core does not end.
  if (options.script !== false) found.push(...(await axeFaults(page)));
  assert.deepEqual(found, [], `${name}: ${page.url()}`);
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
