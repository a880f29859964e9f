# SPDX-License-Identifier: Apache-2.0
"""Makes the cases `combined_losses` and `scalers` (../README.md).

    python make_losses.py FOLDER
"""

import json
import sys
import tempfile
import types
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

# Scalers name a task's type in an annotation; its package would bring in the whole trainer.
for package in ("anemoi.training.tasks", "anemoi.training.tasks.base"):
    sys.modules[package] = types.SimpleNamespace(BaseTask=object)

from anemoi.training.losses import scalers
from anemoi.training.losses.combined import CombinedLoss
from anemoi.training.losses.huber import HuberLoss
from anemoi.training.losses.kcrps import CRPS
from anemoi.training.losses.mae import MAELoss
from anemoi.training.losses.mse import MSELoss
from anemoi.training.losses.multiscale import MultiscaleLossWrapper
from anemoi.training.losses.rmse import RMSELoss
from anemoi.training.utils.variables_metadata import ExtractVariableGroupAndLevel
from reference import data_indices, points, scattered_nodes, versions
from safetensors.torch import save_file
from torch_geometric.data import HeteroData

LOSSES = {"MSELoss": MSELoss, "MAELoss": MAELoss, "HuberLoss": HuberLoss, "RMSELoss": RMSELoss,
          "CRPS": CRPS}
GRID = 53


def part(name, **init):
    return {"class": name, "init": init}


COMBINED = [
    ("combined.two", "pred", {"loss_weights": [1.0, 0.6]},
     [part("MSELoss"), part("MAELoss")], {}),
    ("combined.equal", "pred", {},
     [part("HuberLoss", delta=0.7), part("RMSELoss"), part("MSELoss")], {}),
    ("combined.per_variable", "pred", {"loss_weights": [0.25, 2.0]},
     [part("MSELoss"), part("MAELoss")], {"squash": False}),
    ("combined.members", "members", {"loss_weights": [1.0, 0.5]},
     [part("CRPS", alpha=0.95), part("CRPS", alpha=0.0)], {}),
]
SCALES = [
    ("scales.mse", "pred", {"weights": [0.3, 1.0], "smoothing": ["smooth_6", None]},
     part("MSELoss"), {}),
    ("scales.members", "members",
     {"weights": [0.2, 0.3, 1.0], "smoothing": ["smooth_6", "smooth_3", None]},
     part("CRPS", alpha=0.95), {}),
    ("scales.smooth_only", "pred", {"weights": [2.0], "smoothing": ["smooth_3"]},
     part("MAELoss"), {"squash": False}),
]


def smoothing(nodes, count):
    """Averages over the nearest nodes, weighted unevenly; rows add up to 1."""
    near = np.argsort(-points(nodes) @ points(nodes).T, axis=1)[:, :count]
    rows = np.repeat(np.arange(len(nodes)), count)
    values = np.tile(np.linspace(1, 0.2, count), len(nodes))
    matrix = scipy.sparse.csr_matrix((values, (rows, near.ravel())), shape=(len(nodes),) * 2)
    matrix = scipy.sparse.csr_matrix(matrix / matrix.sum(1)).astype(np.float32)
    matrix.sort_indices()
    return matrix


def make_part(entry):
    return LOSSES[entry["class"]](**entry["init"])


def evaluate(loss, case, tensors, dtype):
    for scaler in case["scalers"]:
        dims = [d if d >= 0 else 5 + d for d in scaler["dims"]]
        values = tensors[scaler["tensor"]].to(dtype)
        loss.add_scaler(tuple(dims), values, name=scaler["name"])
    loss = loss.to(dtype)
    y = tensors[case["pred"]].to(dtype, copy=True).requires_grad_(True)
    out = loss(y, tensors["target"].to(dtype), **case["forward"])
    out.sum().backward()
    return out.detach(), y.grad


def combined_losses(folder, rng):
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    draw = lambda *shape: torch.randn(*shape, generator=generator)
    nodes = scattered_nodes(GRID, rng)
    matrices = {f"smooth_{n}": smoothing(nodes, n) for n in (3, 6)}
    tensors = {"pred": draw(2, 2, 1, GRID, 4), "members": draw(2, 2, 3, GRID, 4),
               "target": draw(2, 2, 1, GRID, 4),
               "node_weights": torch.rand(GRID, generator=generator),
               "variable": torch.rand(4, generator=generator)}
    scaled = [{"name": "node_weights", "tensor": "node_weights", "dims": [3]},
              {"name": "variable", "tensor": "variable", "dims": [4]}]
    cases, worst = [], {"out": 0, "grad": 0}
    work = Path(tempfile.mkdtemp())
    for name, matrix in matrices.items():
        scipy.sparse.save_npz(work / f"{name}.npz", matrix)
        tensors |= {f"{name}.crow": torch.from_numpy(matrix.indptr.astype(np.int64)),
                    f"{name}.col": torch.from_numpy(matrix.indices.astype(np.int64)),
                    f"{name}.val": torch.from_numpy(matrix.data)}

    def combine(init, parts):
        return CombinedLoss(*[make_part(p) for p in parts],
                            loss_weights=init.get("loss_weights"))

    def scale(init, parts, dtype):
        files = [None if n is None else str(work / f"{n}.npz") for n in init["smoothing"]]
        loss = MultiscaleLossWrapper(make_part(parts[0]), init["weights"],
                                     multiscale_config={"loss_matrices": files})
        for provider in loss.smoothing_matrices:
            if provider is not None:
                provider.projection_matrix = provider.projection_matrix.to(dtype)
        return loss

    every = [(*c[:3], c[3], c[4], "CombinedLoss") for c in COMBINED]
    every += [(*c[:3], [c[3]], c[4], "MultiscaleLossWrapper") for c in SCALES]
    for name, pred, init, parts, forward, kind in every:
        for suffix, used in ((".plain", []), (".scaled", scaled)):
            case = {"id": name + suffix, "class": kind, "init": init, "pred": pred,
                    "target": "target", "weights": None, "scalers": used, "parts": parts,
                    "forward": forward}
            build = lambda dtype: (combine(init, parts) if kind == "CombinedLoss"
                                   else scale(init, parts, dtype))
            out, grad = evaluate(build(torch.float32), case, tensors, torch.float32)
            out64, grad64 = evaluate(build(torch.float64), case, tensors, torch.float64)
            worst["out"] = max(worst["out"], float((out - out64).abs().max() / out64.abs().max()))
            worst["grad"] = max(worst["grad"],
                                float((grad - grad64).abs().max() / grad64.abs().max()))
            tensors |= {f"{case['id']}.out": out.reshape(-1),
                        f"{case['id']}.out_fp64": out64.reshape(-1),
                        f"{case['id']}.grad_pred": grad}
            cases.append(case)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, folder / "io.safetensors")
    description = {"versions": versions(), "cases": cases,
                   "measured": {"fp32_minus_fp64": worst},
                   "tolerance": {"out_rel": max(8 * worst["out"], 1e-6),
                                 "grad_rel_to_max": max(8 * worst["grad"], 1e-6)}}
    (folder / "losses.json").write_text(json.dumps(description, indent=1) + "\n")
    print("combined_losses", worst)


# --- scalers --------------------------------------------------------------------------------------

# The reference never weighs the dataset's first variable by its tendency: here a forcing.
NAMES = ["lsm", "10u", "q_500", "q_850", "t_1000", "t_500", "tp", "z_500"]
GROUPS = {"default": "sfc", "pl": ["q", "t", "z"]}
LEVELS = {"group": "pl", "y_intercept": 0.25, "slope": 0.001}
SCALERS = [
    ("general", "GeneralVariableLossScaler",
     {"weights": {"default": 1.0, "q": 0.6, "t": 6.0, "tp": 0.025}}),
    ("general.mean", "GeneralVariableLossScaler",
     {"weights": {"default": 0.5, "z": 12.0}, "norm": "unit-mean"}),
    ("masked", "VariableMaskingLossScaler", {"variables": ["tp", "q"]}),
    ("only", "VariableMaskingLossScaler", {"variables": ["t"], "invert": True}),
    ("levels.linear", "LinearVariableLevelScaler", LEVELS),
    ("levels.relu", "ReluVariableLevelScaler", LEVELS | {"y_intercept": 0.6}),
    ("levels.polynomial", "PolynomialVariableLevelScaler", LEVELS | {"norm": "unit-sum"}),
    ("levels.none", "NoVariableLevelScaler", {"group": "pl"}),
    ("tendency.stdev", "StdevTendencyScaler", {}),
    ("tendency.var", "VarTendencyScaler", {}),
    ("tendency.none", "NoTendencyScaler", {}),
    ("steps", "TimeStepScaler", {"weights": [1.0, 3.0], "norm": "unit-sum"}),
    ("decay.linear", "LeadTimeDecayScaler",
     {"output_lead_times": [6, 12, 18], "decay_factor": 0.5, "max_lead_time": 24,
      "decay_type": "linear"}),
    ("decay.exponential", "LeadTimeDecayScaler",
     {"output_lead_times": [6, 12, 18], "decay_factor": 2.0, "max_lead_time": 24,
      "decay_type": "exponential", "inverse": True}),
    ("nodes", "GraphNodeAttributeScaler",
     {"nodes_attribute_name": "area_weight", "norm": "unit-sum"}),
    ("nodes.reweighted", "ReweightedGraphNodeAttributeScaler",
     {"nodes_attribute_name": "area_weight", "scaling_mask_attribute_name": "cutout_mask",
      "weight_frac_of_total": 0.3, "norm": "unit-sum"}),
]


def scalers_case(folder, rng):
    indices = data_indices(NAMES, ["lsm"], ["tp"])
    outputs = list(indices.model.output.name_to_index)
    n = len(NAMES)
    statistics = {"stdev": rng.uniform(0.5, 2, n).astype("f4")}
    tendencies = {"stdev": rng.uniform(0.1, 0.4, n).astype("f4")}
    graph = HeteroData()
    graph["data"].x = torch.from_numpy(scattered_nodes(23, rng))
    graph["data"].area_weight = torch.from_numpy(rng.uniform(0.2, 1, (23, 1)).astype("f4"))
    graph["data"].cutout_mask = torch.from_numpy(np.arange(23) < 7)[:, None]
    order = [NAMES.index(v) for v in outputs]
    tensors = {"stdev": torch.from_numpy(statistics["stdev"][order]),
               "tendency_stdev": torch.from_numpy(tendencies["stdev"][order]),
               "area_weight": graph["data"].area_weight.squeeze(1).clone(),
               "cutout_mask": graph["data"].cutout_mask.squeeze(1).to(torch.uint8)}
    common = {"data_indices": indices, "graph_data": graph, "nodes_name": "data",
              "metadata_extractor": ExtractVariableGroupAndLevel(dict(GROUPS)),
              "statistics": statistics, "timestep": "6h",
              "statistics_tendencies": {"lead_times": ["6h"], "6h": tendencies}}
    cases = []
    for name, kind, config in SCALERS:
        _, values = getattr(scalers, kind)(**common, **config).get_scaling()
        graph["data"].area_weight = tensors["area_weight"].clone()[:, None]  # one writes into it
        tensors[name] = values.float()
        cases.append({"id": name, "class": kind, "config": config})
    folder.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous().clone() for n, t in tensors.items()}, folder / "io.safetensors")
    description = {"versions": versions(), "variables": outputs,
                   "prognostic": [v for v in outputs if v != "tp"], "variable_groups": GROUPS,
                   "cases": cases, "tolerance": {"relative": 1e-6}}
    (folder / "scalers.json").write_text(json.dumps(description, indent=1) + "\n")


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    combined_losses(Path(sys.argv[1]) / "combined_losses", np.random.default_rng(11))
    scalers_case(Path(sys.argv[1]) / "scalers", np.random.default_rng(12))
