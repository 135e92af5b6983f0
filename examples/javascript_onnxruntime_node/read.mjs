// One muscle ultrasound image through a myosono model file, in Node.
// npm install --ignore-scripts && node read.mjs MODEL.onnx IMAGE.png
import { readFileSync } from "node:fs";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { PNG } from "pngjs";

const [model, image] = process.argv.slice(2);
const bytes = readFileSync(model);
const { width, height, data } = PNG.sync.read(readFileSync(image)); // the B-mode area alone, decoded to RGBA
const grey = Uint8Array.from({ length: width * height }, (_, i) => data[4 * i]);
const session = await InferenceSession.create(bytes);
const { probabilities } = await session.run({ image: new Tensor("uint8", grey, [height, width]) });

// onnxruntime-node does not hand out metadata: take the property from the file (key, then a varint length, then JSON).
let at = bytes.indexOf("\x0a\x07myosono\x12") + 10, length = 0, shift = 0, byte;
do { byte = bytes[at++]; length |= (byte & 127) << shift; shift += 7; } while (byte & 128);
const about = JSON.parse(bytes.subarray(at, at + length));

const result = { trained_on: about.trained_on, simulated: about.simulated };
about.classes.forEach((name, k) => (result[name] = probabilities.data[k]));
console.log(JSON.stringify(result, null, 2));
