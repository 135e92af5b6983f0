"""One muscle ultrasound image through a myosono model file, with onnxruntime alone.

pip install onnxruntime pillow
python read.py MODEL.onnx IMAGE.png
"""

import json
import sys

import numpy as np
import onnxruntime
from PIL import Image

model, image = sys.argv[1:]
session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
about = json.loads(session.get_modelmeta().custom_metadata_map["myosono"])
grey = np.asarray(Image.open(image).convert("L"))  # the B-mode area alone: no text, no scale, no margin
(probabilities,) = session.run(["probabilities"], {"image": grey})
result = {"trained_on": about["trained_on"], "simulated": about["simulated"]}
print(json.dumps(result | dict(zip(about["classes"], probabilities.tolist(), strict=True)), indent=2))
