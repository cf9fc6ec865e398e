"""thingsvision's side of extraction_thingsvision.py; runs in thingsvision's own environment.

All layers in one pass, as its newest interface allows, at the pictures' own size, to one HDF5
file a layer. Prints the seconds from the first picture to the last byte, and the bytes.
"""

import json
import sys
import time
from pathlib import Path

import torch
import torchvision
from thingsvision import get_extractor_from_model
from thingsvision.utils.data import DataLoader, ImageDataset
from thingsvision.utils.storing import save_features
from torchvision import transforms


def main() -> None:
    task = json.loads(sys.argv[1])
    torch.set_num_threads(task["threads"])
    model = getattr(torchvision.models, task["network"])(weights=None)
    model.load_state_dict(torch.load(task["weights"]))
    model = model.eval()
    model = model.features if task["network"].startswith("vgg") else model
    extractor = get_extractor_from_model(model, device=task["device"], backend="pt")
    prepare = transforms.Compose(
        [
            transforms.ToTensor(),
            transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        ]
    )
    out = Path(task["out"])
    start = time.perf_counter()
    dataset = ImageDataset(task["pictures"], str(out), backend="pt", transforms=prepare)
    batches = DataLoader(dataset, batch_size=task["batch"], backend="pt")
    found = extractor.extract_features(batches, module_names=task["layers"], flatten_acts=False)
    for name, features in found.items():
        save_features(features.reshape(len(features), -1), str(out / name), file_format="hdf5")
    seconds = time.perf_counter() - start
    size = sum(path.stat().st_size for path in out.rglob("*.hdf5"))
    print(json.dumps({"seconds": seconds, "bytes": size}))


if __name__ == "__main__":
    main()
