// The one script of the pages. Everything works without it; what it says stands in data- attributes.
"use strict";

document.documentElement.classList.add("script");

/** Says something beside an element, to readers and to screen readers. */
function say(beside, words = "") {
  const around = beside.form ?? beside.parentElement;
  let status = around.querySelector("[role=status]");
  if (!status) {
    if (!words) return;
    status = document.createElement("span");
    status.setAttribute("role", "status");
    beside.after(status);
  }
  // A status that is new is read only if its text comes later.
  setTimeout(() => (status.textContent = words), 50);
}

/** A page as it is now. One that leads elsewhere is a failure. */
async function fetched(url) {
  const answer = await fetch(url, { cache: "no-store", redirect: "error" });
  if (!answer.ok) throw new Error(answer.statusText);
  return new DOMParser().parseFromString(await answer.text(), "text/html");
}

// Copy and save: button[data-copy="#id"], button[data-save="#id"][data-name]

function shown(selector) {
  const element = document.querySelector(selector);
  return element.value ?? element.innerText;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(shown(button.dataset.copy));
    say(button, button.dataset.done);
  } catch {
    // Not allowed: what is selected can be copied by hand.
    getSelection().selectAllChildren(document.querySelector(button.dataset.copy));
    say(button, button.dataset.failed);
  }
}

function save(button) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([shown(button.dataset.save)]));
  link.download = button.dataset.name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// Live parts: [data-live][id], button[data-pause]

let paused = false;

/** Whether somebody is reading or using a part, which then stays as it is. */
function inUse(part) {
  const selection = getSelection();
  const selected = !selection.isCollapsed && part.contains(selection.anchorNode);
  const asked = part.querySelector(".confirming");
  return selected || asked || part.contains(document.activeElement);
}

function renew(part, page) {
  const next = page.getElementById(part.id);
  if (!next || inUse(part)) return;
  const open = [...part.querySelectorAll("details")].map((each) => each.open);
  next.querySelectorAll("details").forEach((each, place) => (each.open = open[place] ?? each.open));
  part.replaceWith(next);
}

async function renewAll() {
  const parts = document.querySelectorAll("[data-live][id]");
  if (paused || document.hidden || !parts.length) return;
  const button = document.querySelector("[data-pause]");
  try {
    const page = await fetched(location.href);
    if (paused) return;
    parts.forEach((part) => renew(part, page));
    if (button) say(button);
  } catch {
    if (button) say(button, button.dataset.failed);
  }
}

function pause(button) {
  paused = !paused;
  const words = button.textContent;
  button.textContent = button.dataset.pause;
  button.dataset.pause = words;
  if (!paused) renewAll();
}

setInterval(renewAll, 10_000);
document.addEventListener("visibilitychange", renewAll);

// Confirm in place: a[data-confirm]

async function confirmHere(link) {
  try {
    const main = (await fetched(link.href)).querySelector("main");
    const title = main.querySelector("h1");
    if (!main.querySelector("form[method=post]")) throw new Error("nothing to confirm");
    main.querySelector(".crumbs")?.remove();
    const heading = document.createElement("h2");
    heading.tabIndex = -1;
    heading.append(...title.childNodes);
    title.replaceWith(heading);
    document.querySelector(".confirming")?.remove();
    const box = document.createElement("section");
    box.className = "card confirming";
    box.append(...main.childNodes);
    box.addEventListener("click", (event) => {
      // "Keep it" leads back here.
      if (event.target.closest("a")?.href !== location.href) return;
      event.preventDefault();
      box.remove();
      link.focus();
    });
    (link.closest(".head") ?? link.closest(".actions,p") ?? link).after(box);
    heading.focus();
  } catch {
    location.assign(link.href);
  }
}

// Passkeys: button[data-passkey="make"|"sign-in"] in a form[data-options] with `t` and `credential`

const bytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt());

const text = (buffer) =>
  buffer &&
  btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");

/** What the server asks for, with octets where the browser wants them. */
function asked({ challenge, user, excludeCredentials: known = [], ...more }) {
  return {
    ...more,
    challenge: bytes(challenge),
    user: user && { ...user, id: bytes(user.id) },
    excludeCredentials: known.map((each) => ({ ...each, id: bytes(each.id) })),
  };
}

/** What a passkey answers, as JSON, by the names of WebAuthn §5.1.8. */
function answered({ id, type, response }) {
  const made = response.getPublicKey && {
    publicKey: text(response.getPublicKey()),
    publicKeyAlgorithm: response.getPublicKeyAlgorithm(),
    authenticatorData: text(response.getAuthenticatorData()),
  };
  const used = response.signature && {
    signature: text(response.signature),
    authenticatorData: text(response.authenticatorData),
    userHandle: text(response.userHandle),
  };
  const clientDataJSON = text(response.clientDataJSON);
  return JSON.stringify({ id, type, response: { clientDataJSON, ...made, ...used } });
}

async function passkey(button) {
  const { form, dataset } = button;
  if (!globalThis.PublicKeyCredential) return say(button, dataset.unsupported);
  button.disabled = true;
  try {
    const ticket = new URLSearchParams({ t: form.elements.t.value });
    const answer = await fetch(form.dataset.options, { method: "POST", body: ticket });
    if (!answer.ok) throw new Error(answer.statusText);
    const publicKey = asked(await answer.json());
    const does = dataset.passkey === "make" ? "create" : "get";
    form.elements.credential.value = answered(await navigator.credentials[does]({ publicKey }));
    form.submit();
  } catch (error) {
    say(button, (error.name === "InvalidStateError" && dataset.known) || dataset.failed);
    button.disabled = false;
  }
}

// Keys: `g` and the letter of an a[data-key], or `?` alone; button[data-keys] switches them on

const KEYS = "grantor-keys";
let went = -Infinity;

const keysAreOn = () => localStorage.getItem(KEYS) === "on";

function keys(button) {
  if (button) localStorage.setItem(KEYS, keysAreOn() ? "off" : "on");
  document.querySelector("[data-keys]")?.setAttribute("aria-pressed", keysAreOn());
}

const modified = (event) => event.ctrlKey || event.altKey || event.metaKey;

function pressed(event) {
  const { key, target, timeStamp } = event;
  const typing = target.closest("input,textarea,select");
  if (typing || modified(event) || !keysAreOn()) return;
  const second = timeStamp - went < 2000;
  went = key === "g" ? timeStamp : -Infinity;
  if (key !== "?" && !second) return;
  document.querySelector(`a[data-key="${CSS.escape(key)}"]`)?.click();
}

document.addEventListener("keydown", pressed);

// What is clicked and changed

const CLICKED = { copy, save, pause, passkey, keys };

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-confirm]");
  if (link && !event.shiftKey && !modified(event)) {
    event.preventDefault();
    confirmHere(link);
  }
  const button = event.target.closest("button");
  const does = Object.keys(CLICKED).find((each) => each in (button?.dataset ?? {}));
  if (does) {
    event.preventDefault();
    CLICKED[does](button);
  }
});

document.addEventListener("change", ({ target }) => {
  if (target.matches("[data-submit]")) target.form.requestSubmit();
});

document.querySelector("[role=alert][tabindex]")?.focus();
keys();
