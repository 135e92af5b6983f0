// Live news from the clinic: server-sent events, with a word on whether the connection stands.

const HIDDEN_MS = 15_000;

/**
 * Listen for events after a number. `on` maps an event's kind to a function of its data ({study, ...}).
 *
 * The browser reconnects by itself and names the last event it has seen. A page that has been hidden for a while gives its
 * connection back, since browsers keep only six to one server, and catches up when it is looked at again.
 */
export function listen(after, on, onState = () => {}) {
  let seen = after;
  let source = null;
  let timer = null;

  function open() {
    if (source) return;
    source = new EventSource(`/events?after=${encodeURIComponent(seen)}`);
    for (const [kind, act] of Object.entries(on)) {
      source.addEventListener(kind, (event) => {
        seen = event.lastEventId || seen;
        act(JSON.parse(event.data));
      });
    }
    source.addEventListener("open", () => onState(true));
    source.addEventListener("error", () => onState(false));
  }

  function close() {
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
