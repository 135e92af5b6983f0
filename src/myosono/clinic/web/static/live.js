// Live news from the clinic: server-sent events, with a word on whether the connection stands.

/**
 * Listen for events after a number. `on` maps an event's kind to a function of its data ({study, ...}).
 * The browser reconnects by itself and names the last event it has seen.
 */
export function listen(after, on, onState = () => {}) {
  const source = new EventSource(`/events?after=${encodeURIComponent(after)}`);
  for (const [kind, act] of Object.entries(on)) {
    source.addEventListener(kind, (event) => act(JSON.parse(event.data)));
  }
  source.addEventListener("open", () => onState(true));
  source.addEventListener("error", () => onState(false));
  // A page in the browser's back-forward cache must not hold one of the few connections.
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  return source;
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
