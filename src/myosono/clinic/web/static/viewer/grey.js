// An image with its brightness and contrast changed, as CSS filters define them, also where canvases know no filters.

const changed = new WeakMap(); // picture -> what was made of it last

/** Draw `picture` at the origin of `context`. */
export function drawGrey(context, picture, brightness, contrast) {
  if (brightness === 1 && contrast === 1) context.drawImage(picture, 0, 0);
  else if ("filter" in context) {
    context.filter = `brightness(${brightness}) contrast(${contrast})`;
    context.drawImage(picture, 0, 0);
    context.filter = "none";
  } else context.drawImage(made(picture, brightness, contrast), 0, 0); // Safari, as on an iPad
}

function made(picture, brightness, contrast) {
  const key = `${brightness} ${contrast}`;
  const last = changed.get(picture);
  if (last?.key === key) return last.canvas;
  const canvas = last?.canvas ?? Object.assign(document.createElement("canvas"), { width: picture.width, height: picture.height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = pixels;
  const table = levels(brightness, contrast);
  for (let place = 0; place < data.length; place += 4) {
    data[place] = table[data[place]];
    data[place + 1] = table[data[place + 1]];
    data[place + 2] = table[data[place + 2]];
  }
  context.putImageData(pixels, 0, 0);
  changed.set(picture, { key, canvas });
  return canvas;
}

/** Grey level to grey level: brightness multiplies, contrast stretches about the middle; each is cut off at black and white. */
function levels(brightness, contrast) {
  return Uint8ClampedArray.from({ length: 256 }, (_, level) => {
    const bright = Math.min(1, (level / 255) * brightness);
    return 255 * ((bright - 0.5) * contrast + 0.5);
  });
}
