// Live news from the clinic: server-sent events, with a word on whether the connection stands.

import { t } from "./i18n.js";

const HIDDEN_MS = 15_000;
const AGAIN_MS = 2_000;
const AGAIN_MOST_MS = 30_000;

/**
 * Listen for events after a number. `on` maps an event's kind to a function of its data ({study, ...}).
 *
 * The browser reconnects by itself and names the last event it has seen, unless the answer was anything but 200, such as
 * a proxy's 502 while the clinic starts: then it gives up for good, and the connection is opened anew here after a pause
 * that doubles. A page that has been hidden for a while gives its connection back, since browsers keep only six to one
 * server, and catches up when it is looked at again.
 */
export function listen(after, on, onState = () => {}) {
  let seen = after;
  let source = null;
  let timer = null;
  let again = null;
  let pause = AGAIN_MS;

  function open() {
    clearTimeout(again);
    if (source) return;
    source = new EventSource(`/events?after=${encodeURIComponent(seen)}`);
    for (const [kind, act] of Object.entries(on)) {
      source.addEventListener(kind, (event) => {
        seen = event.lastEventId || seen;
        act(JSON.parse(event.data));
      });
    }
    source.addEventListener("open", () => {
      pause = AGAIN_MS;
      onState(true);
    });
    source.addEventListener("error", failed);
  }

  function failed(event) {
    onState(false);
    if (event.target !== source || source.readyState !== EventSource.CLOSED) return;
    source = null;
    again = setTimeout(open, pause);
    pause = Math.min(2 * pause, AGAIN_MOST_MS);
  }

  function close() {
    clearTimeout(again);
    source?.close();
    source = null;
  }

  document.addEventListener("visibilitychange", () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(close, HIDDEN_MS);
    else open();
  });
  // A page in the browser's back-forward cache must not hold a connection either.
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  open();
}

/** A function that shows in a chip (`data-on`, `data-off`: its words) whether the connection stands, for `listen`. */
export function shownIn(chip) {
  return (on) => {
    chip.className = `chip ${on ? "on" : "off"}`;
    chip.querySelector("span:last-child").textContent = on ? chip.dataset.on : chip.dataset.off;
    chip.title = on ? t("New results appear by themselves") : t("The connection is made again by itself");
  };
}

/** Calls `act` at most once in `wait` ms, and once more after the last call. */
export function calmly(act, wait = 400) {
  let timer = null;
  let again = false;
  const run = async () => {
    again = false;
    try {
      await act();
    } finally {
      timer = setTimeout(() => {
        timer = null;
        if (again) call();
      }, wait);
    }
  };
  const call = () => {
    if (timer !== null) {
      again = true;
      return;
    }
    timer = 0;
    run();
  };
  return call;
}
