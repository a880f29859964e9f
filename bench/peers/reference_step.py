#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times a training step of anemoi-models' own model on this machine's processor.

It needs anemoi-models, anemoi-training (for its model settings), scipy and torch from PyPI, in an
environment of its own. `bin/step_bench --case NAME` times ours: the same nodes, the same numbers of
neighbours, channels, layers, heads and variables; float32, AdamW, no recomputation.

    OMP_NUM_THREADS=2 python bench/peers/reference_step.py --case globe --steps 10

Prints one JSON line: wall and processor seconds per step (least, median, most), loss, versions.
"""
import argparse
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import time

import numpy
import torch
from omegaconf import OmegaConf
from scipy.spatial import cKDTree
from torch_geometric.data import HeteroData

CASES = {
    "storm": dict(data=964, hidden=241, channels=128, layers=4, heads=8, variables=6, batch=4,
                  neighbours=(9, 9, 4), node_trainables=0, edge_trainables=8),
    "globe": dict(data=5248, hidden=1288, channels=256, layers=12, heads=8, variables=20, batch=1,
                  neighbours=(12, 12, 3), node_trainables=8, edge_trainables=8),
}


def spiral(count):
    """Returns `count` points spread evenly over the unit sphere, from north to south."""
    rank = numpy.arange(count) + 0.5
    z = 1 - 2 * rank / count
    angle = numpy.pi * (1 + 5**0.5) * rank
    r = numpy.sqrt(1 - z * z)
    return numpy.stack([r * numpy.cos(angle), r * numpy.sin(angle), z], 1)


def radians(points):
    lat = numpy.arcsin(points[:, 2])
    return torch.tensor(numpy.stack([lat, numpy.arctan2(points[:, 1], points[:, 0])], 1),
                        dtype=torch.float32)


def nearest(sources, destinations, k):
    """Returns the edges from each destination's `k` nearest sources."""
    found = cKDTree(sources).query(destinations, k=k)[1]
    return numpy.stack([found.reshape(-1), numpy.repeat(numpy.arange(len(destinations)), k)])


def make_graph(case):
    points = {"data": spiral(case["data"]), "hidden": spiral(case["hidden"])}
    graph = HeteroData()
    for name, at in points.items():
        graph[name].x = radians(at)
        graph[name].num_nodes = len(at)
        graph[name].node_type = "Nodes"
    graph["data"]["area_weight"] = torch.ones(case["data"], 1)
    parts = (("data", "hidden"), ("hidden", "hidden"), ("hidden", "data"))
    for (source, destination), k in zip(parts, case["neighbours"]):
        edges = nearest(points[source], points[destination], k)
        store = graph[(source, "to", destination)]
        store.edge_index = torch.tensor(edges, dtype=torch.int64)
        store["edge_length"] = torch.rand(edges.shape[1], 1)
        store["edge_dirs"] = torch.randn(edges.shape[1], 2)
        store.edge_type = "Edges"
    return graph


def settings(case):
    package = pathlib.Path(importlib.util.find_spec("anemoi.training").origin).parent
    config = OmegaConf.create(
        {"model": OmegaConf.load(package / "config" / "model" / "graphtransformer.yaml")})
    model = config.model
    model.num_channels = case["channels"]
    model.processor.num_layers = case["layers"]
    for part in (model.processor, model.encoders["0"].mapper, model.decoders["0"].mapper):
        part.num_heads = case["heads"]
        part.graph_attention_backend = "pyg"
        part.gradient_checkpointing = False
        part.num_chunks = 1
    for kind in ("node", "edge"):
        sizes = model[f"{kind}_trainable_parameters"]
        for key in sizes:
            sizes[key] = case[f"{kind}_trainables"]
    model.bounding = {"datasets": {"data": []}}
    OmegaConf.resolve(config)
    return config


def make_model(case, graph):
    from anemoi.models.data_indices.collection import IndexCollection
    from anemoi.models.models import AnemoiModelEncProcDec

    names = {f"v{i:03d}": i for i in range(case["variables"])}
    indices = IndexCollection(OmegaConf.create({"forcing": [], "diagnostic": []}), names)
    ones = numpy.ones(case["variables"])
    keys = ("mean", "stdev", "minimum", "maximum", "min", "max")
    return AnemoiModelEncProcDec(model_config=settings(case), data_indices={"data": indices},
                                 statistics={"data": dict.fromkeys(keys, ones)}, n_step_input=2,
                                 n_step_output=1, graph_data=graph)


def main():
    arguments = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--case", choices=CASES, default="globe")
    arguments.add_argument("--steps", type=int, default=10, help="timed steps, after 2 others")
    options = arguments.parse_args()
    case = CASES[options.case]
    torch.manual_seed(0)
    model = make_model(case, make_graph(case))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-4, betas=(0.9, 0.95))
    x = torch.randn(case["batch"], 2, 1, case["data"], case["variables"])
    y = torch.randn(case["batch"], 1, 1, case["data"], case["variables"])
    weights = torch.rand(case["data"], 1)
    weights /= weights.sum()

    wall, processor = [], []
    for step in range(options.steps + 2):
        begin, used = time.perf_counter(), time.process_time()
        loss = (weights * (model({"data": x})["data"] - y) ** 2).sum() / case["variables"]
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
        if step >= 2:
            wall.append(time.perf_counter() - begin)
            processor.append(time.process_time() - used)
    spread = lambda times: [round(sorted(times)[i], 4) for i in (0, len(times) // 2, -1)]
    print(json.dumps({
        "case": options.case, "wall_s": spread(wall), "processor_s": spread(processor),
        "loss": loss.item(), "parameters": sum(p.numel() for p in model.parameters()),
        "threads": torch.get_num_threads(), "load": os.getloadavg()[0],
        "versions": {p: importlib.metadata.version(p) for p in ("torch", "anemoi-models")}}))


main()
