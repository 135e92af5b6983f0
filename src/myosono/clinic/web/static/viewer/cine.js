// Playing a cine loop: frames follow the clock, and are left out rather than late.

import { ahead } from "./frames.js";

export class Cine {
  /** `pane` shows the frames; `onFrame` is called with each that is shown. */
  constructor(pane, onFrame) {
    this.pane = pane;
    this.onFrame = onFrame;
    this.rate = 20;
    this.playing = false;
    this.busy = false;
    this.due = 0;
  }

  get count() {
    return this.pane.image?.frames.length ?? 0;
  }

  play() {
    if (this.playing || this.count < 2) return;
    this.playing = true;
    this.due = performance.now();
    requestAnimationFrame((now) => this.tick(now));
  }

  stop() {
    this.playing = false;
  }

  async go(frame) {
    const count = this.count;
    if (!count) return;
    const next = ((frame % count) + count) % count;
    ahead(this.pane.image.id, next, count);
    const { image } = this.pane;
    const shown = await this.pane.show(image, next, { keepView: true });
    if (!shown && this.pane.image === image && this.pane.asked === next) this.stop(); // it cannot be fetched
    this.onFrame(next);
  }

  tick(now) {
    if (!this.playing) return;
    const period = 1000 / this.rate;
    if (!this.busy && now >= this.due) {
      const steps = Math.max(1, Math.floor((now - this.due) / period) + 1);
      this.due += steps * period;
      this.busy = true;
      this.go(this.pane.frame + steps).finally(() => (this.busy = false));
    }
    requestAnimationFrame((later) => this.tick(later));
  }
}
