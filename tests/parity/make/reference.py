# SPDX-License-Identifier: Apache-2.0
"""Builds small models of the reference's packages and runs them: see make_cases.py.

Made with anemoi-models 0.19.0, anemoi-graphs 0.9.8, anemoi-training 0.17.1, torch 2.11.0 (CPU),
torch-geometric 2.8.1, safetensors 0.8; installed without their dependency pins.
"""

import copy
import importlib.metadata
import sys

import numpy as np
import torch
from anemoi.models.data_indices.collection import IndexCollection
from anemoi.utils.config import DotDict
from hydra.utils import get_class
from omegaconf import OmegaConf
from torch_geometric.data import HeteroData

EDGE_ATTRIBUTES = ["edge_length", "edge_dirs"]
LAYERS = "anemoi.models.layers."


def versions():
    names = ["torch", "torch-geometric", "anemoi-models", "anemoi-graphs", "anemoi-training",
             "anemoi-utils", "numpy", "einops", "safetensors"]
    return {n: importlib.metadata.version(n) for n in names} | {"python": sys.version.split()[0]}


# --- graphs ---------------------------------------------------------------------------------------


def scattered_nodes(count, rng, lat_range=(-90, 90), lon_range=(-180, 180)):
    """Latitude and longitude in radians, evenly over the area of a box."""
    low, high = np.sin(np.deg2rad(lat_range))
    lat = np.arcsin(rng.uniform(low, high, count))
    return np.stack([lat, np.deg2rad(rng.uniform(*lon_range, count))], 1).astype(np.float32)


def gaussian_nodes(num_lat):
    """A regular grid: num_lat Gaussian latitudes from the north, 2 num_lat longitudes from 0."""
    lat = np.arcsin(np.polynomial.legendre.leggauss(num_lat)[0])[::-1]
    lon = np.arange(2 * num_lat) * np.pi / num_lat
    return np.stack(np.meshgrid(lat, lon, indexing="ij"), -1).reshape(-1, 2).astype(np.float32)


def octahedral_nodes(num_lat):
    """A reduced grid: num_lat Gaussian latitudes from the north, 20 longitudes next to the poles and
    4 more per latitude towards the equator."""
    lat = np.arcsin(np.polynomial.legendre.leggauss(num_lat)[0])[::-1]
    counts = [20 + 4 * min(i, num_lat - 1 - i) for i in range(num_lat)]
    rings = [np.stack([np.full(n, y), np.arange(n) * 2 * np.pi / n], 1)
             for y, n in zip(lat, counts)]
    return np.concatenate(rings).astype(np.float32)


def points(nodes):
    lat, lon = nodes[:, 0].astype(float), nodes[:, 1].astype(float)
    return np.stack([np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)], 1)


def nearest_edges(sources, destinations, count, rng, drop=0.0):
    """Edges from the `count` nearest sources, some dropped, in shuffled order: no symmetry."""
    near = np.argsort(-points(destinations) @ points(sources).T, axis=1)[:, :count]
    dst = np.repeat(np.arange(len(destinations)), count)
    edges = np.stack([near.ravel(), dst])
    edges = edges[:, rng.uniform(size=edges.shape[1]) >= drop]
    return edges[:, rng.permutation(edges.shape[1])]


def set_edges(graph, source, destination, index):
    """Adds edges whose attributes depend on where they lead, scaled to unit deviation."""
    a, b = graph[source].x.double()[index[0]], graph[destination].x.double()[index[1]]
    chord = torch.from_numpy(points(a.numpy()) - points(b.numpy()))
    length = 2 * torch.arcsin(chord.norm(dim=1, keepdim=True).clamp(max=2) / 2)
    turn = a[:, 1] - b[:, 1]
    direction = torch.stack([turn.sin() * a[:, 0].cos(), (a[:, 0] - b[:, 0]).sin()], 1)
    direction = direction / direction.norm(dim=1, keepdim=True).clamp(min=1e-8)
    edges = graph[(source, "to", destination)]
    edges.edge_index = torch.from_numpy(index)
    edges.edge_length = (length / length.std()).float()
    edges.edge_dirs = (direction / direction.std()).float()


def make_graph(grids, hidden, rng, neighbours=(4, 5, 3), drop=0.3):
    """grids: name to nodes. A third of the edges is missing, so that no part is symmetric."""
    graph = HeteroData()
    for name, nodes in {**grids, "hidden": hidden}.items():
        graph[name].x = torch.from_numpy(nodes)
        graph[name].num_nodes = len(nodes)
        graph[name].area_weight = torch.from_numpy(rng.uniform(0.2, 1, len(nodes)).astype("f4"))
    for name, nodes in grids.items():
        set_edges(graph, name, "hidden", nearest_edges(nodes, hidden, neighbours[0], rng, drop))
    set_edges(graph, "hidden", "hidden", nearest_edges(hidden, hidden, neighbours[1], rng, drop))
    for name, nodes in grids.items():
        set_edges(graph, "hidden", name, nearest_edges(hidden, nodes, neighbours[2], rng, drop))
    return graph


# --- models ---------------------------------------------------------------------------------------


def data_indices(names, forcing, diagnostic):
    config = OmegaConf.create({"forcing": forcing, "diagnostic": diagnostic, "target": []})
    return IndexCollection(config, {name: i for i, name in enumerate(names)})


def kernels(condition=None):
    norm = {"_target_": "torch.nn.LayerNorm"}
    if condition:
        norm = {"_target_": LAYERS + "normalization.ConditionalLayerNorm",
                "normalized_shape": condition[0], "condition_shape": condition[1],
                "zero_init": True, "autocast": False}
    qk = {"_target_": LAYERS + "normalization.AutocastLayerNorm", "bias": False}
    return {"LayerNorm": norm, "Linear": {"_target_": "torch.nn.Linear"},
            "Activation": {"_target_": "torch.nn.GELU"}, "QueryNorm": qk, "KeyNorm": qk}


BLOCK = {"attn_channels": None, "num_heads": 4, "mlp_hidden_ratio": 2, "mlp_implementation": "mlp",
         "qk_norm": False, "edge_pre_mlp": False, "num_chunks": 1, "shard_strategy": "edges",
         "trainable_size": 3, "sub_graph_edge_attributes": EDGE_ATTRIBUTES}


def mapper(class_name, block, layer_kernels):
    return {"_target_": LAYERS + class_name, "cpu_offload": False, "gradient_checkpointing": False,
            "graph_attention_backend": "pyg", "layer_kernels": layer_kernels, **block}


def make_model(case, graph, indices, statistics):
    """case: the description that also goes into model.json."""
    noise = case.get("noise_injector")
    condition = None
    if noise and noise["class"] == "NoiseConditioning":
        condition = (case["processor"]["num_channels"], noise["noise_channels_dim"])
    model = {
        "condition_on_residual": False,
        "model": {"hidden_nodes_name": "hidden", "latent_skip": case["latent_skip"]},
        "node_trainable_parameters": case["node_trainables"],
        "encoders": {}, "decoders": {},
        "processor": {"num_layers": case["processor"]["num_layers"],
                      **mapper("processor.GraphTransformerProcessor",
                               {k: v for k, v in case["processor"].items() if k != "class"},
                               kernels(condition))},
        "latent_aggregator": {"_target_": LAYERS + "aggregator." + case["latent_aggregator"]},
        "residual": {"datasets": {}}, "bounding": {"datasets": {}},
    }
    for dataset in case["datasets"]:
        name = dataset["dataset_name"]
        if "encoder" in dataset:
            block = {k: v for k, v in dataset["encoder"].items() if k != "class"}
            model["encoders"][dataset["encoder_key"]] = {
                "source_datasets": [name], "dataset_fusing_strategy": "not_supported",
                "mapper": mapper("mapper.GraphTransformerForwardMapper", block, kernels())}
        block = {k: v for k, v in dataset["decoder"].items() if k != "class"}
        model["decoders"][dataset["decoder_key"]] = {
            "target_datasets": [name], "target_node_features": dataset["target_node_features"],
            "mapper": mapper("mapper.GraphTransformerBackwardMapper", block, kernels())}
        residual = dict(dataset["residual"])
        residual["_target_"] = LAYERS + "residual." + residual.pop("class")
        model["residual"]["datasets"][name] = residual
        model["bounding"]["datasets"][name] = [
            {"_target_": LAYERS + "bounding." + b["class"],
             **{k: v for k, v in b.items() if k not in ("class", "norm_min_val")}}
            for b in dataset["bounding"]]
    if noise:
        model["noise_injector"] = {
            "_target_": LAYERS + "ensemble." + noise["class"], "layer_kernels": kernels(),
            "num_channels": case["processor"]["num_channels"],
            **{k: v for k, v in noise.items() if k != "class"}}
    return get_class(case["peer_class"])(
        model_config=DotDict({"model": model}), data_indices=indices, statistics=statistics,
        graph_data=graph, n_step_input=case["n_step_input"], n_step_output=case["n_step_output"])


def disturb(model, generator):
    """Moves parameters off their start values, 0 or 1 for many, so that no term is hidden."""
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        scale = 0.4 if "trainable" in name else 0.1
        if parameter.ndim == 1 or "trainable" in name or not parameter.any():
            parameter.data += scale * noise
        if name.endswith("node_data_extractor.1.weight"):
            parameter.data *= 2


class GivenNoise:
    """Makes torch.randn return `noise`, shaped [batch, member, node, channel], while it is open."""

    def __init__(self, noise):
        self.noise = noise

    def __enter__(self):
        self.randn = torch.randn
        torch.randn = lambda size, dtype, device: self.noise  # in double for a twin

    def __exit__(self, *unused):
        torch.randn = self.randn


def in_double(model):
    twin = copy.deepcopy(model).double()
    for module in twin.modules():  # buffers that are no parameters of torch's own casting
        for key, value in list(vars(module).items()):
            if isinstance(value, torch.Tensor) and value.dtype == torch.float32:
                setattr(module, key, value.double())
    return twin
