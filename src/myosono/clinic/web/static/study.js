// Study page: live findings, body map, site correction, sending. The physician's reading is in opinion.js.

import { notify, request } from "./http.js";
import { t } from "./i18n.js";
import { calmly, listen, shownIn } from "./live.js";
import "./opinion.js";

const root = document.getElementById("study");
const study = root.dataset.study;
const findings = document.getElementById("findings");
let mode = "chance";

async function reload() {
  if (findings.contains(document.activeElement) && document.activeElement.matches("select")) {
    document.activeElement.addEventListener("blur", refresh, { once: true });
    return;
  }
  const answer = await fetch(`/studies/${study}/findings`, { headers: { Accept: "text/html" } });
  if (answer.redirected || answer.status === 401) {
    location.reload();
    return;
  }
  if (!answer.ok) return;
  findings.innerHTML = await answer.text();
  showMode();
  document.dispatchEvent(new Event("findings-shown"));
}
const refresh = calmly(() => reload().catch(() => {}), 800);
const mine = (act) => (data) => String(data.study) === study && act(data);

const news = {
  study: mine(refresh),
  image: mine(refresh),
  signed: mine(() => document.dispatchEvent(new CustomEvent("study-signed"))),
  outbox: mine(() => showOutbox()),
  reload: () => refresh(),
};
listen(root.dataset.newest, news, shownIn(document.getElementById("live")));

function showMode() {
  const map = findings.querySelector(".body-map");
  if (!map) return;
  map.dataset.mode = mode;
  for (const button of findings.querySelectorAll("[data-map-mode]")) {
    button.setAttribute("aria-pressed", String(button.dataset.mapMode === mode));
  }
}

findings.addEventListener("click", (event) => {
  const button = event.target.closest("[data-map-mode]");
  if (!button) return;
  mode = button.dataset.mapMode;
  showMode();
});

/** Give a field of sites all its choices, when it is about to be used. */
function offerSites(event) {
  const choice = event.target.closest?.(".site-choice");
  if (!choice || choice.options.length > 1) return;
  const { value } = choice;
  choice.replaceChildren(document.getElementById("site-choices").content.cloneNode(true));
  choice.value = value;
}
findings.addEventListener("pointerdown", offerSites);
findings.addEventListener("focusin", offerSites);

findings.addEventListener("change", async (event) => {
  const choice = event.target.closest(".site-choice");
  if (!choice) return;
  const site = choice.value;
  choice.disabled = true;
  try {
    await request(`/api/v1/images/${choice.dataset.image}/site`, { method: "PUT", json: { site } });
    notify(t("The muscle was set and the study pooled again."), "ok");
    choice.blur();
    await reload();
  } catch (error) {
    notify(error.message, "danger");
    await reload();
  } finally {
    choice.disabled = false;
  }
});

const send = document.getElementById("send");
const menu = document.getElementById("send-menu");
const outbox = document.getElementById("outbox");
const STATES = { waiting: () => t("waits"), sending: () => t("is being sent"), sent: () => t("sent"), failed: () => t("failed") };
const KINDS = { sr: () => t("Structured report"), capture: () => t("Heat maps"), pdf: () => t("PDF"), images: () => t("Images") };

async function showOutbox() {
  if (!menu.open) return;
  try {
    const { items } = await request(`/api/v1/studies/${study}/sends`);
    const list = document.createElement("ul");
    for (const item of items) {
      const line = document.createElement("li");
      const kind = KINDS[item.kind]?.() ?? item.kind;
      line.textContent = `${kind} → ${item.peer}: ${STATES[item.status]?.() ?? item.status}${item.error ? ` (${t(item.error)})` : ""}`;
      list.append(line);
    }
    outbox.replaceChildren(...(items.length ? [list] : []));
  } catch (error) {
    outbox.textContent = error.message;
  }
}
menu.addEventListener("toggle", showOutbox);

send?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const data = new FormData(send);
  const kinds = data.getAll("kinds");
  if (!kinds.length) {
    notify(t("Choose what to send."), "warn");
    return;
  }
  try {
    await request(`/api/v1/studies/${study}/sends`, { method: "POST", json: { peer: data.get("peer"), via: data.get("via"), kinds } });
    notify(t("It is in the outbox and will be sent."), "ok");
    await showOutbox();
  } catch (error) {
    notify(error.message, "danger");
  }
});

function offerWays() {
  const peer = document.getElementById("peer");
  if (!peer) return;
  const web = peer.selectedOptions[0]?.dataset.dicomweb === "yes";
  const way = send.elements.via;
  way.querySelector('[value="dicomweb"]').disabled = !web;
  if (!web) way.value = "dimse";
}
document.getElementById("peer")?.addEventListener("change", offerWays);
offerWays();
