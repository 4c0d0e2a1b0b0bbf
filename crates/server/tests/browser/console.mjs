// The console at Chromium: every page that its pages lead to, held against what is true of all.

import assert from "node:assert/strict";
import { HtmlValidate } from "html-validate";
import { axeFaults, check, faults, inBrowser, NARROW, run, shoot, WIDE } from "./browser.mjs";

const HEADERS = {
  "content-security-policy":
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  "x-frame-options": "DENY",
  "x-content-type-options": "nosniff",
  "referrer-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "cross-origin-opener-policy": "same-origin",
  "cache-control": "no-store",
};

// What is a matter of taste, or of a tag that comes from elsewhere, is left out.
const validator = new HtmlValidate({
  extends: ["html-validate:standard"],
  rules: {
    "long-title": "off",
    "no-implicit-button-type": "off",
    "no-trailing-whitespace": "off",
    "require-sri": "off",
    "void-style": "off",
  },
});

/** Comes in by the link that `grantor console` prints. */
export async function enter(page, options) {
  await page.goto(options.link);
  await check(page, "console-open", options);
  await page.getByRole("button", { name: /Open the console|Ouvrir la console/ }).click();
  await page.waitForURL(/\/console\/account/);
}

/** The address of a page without what differs from visit to visit, so that each kind is looked at a few times only. */
function kind(url) {
  const { pathname, searchParams } = new URL(url);
  const names = [...searchParams.keys()].filter((name) => !["lang", "theme", "done", "after"].includes(name));
  const named = pathname.replace(/(clients|subjects|permissions|scopes|issuers|trusts|signing-keys|decisions|changes|operators)\/(?!new\b|preview\b)[^/]+/, "$1/*");
  return `${named.replace(/\/\*\/(?!add|new|edit|delete)[^/]{8,}/, "/*/*")}?${[...new Set(names)].sort().join("&")}`;
}

/** What is wrong with what the server sent (M160, MA34, M188). */
async function sentFaults(response, html) {
  const found = [];
  for (const [field, value] of Object.entries(HEADERS)) {
    if (response.headers()[field] !== value) found.push(`${field}: ${response.headers()[field]}`);
  }
  for (const cookie of (await response.headerValues("set-cookie")).filter((each) => !/^[^;]*; .*HttpOnly/i.test(each) || !/SameSite=(Lax|Strict)/i.test(each))) {
    found.push(`a cookie: ${cookie.replace(/=[^;]*/, "=...")}`);
  }
  const report = await validator.validateString(html);
  found.push(...report.results.flatMap((result) => result.messages.map((each) => `html-validate ${each.line}:${each.column} ${each.ruleId}: ${each.message}`)));
  return found;
}

/** What is wrong with the page at another width, in the other theme, and with more space in the text (M182, M183). */
async function shapeFaults(page, name, options) {
  const found = [];
  await page.setViewportSize(NARROW);
  found.push(...(await faults(page)).map((each) => `narrow: ${each}`), ...(await axeFaults(page)).map((each) => `narrow: ${each}`));
  await shoot(page, name, options, "narrow");
  await page.emulateMedia({ colorScheme: "dark" });
  await page.setViewportSize(WIDE);
  found.push(...(await axeFaults(page, ["color-contrast", "link-in-text-block"])).map((each) => `dark: ${each}`));
  await shoot(page, name, options, "dark");
  await page.emulateMedia({ colorScheme: "light" });
  return found;
}

// A form may have a field of the name `matches`: only the browser's own selectors find anything there.
const TYPED = ":is(input[type=text],textarea):not([name=reason],[name=q])";

/** A form of the page that is filled with what no field takes: it comes back with what is wrong, and with what was typed. */
async function refusedFaults(page, name, options) {
  const form = page.locator(`main form[method=post]:has(${TYPED})`).first();
  if ((await form.count()) === 0) return [];
  const garbage = `<b>&"'${"é\u202e".repeat(40)}`;
  for (const field of await form.locator(TYPED).all()) if (await field.isVisible()) await field.fill(garbage);
  const sent = form.evaluate((each) => {
    each.noValidate = true;
    each.requestSubmit();
  });
  const [response] = await Promise.all([page.waitForNavigation(), sent]);
  const found = [...(await sentFaults(response, await response.text())), ...(await faults(page)), ...(await axeFaults(page))];
  await shoot(page, name, options, "refused");
  if (![200, 409, 422].includes(response.status())) found.push(`status ${response.status()}`);
  if (response.status() === 422) {
    if (!/^(Fault:|Erreur\u00a0:)/.test(await page.title())) found.push(`title: ${await page.title()}`);
    if ((await page.locator("[role=alert]:focus").count()) !== 1) found.push("the summary has not the focus");
    const { kept, lost } = await page.evaluate((typed) => {
      const leads = [...document.querySelectorAll("[role=alert] a[href^='#']")].map((each) => decodeURIComponent(each.getAttribute("href").slice(1)));
      return {
        kept: [...document.querySelectorAll(`main ${typed}`)].map((each) => each.value),
        lost: leads.filter((id) => !document.getElementById(id)),
      };
    }, TYPED);
    if (!kept.some((each) => each.includes('<b>&"'))) found.push(`what was typed is gone: ${kept}`);
    if (lost.length) found.push(`faults lead nowhere: ${lost}`);
  }
  return found.map((each) => `refused: ${each}`);
}

/** What is asked in place, below the button (M112): the page stays whole. */
async function confirmFaults(page, name, options) {
  const links = page.locator("a[data-confirm]");
  if ((await links.count()) === 0) return [];
  await links.first().click();
  const asked = page.locator(".confirming");
  await Promise.race([asked.waitFor(), page.waitForURL(/\/signin|\?.*confirm|\/[a-z-]+$/)]).catch(() => {});
  if ((await asked.count()) === 0) return [];
  const found = [...(await faults(page)), ...(await axeFaults(page))];
  await shoot(page, name, options, "asked");
  return found.map((each) => `asked in place: ${each}`);
}

/** Pages that are looked at side by side. */
const AT_ONCE = 2;

/** Visits every page that the pages lead to, and holds each against what is true of all (MA16, MA34, M160, M182, M188). */
async function crawl(options) {
  const language = options.language ?? "en";
  const often = options.often ?? 2;
  const problems = [];
  const shown = [];
  const waiting = [];
  const seen = new Map();
  const known = new Set();

  /** Looks at the page of this address, if there were not enough of its kind, and has what it leads to wait. */
  async function visit(page, url) {
    const each = kind(url);
    if ((seen.get(each) ?? 0) >= often) return;
    seen.set(each, (seen.get(each) ?? 0) + 1);
    if (/format=(csv|json)/.test(url)) return;
    const response = await page.goto(url);
    const found = [];
    const name = `console${new URL(url).pathname.slice("/console".length)}`.replace(/\W+/g, "-").slice(0, 80);
    if (response.status() !== 200) found.push(`status ${response.status()}`);
    const html = await response.text();
    found.push(...(await sentFaults(response, html)), ...(await faults(page)), ...(await axeFaults(page)));
    await shoot(page, name, options);
    if ((await page.locator("html").getAttribute("lang")) !== language) found.push("another language");
    const links = await page.locator("a[href]").evaluateAll((all) => all.map((link) => link.href.split("#")[0]));
    for (const link of links) {
      const target = new URL(link);
      const isOurs = target.origin === new URL(options.issuer).origin && target.pathname.startsWith("/console");
      const isChoice = ["lang", "theme"].some((choice) => target.searchParams.has(choice));
      if (isOurs && !isChoice && !known.has(link)) waiting.push(link);
      known.add(link);
    }
    if (!options.quick) {
      found.push(...(await shapeFaults(page, name, options)));
      found.push(...(await confirmFaults(page, name, options)));
      if (response.status() === 200) {
        await page.goto(url);
        found.push(...(await refusedFaults(page, name, options)));
      }
    }
    shown.push(each);
    problems.push(...found.map((fault) => `${url.slice(options.issuer.length)}: ${fault}`));
  }

  await inBrowser(options, async (page, context) => {
    await enter(page, options);
    const start = `${options.issuer}/console?lang=${language}`;
    waiting.push(start, ...(options.start ?? []).map((path) => `${options.issuer}${path}`), page.url());
    // The language is that of all pages from here on.
    await page.goto(start);
    for (const url of waiting) known.add(url);
    const free = [page];
    while (free.length < AT_ONCE) free.push(await context.newPage());
    const visits = new Set();
    while (waiting.length > 0 || visits.size > 0) {
      if (waiting.length === 0 || free.length === 0) {
        // What is looked at may lead on.
        await Promise.race(visits);
        continue;
      }
      const page = free.pop();
      const visited = visit(page, waiting.shift()).finally(() => {
        visits.delete(visited);
        free.push(page);
      });
      visits.add(visited);
    }
  });
  console.log(`${shown.length} pages: ${[...new Set(shown)].join(" ")}`);
  const missing = (options.pages ?? []).filter((wanted) => !shown.some((each) => each.startsWith(`/console${wanted}?`)));
  problems.push(...missing.map((wanted) => `no page leads to ${wanted}`));
  assert.ok(problems.length === 0, `${problems.length} faults:\n${problems.join("\n")}`);
}

if (process.argv[1].endsWith("console.mjs")) await run({ crawl });
