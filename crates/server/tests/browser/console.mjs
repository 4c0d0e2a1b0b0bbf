// The console at Chromium: every page held against what is true of all pages, and the tasks of an
// operator by keyboard alone.

import assert from "node:assert/strict";
import { HtmlValidate } from "html-validate";
import { check, inBrowser, run } from "./browser.mjs";

const policy =
  "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
const expected = {
  "content-security-policy": policy,
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

const validator = new HtmlValidate({
  extends: ["html-validate:standard"],
  rules: { "no-trailing-whitespace": "off", "no-autoplay": "off", "long-title": "off", "void-style": "off", "require-sri": "off", "no-implicit-button-type": "off" },
});

/** Comes in by the link that `grantor console` prints. */
export async function enter(page, options) {
  await page.goto(options.link);
  await check(page, "open", options);
  await page.getByRole("button", { name: /Open the console|Ouvrir la console/ }).click();
  await page.waitForURL(/\/console\/account/);
}

/** The address of a page without what differs from visit to visit, so that each kind is looked at a few times only. */
function kind(url) {
  const { pathname, searchParams } = new URL(url);
  const names = [...searchParams.keys()].filter((name) => !["lang", "theme", "done", "after"].includes(name));
  return `${pathname.replace(/~[\w-]+|[0-9a-hjkmnp-tv-z]{13,}/g, "*")}?${names.sort().join("&")}`;
}

/** Visits every page that the pages lead to, and holds each against what is true of all (MA34, M160, M182, M188). */
async function crawl(options) {
  await inBrowser(options, async (page) => {
    await enter(page, options);
    const language = options.language ?? "en";
    const start = `${options.issuer}/console?lang=${language}&theme=${options.dark ? "dark" : "light"}`;
    const waiting = [start, `${options.issuer}/console/account`];
    const seen = new Map();
    const shown = [];
    while (waiting.length > 0) {
      const url = waiting.shift();
      const each = kind(url);
      const often = seen.get(each) ?? 0;
      if (often >= 2) continue;
      seen.set(each, often + 1);
      const response = await page.goto(url);
      const type = response.headers()["content-type"] ?? "";
      const download = /format=(csv|json)/.test(url);
      if (download || !type.startsWith("text/html")) continue;
      const name = new URL(url).pathname.replace(/\W+/g, "-").slice(1);
      assert.equal(response.status(), 200, url);
      for (const [field, value] of Object.entries(expected)) assert.equal(response.headers()[field], value, `${url}: ${field}`);
      const html = await response.text();
      assert.ok(!/<script(?![^>]*\bsrc=)|\sstyle=|\son\w+=|javascript:/i.test(html), `${url}: something inline`);
      const report = await validator.validateString(html);
      const found = report.results.flatMap((result) => result.messages.map((each) => `${each.line}:${each.column} ${each.ruleId}: ${each.message}`));
      assert.deepEqual(found, [], `${url}: html-validate`);
      assert.equal(await page.locator("html").getAttribute("lang"), language, url);
      await check(page, `console-${name}-${language}`, options);
      shown.push(each);
      const links = await page.locator("a[href]").evaluateAll((all) => all.map((link) => link.href));
      for (const link of links) {
        const target = new URL(link);
        const isOurs = target.origin === new URL(options.issuer).origin && target.pathname.startsWith("/console");
        if (isOurs && !target.searchParams.has("lang") && !target.searchParams.has("theme")) waiting.push(link.split("#")[0]);
      }
    }
    for (const wanted of options.pages ?? []) assert.ok(shown.some((each) => each.startsWith(wanted)), `no page led to ${wanted}: ${shown.join(" ")}`);
    console.log(`${shown.length} pages: ${shown.join(" ")}`);
  });
}

if (process.argv[1].endsWith("console.mjs")) await run({ crawl });
