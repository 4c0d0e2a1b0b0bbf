// Somebody without a pointer: Tab, Enter, Space, arrows and letters. Each stop has to be seen.

import assert from "node:assert/strict";

/** After so many presses of Tab something is too far away. */
const FAR = 150;

/** What has the focus: what it is, and why it is not seen. */
function stop(page) {
  return page.evaluate(() => {
    const element = document.activeElement;
    if (!element || element === document.body || element === document.documentElement) return null;
    const style = getComputedStyle(element);
    const outline = style.outlineStyle === "none" ? 0 : Number.parseFloat(style.outlineWidth);
    const [box] = element.getClientRects();
    const what = element.outerHTML.slice(0, 200);
    if (!box) return { what, fault: "is not shown" };
    if (outline < 2) return { what, fault: "does not show that it has the focus" };
    const [x, y] = [box.x + box.width / 2, box.y + Math.min(box.height / 2, 16)];
    const above = document.elementFromPoint(x, y);
    const isSeen = above && (element.contains(above) || above.contains(element));
    return { what, fault: isSeen ? null : `is covered by ${above?.outerHTML.slice(0, 100) ?? "the edge of the window"}` };
  });
}

/** Waits until the page says so: without its script, too. */
export async function until(page, what, isSo) {
  for (let looks = 0; looks < 200; looks++) {
    if (await page.evaluate(isSo)) return;
    await new Promise((later) => setTimeout(later, 50));
  }
  assert.fail(`${page.url()}: not so: ${what}`);
}

const hasFocus = (wanted) => wanted.evaluateAll((all) => all.includes(document.activeElement));

/** Presses Tab until something that `wanted` finds has the focus. Every stop on the way is seen (2.4.7, 2.4.11). */
export async function reach(page, wanted) {
  await wanted.first().waitFor();
  for (let presses = 0; presses <= FAR; presses++) {
    if (await hasFocus(wanted)) return;
    await page.keyboard.press("Tab");
    const there = await stop(page);
    assert.ok(!there?.fault, `${page.url()}: ${there?.what} ${there?.fault}`);
  }
  assert.fail(`${page.url()}: ${FAR} presses of Tab do not lead to ${wanted}`);
}

/** Follows a link or presses a button, and waits for the page that it leads to. */
export async function go(page, role, name, within = page) {
  await reach(page, within.getByRole(role, { name, exact: true }));
  const [response] = await Promise.all([page.waitForNavigation(), page.keyboard.press("Enter")]);
  return response;
}

/** Presses a button that stays on its page. */
export async function press(page, role, name, within = page) {
  await reach(page, within.getByRole(role, { name, exact: true }));
  await page.keyboard.press(role === "button" ? "Space" : "Enter");
}

/** Types into a field, in place of what is there. */
export async function type(page, name, text, within = page) {
  const field = within.getByLabel(name, { exact: typeof name === "string" });
  await reach(page, field);
  await page.keyboard.press("Control+a");
  await page.keyboard.insertText(text);
  assert.equal(await field.first().inputValue(), text);
}

/** Chooses one of several: by arrows, from the one that Tab leads to. */
export async function choose(page, name) {
  const wanted = page.getByRole("radio", { name });
  const group = await wanted.getAttribute("name");
  await reach(page, page.locator(`input[type=radio][name="${group}"]`));
  for (let presses = 0; presses < 20; presses++) {
    if ((await hasFocus(wanted)) && (await wanted.isChecked())) return;
    await page.keyboard.press(presses === 0 ? "Space" : "ArrowDown");
  }
  assert.fail(`${page.url()}: arrows do not lead to ${name}`);
}
