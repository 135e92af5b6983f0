// The physician's reading: a draft that saves itself, a signature that asks first, an amendment with its reason.

import { notify, request } from "./http.js";
import { t } from "./i18n.js";

const form = document.getElementById("opinion");
const state = document.getElementById("draft-state");
const failure = document.getElementById("opinion-error");
const dialog = document.getElementById("sign-dialog");
const start = document.getElementById("amend-start");
const discard = document.getElementById("discard");
const study = form.dataset.study;
const amends = form.dataset.amends;
const address = `/api/v1/studies/${study}/opinion`;
const diagnosis = form.elements.diagnosis;
const SOON_MS = 900;
const AGAIN_MS = 2_000;
const AGAIN_MOST_MS = 60_000;
let timer = null;
let pause = AGAIN_MS;
let saving = Promise.resolve();
let leaving = false;
let seenAtOpening = "";
let seenNow = seenOnPage();
let version = form.dataset.version; // of the draft that this form shows: another window may save a newer one
let tried = ""; // what was last sent, until an answer comes
let unsaved = false; // something was typed that no answer of the server covers yet

start?.addEventListener("click", () => {
  form.hidden = false;
  start.setAttribute("aria-expanded", "true");
  start.hidden = true;
  diagnosis.focus();
});

function values() {
  const heckmatt = {};
  for (const choice of form.querySelectorAll("select[data-site]")) {
    if (choice.value) heckmatt[choice.dataset.site] = Number(choice.value);
  }
  const agrees = { yes: true, no: false }[form.elements.agrees.value] ?? null;
  return { agrees, diagnosis: diagnosis.value, heckmatt, notes: form.elements.notes.value };
}

function seenOnPage() {
  return document.querySelector("[data-seen]")?.dataset.seen ?? "";
}

function fail(text) {
  failure.textContent = text;
  failure.hidden = !text;
}

// Agreeing and the diagnosis say the same thing twice: the one that was touched last leads.
form.addEventListener("change", (event) => {
  const label = form.dataset.label;
  if (event.target.name === "agrees" && event.target.value === "yes") diagnosis.value = label;
  if (event.target.name === "agrees" && event.target.value === "no" && diagnosis.value === label) diagnosis.value = "";
  if (event.target === diagnosis && label && diagnosis.value) {
    form.elements.agrees.value = diagnosis.value === label ? "yes" : "no";
  }
});

async function save() {
  clearTimeout(timer);
  timer = null;
  if (amends) return;
  state.textContent = t("Saving");
  try {
    await learnWhatCame();
    const json = values();
    tried = same(json);
    version = (await request(address, { method: "PUT", json: { ...json, made_from: version } })).version;
    tried = "";
    pause = AGAIN_MS;
    unsaved = timer !== null; // typed meanwhile: the next save is due
    if (!unsaved) state.textContent = t("Draft saved");
    discard.hidden = false;
    fail("");
  } catch (error) {
    if (!passes(error)) tried = "";
    state.textContent = t("Not saved");
    fail(words(error));
    throw error;
  }
}

/** Whether the same request may succeed later: nobody answered, or the clinic is being started. */
function passes(error) {
  return error.status === 0 || error.status >= 500;
}

/** What a draft says, to be compared. */
function same({ agrees, diagnosis: name, heckmatt, notes }) {
  return JSON.stringify([agrees, name, Object.entries(heckmatt).sort(), notes]);
}

/** A save whose answer was lost may have been kept: then the draft there is ours, and no other window's. */
async function learnWhatCame() {
  if (!tried) return;
  const kept = await request(address).catch((error) => {
    if (error.status !== 404) throw error;
    return null;
  });
  if (kept && same(kept) === tried) version = kept.version;
}

function words(error) {
  return error.status === 401 ? t("You are signed out. Copy what you have written before you load the page again.") : error.message;
}

/** Save soon; an amendment is kept nowhere before it is signed, so that leaving the page must ask. */
function saveSoon(wait = SOON_MS) {
  if (amends) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    saving = saving.then(save).catch(saveAgain);
  }, wait);
}

/** After a failure that passes, and unless somebody typed meanwhile, so that a save is due anyway. */
function saveAgain(error) {
  if (!passes(error) || timer !== null || form.inert) return;
  saveSoon(pause);
  pause = Math.min(2 * pause, AGAIN_MOST_MS);
}

addEventListener("online", () => unsaved && !form.inert && saveSoon(0));

form.addEventListener("input", () => {
  unsaved = true;
  state.textContent = t("Not saved yet");
  saveSoon();
});

/** Nothing can be changed while a signature is under way: what is signed is what the dialog names. */
function hold(held) {
  form.inert = held;
  if (held) {
    clearTimeout(timer);
    timer = null;
  } else if (unsaved) saveSoon();
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (form.inert) return;
  fail("");
  if (!diagnosis.value) {
    fail(t("Choose a diagnosis before you sign."));
    diagnosis.focus();
    return;
  }
  hold(true);
  await saving;
  const said = values();
  const chosen = diagnosis.selectedOptions[0].textContent;
  document.getElementById("sign-summary").textContent = t("Diagnosis: {diagnosis}. Heckmatt grades: {n}.", { diagnosis: chosen, n: Object.keys(said.heckmatt).length });
  seenAtOpening = seenOnPage();
  dialog.returnValue = "";
  dialog.showModal();
  const decide = () => {
    if (dialog.returnValue === "sign") sign(said);
    else {
      hold(false);
      form.querySelector("[type=submit]").focus();
    }
  };
  dialog.addEventListener("close", decide, { once: true });
});

async function sign(said) {
  const json = { ...said, seen_answer: form.dataset.answer, seen: seenAtOpening };
  state.textContent = t("Signing");
  try {
    leaving = true;
    await learnWhatCame();
    if (amends) await request(`/api/v1/opinions/${amends}/amend`, { method: "POST", json: { ...json, reason: form.elements.reason.value } });
    else await request(`${address}/sign`, { method: "POST", json: { ...json, made_from: version } });
    location.reload();
  } catch (error) {
    leaving = false;
    state.textContent = unsaved || amends ? t("Not saved yet") : t("Draft saved");
    hold(false);
    fail(words(error));
  }
}

discard?.addEventListener("click", async () => {
  if (!globalThis.confirm(t("Discard this draft?"))) return;
  hold(true);
  await saving;
  try {
    await request(address, { method: "DELETE" });
    leaving = true;
    location.reload();
  } catch (error) {
    hold(false);
    fail(words(error));
  }
});

/** Images came, or somebody set a muscle or side right: grades can be given where there are images, and nowhere else. */
document.addEventListener("findings-shown", () => {
  const seen = seenOnPage();
  if (seen === seenNow) return;
  seenNow = seen;
  const stray = [];
  for (const choice of form.querySelectorAll("select[data-site]")) {
    const recorded = !document.querySelector(`#site-${choice.dataset.site}.absent`);
    choice.disabled = !recorded && !choice.value; // a grade that was given must be taken back by hand
    if (!recorded && choice.value) stray.push(choice.dataset.site);
  }
  if (stray.length) notify(t("There is no image of {sites} any more, which you have graded. Look at the grades again.", { sites: stray.join(", ") }), "warn");
});

document.addEventListener("study-signed", () => {
  if (!leaving) notify(t("This study was signed or amended. Load the page again to see it."), "info");
});

addEventListener("beforeunload", (event) => {
  if (unsaved && !leaving) event.preventDefault();
});

document.addEventListener("signed-out", (event) => {
  if (unsaved) event.preventDefault();
});
