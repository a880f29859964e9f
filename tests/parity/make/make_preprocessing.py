# SPDX-License-Identifier: Apache-2.0
"""Makes the cases `preprocessing` and `remapping` (../README.md): imputers, mappings and a
normaliser on fields with NaN.

    python make_preprocessing.py FOLDER
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from anemoi.models.preprocessing import Processors
from anemoi.models.preprocessing.imputer import ConstantImputer, CopyImputer, InputImputer
from anemoi.models.preprocessing.normalizer import InputNormalizer
from anemoi.models.preprocessing.remapper import Remapper
from omegaconf import OmegaConf
from reference import data_indices, versions
from safetensors.torch import save_file

NAMES = ["cp", "lsm", "sst", "sst_copy", "swvl", "t_850", "tp", "z"]
FORCING = ["lsm", "z"]
DIAGNOSTIC = ["cp", "tp"]
CLASSES = {"InputImputer": InputImputer, "ConstantImputer": ConstantImputer,
           "CopyImputer": CopyImputer, "InputNormalizer": InputNormalizer, "Remapper": Remapper}
# In the order in which they are applied.
STEPS = [
    ("mean_imputer", "InputImputer", {"default": "none", "mean": ["sst"], "maximum": ["tp"]}),
    ("constant_imputer", "ConstantImputer", {"default": "none", 0.25: ["swvl"]}),
    ("copy_imputer", "CopyImputer", {"default": "none", "t_850": ["sst_copy"]}),
    ("normalizer", "InputNormalizer",
     {"default": "mean-std", "std": ["tp"], "min-max": ["swvl"], "max": ["z"], "none": ["lsm"],
      "remap": {"cp": "tp"}}),
]
# All variables are in [0, 1] there, which every mapping takes; those of `lsm` and `z` are forcings.
MAPPED_STEPS = [
    ("mean_imputer", "InputImputer", {"default": "none", "mean": ["sst"]}),
    ("remapper", "Remapper",
     {"default": "none", "log1p": ["cp"], "sqrt": ["lsm"], "boxcox": ["sst_copy"],
      "power": ["tp"], "atanh": ["swvl"], "asinh": ["t_850"], "affine": ["z"],
      "displace_boundary_atoms": ["sst"],
      "method_kwargs": {"boxcox": {"lambd": 0.3, "clip_negative": True},
                        "power": {"lambd": 0.5, "clip_negative": True,
                                  "tangent_linear_above_one": True},
                        "atanh": {"rho": 1.5}, "asinh": {"c": 2.0},
                        "affine": {"scale": 3.0, "shift": -1.0},
                        "displace_boundary_atoms": {
                            "lower_atom": 0.2, "lower_target": -0.5, "upper_atom": 0.9,
                            "upper_target": 1.5, "eps": 0.01}}}),
    ("normalizer", "InputNormalizer", {"default": "mean-std"}),
]
MISSING = {"sst": 0.3, "sst_copy": 0.2, "swvl": 0.4, "tp": 0.1}


def with_gaps(shape, names, rng, unit=False):
    x = rng.normal(1, 2, (*shape, len(names))).astype("f4")
    if unit:
        x = rng.uniform(0, 1, x.shape).astype("f4")
        if "tp" in names:
            x[..., names.index("tp")] *= 1.6  # some of it beyond 1
    for i, name in enumerate(names):
        if not unit or name == "sst":
            x[..., i][rng.uniform(size=shape) < MISSING.get(name, 0)] = np.nan
    return torch.from_numpy(x)


def make(folder, rng, all_steps, unit=False):
    indices = data_indices(NAMES, FORCING, DIAGNOSTIC)
    n = len(NAMES)
    statistics = {"minimum": rng.uniform(-5, -3, n), "maximum": rng.uniform(3, 6, n),
                  "mean": rng.normal(size=n), "stdev": rng.uniform(0.5, 2, n)}
    processors = []
    for name, kind, config in all_steps:
        copy = {k: v.copy() for k, v in statistics.items()}  # the normaliser changes what it gets
        processors.append((name, CLASSES[kind](OmegaConf.create(config), indices, copy)
                           if kind not in ("ConstantImputer", "CopyImputer")
                           else CLASSES[kind](OmegaConf.create(config), indices)))
    # CopyImputer numbers its source by the whole dataset: run it where that is right, in training.
    before, after = Processors(processors), Processors(processors, inverse=True)
    names_in = list(indices.model.input.name_to_index)
    names_out = list(indices.model.output.name_to_index)
    tensors = {f"statistics.{k}": torch.from_numpy(v) for k, v in statistics.items()}

    raw = with_gaps((2, 3, 1, 31), NAMES, rng, unit)
    tensors |= {"training.raw": raw, "training.x": before(raw, in_place=False)}
    mask = torch.ones(2, 31, len(names_out))
    for _, processor in processors:
        if getattr(processor, "loss_mask_training", None) is not None:
            mask = mask * processor.loss_mask_training
    tensors["training.loss_mask"] = mask
    y = torch.from_numpy(rng.normal(size=(2, 1, 1, 31, len(names_out))).astype("f4"))
    tensors |= {"training.y": y, "training.y_raw": after(y, in_place=False)}

    forecast = [p for p in processors if p[0] != "copy_imputer"]
    before, after = Processors(forecast), Processors(forecast, inverse=True)
    raw = with_gaps((2, 2, 1, 31), names_in, rng, unit)
    raw[..., names_in.index("sst_copy")] = raw[..., names_in.index("t_850")]
    tensors |= {"forecast.raw": raw, "forecast.x": before(raw, in_place=False)}
    tensors |= {"forecast.y": y, "forecast.y_raw": after(y, in_place=False)}

    for side, group in (("pre_processors", before), ("post_processors", after)):
        for name, value in group.state_dict().items():
            tensors[f"state.{side}.data.{name}"] = value
    folder.mkdir(parents=True, exist_ok=True)
    save_file({k: v.contiguous().clone() for k, v in tensors.items()}, folder / "io.safetensors")
    steps = [{"name": name, "class": kind, "config": {str(k): v for k, v in config.items()}}
             for name, kind, config in all_steps]
    description = {
        "text": ", ".join(name for name, _, _ in all_steps) + ", there and back; `forecast` is "
                "without the copy imputer.",
        "versions": versions(), "dataset_name": "data", "steps": steps,
        "variables": {"dataset_order": NAMES, "input_order": names_in, "output_order": names_out},
        "tolerance": {"relative": 1e-6}}
    (folder / "preprocessing.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    make(Path(sys.argv[1]) / "preprocessing", np.random.default_rng(7), STEPS)
    make(Path(sys.argv[1]) / "remapping", np.random.default_rng(8), MAPPED_STEPS, unit=True)
