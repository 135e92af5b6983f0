// Requests to the clinic: the CSRF token goes along, and errors come back as one kind with a message for people.

import { t } from "./i18n.js";

/** What the server refused, and why. */
export class RequestError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** The token that every changing request must carry, in the header X-CSRF-Token. */
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]').content;
}

/**
 * Send a request and return the parsed JSON answer (null where there is none).
 * `json` is sent as JSON; `body` (FormData, Blob) as it is. Throws RequestError.
 */
export async function request(address, { method = "GET", json, body, signal } = {}) {
  const headers = { Accept: "application/json", "X-CSRF-Token": csrfToken() };
  if (json !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address, { method, headers, signal, body: json === undefined ? body : JSON.stringify(json) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new RequestError(0, t("The clinic does not answer. Check that it runs."));
  }
  // A page that holds what nobody has saved calls the event off, and shows the error instead of leaving.
  if (answer.status === 401 && document.dispatchEvent(new Event("signed-out", { cancelable: true }))) {
    location.assign(`/login?next=${encodeURIComponent(location.pathname + location.search)}`);
  }
  // An answer without content (204) is called JSON too, and is none.
  const isJson = answer.status !== 204 && answer.headers.get("Content-Type")?.includes("json");
  const said = isJson ? await answer.json() : null;
  if (!answer.ok) throw new RequestError(answer.status, detailOf(said) ?? t("The clinic answered {status}.", answer));
  return said;
}

/** What an answer says that refuses something, in the reader's language; null if it says nothing. */
export function detailOf(said) {
  if (typeof said?.detail === "string") return said.message ?? t(said.detail);
  return Array.isArray(said?.detail) ? said.detail.map((one) => one.msg).join("; ") : null;
}

/** Show a message in the corner; kind is "info", "ok", "warn" or "danger". It goes by itself unless it warns. */
export function notify(text, kind = "info") {
  const there = [...document.querySelectorAll("#messages .message p")];
  if (there.some((one) => one.textContent === text)) return; // said already
  const note = document.createElement("div");
  note.className = `message ${kind}`;
  const words = document.createElement("p");
  words.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.className = "button quiet small";
  close.textContent = t("Close");
  close.addEventListener("click", () => note.remove());
  note.append(words, close);
  document.getElementById("messages").append(note);
  if (kind === "info" || kind === "ok") setTimeout(() => note.remove(), 6000);
}
