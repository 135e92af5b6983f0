// Uploads by drop or button: files, folders, zip archives. One request a file, so that each is kept or refused for itself.

import { csrfToken, detailOf, notify, request } from "./http.js";
import { t } from "./i18n.js";

const AT_ONCE = 3;
const panel = document.getElementById("uploads");
const zone = document.getElementById("drop-zone");
const running = new Set();

/** Files of a drop with their paths, folders walked through. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  const plain = [...transfer.files];
  if (!entries.length) return plain.map((file) => ({ file, name: file.name }));
  const found = [];
  for (const entry of entries) await walk(entry, "", found);
  return found;
}

async function walk(entry, folder, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    found.push({ file, name: folder + entry.name });
    return;
  }
  const reader = entry.createReader();
  // readEntries gives at most a hundred at a time
  for (let batch = [null]; batch.length; ) {
    batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    for (const child of batch) await walk(child, `${folder}${entry.name}/`, found);
  }
}

/** Send one file; resolves with the server's answer, rejects with a message for people. */
function send(upload, { file, name }, onProgress) {
  return new Promise((resolve, reject) => {
    const post = new XMLHttpRequest();
    post.open("POST", `/api/v1/uploads/${upload}/files?name=${encodeURIComponent(name)}`);
    post.setRequestHeader("Accept", "application/json");
    post.setRequestHeader("Content-Type", "application/octet-stream");
    post.setRequestHeader("X-CSRF-Token", csrfToken());
    post.responseType = "json";
    post.upload.addEventListener("progress", (event) => onProgress(event.loaded));
    post.addEventListener("load", () => {
      if (post.status < 300) resolve(post.response);
      else if (post.status === 401) location.reload();
      else reject(new Error(detailOf(post.response) ?? t("The clinic answered {status}.", post)));
    });
    post.addEventListener("error", () => reject(new Error(t("The connection broke. Send it again."))));
    post.send(file);
  });
}

/** Upload files, showing how far it is and what was refused. */
async function upload(files) {
  if (!files.length) return;
  const show = new Progress(files);
  let made;
  try {
    made = await request("/api/v1/uploads", { method: "POST", json: {} });
  } catch (error) {
    show.remove();
    notify(error.message, "danger");
    return;
  }
  running.add(show);
  const waiting = [...files];
  const lane = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      try {
        const said = await send(made.upload, next, (bytes) => show.sent(next, bytes));
        show.done(next, said);
      } catch (error) {
        show.done(next, { accepted: [], refused: [{ name: next.name, reason: error.message }] });
      }
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  running.delete(show);
  show.finish();
}

class Progress {
  constructor(files) {
    this.total = files.reduce((sum, { file }) => sum + file.size, 0);
    this.files = files.length;
    this.bytes = new Map();
    this.finished = 0;
    this.studies = new Map();
    this.counts = { accepted: 0, known: 0, refused: 0 };
    this.box = document.createElement("div");
    this.box.className = "upload";
    this.line = document.createElement("p");
    this.line.setAttribute("role", "status");
    this.progress = document.createElement("progress");
    this.progress.className = "progress";
    this.progress.max = Math.max(1, this.total);
    this.progress.value = 0;
    this.progress.setAttribute("aria-label", t("Upload"));
    this.list = document.createElement("ul");
    this.list.className = "refused";
    this.box.append(this.line, this.progress, this.list);
    panel.append(this.box);
    panel.hidden = false;
    this.tell();
  }

  sent(next, bytes) {
    this.bytes.set(next, Math.min(bytes, next.file.size));
    this.tell();
  }

  done(next, { accepted, refused }) {
    this.finished += 1;
    this.bytes.set(next, next.file.size);
    for (const one of accepted) {
      this.counts[one.new ? "accepted" : "known"] += 1;
      this.studies.set(one.study_id, one.study_id);
    }
    for (const one of refused) {
      this.counts.refused += 1;
      const item = document.createElement("li");
      const name = document.createElement("strong");
      name.textContent = one.name;
      const reason = document.createElement("span");
      reason.textContent = t(one.reason);
      item.append(name, reason);
      this.list.append(item);
    }
    this.tell();
  }

  tell() {
    const bytes = [...this.bytes.values()].reduce((sum, one) => sum + one, 0);
    this.progress.value = this.total ? bytes : this.finished;
    const share = Math.floor((100 * bytes) / Math.max(1, this.total));
    this.line.textContent = t("Sending {done} of {all} files, {percent} %", { done: this.finished, all: this.files, percent: share });
  }

  finish() {
    this.progress.remove();
    const parts = [t("{n} images taken in", { n: this.counts.accepted })];
    if (this.counts.known) parts.push(t("{n} known already", { n: this.counts.known }));
    if (this.counts.refused) parts.push(t("{n} refused", { n: this.counts.refused }));
    this.line.textContent = parts.join(" · ");
    const row = document.createElement("div");
    row.className = "row";
    for (const id of this.studies.keys()) {
      if (row.children.length >= 5) break;
      const link = document.createElement("a");
      link.className = "button small";
      link.href = `/studies/${id}`;
      link.textContent = t("Open study {id}", { id });
      row.append(link);
    }
    const close = document.createElement("button");
    close.type = "button";
    close.className = "button quiet small";
    close.textContent = t("Close");
    close.addEventListener("click", () => this.remove());
    row.append(close);
    this.box.append(row);
  }

  remove() {
    this.box.remove();
    panel.hidden = !panel.children.length;
  }
}

for (const button of document.querySelectorAll("[data-pick]")) {
  const input = document.getElementById(`pick-${button.dataset.pick}`);
  button.addEventListener("click", () => {
    button.closest("details").open = false;
    input.click();
  });
  input.addEventListener("change", () => {
    upload([...input.files].map((file) => ({ file, name: file.webkitRelativePath || file.name })));
    input.value = "";
  });
}

let depth = 0;
const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (!carriesFiles(event)) return;
  depth += 1;
  zone.hidden = false;
});
addEventListener("dragleave", (event) => {
  if (!carriesFiles(event)) return;
  depth = Math.max(0, depth - 1);
  zone.hidden = depth === 0;
});
addEventListener("dragover", (event) => carriesFiles(event) && event.preventDefault());
addEventListener("drop", async (event) => {
  if (!carriesFiles(event)) return;
  event.preventDefault();
  depth = 0;
  zone.hidden = true;
  upload(await dropped(event.dataTransfer));
});
addEventListener("beforeunload", (event) => running.size && event.preventDefault());
