# SPDX-License-Identifier: Apache-2.0
"""Makes the cases `ensemble`, `limited_area`, `spectral`, `two_datasets`, `low_pass`, `mean_latent`,
`single_channels`, `limits`, `octahedral` and `huber` (../README.md).

    python make_cases.py FOLDER

The same numbers come out again on the same machine and versions (reference.py names them).
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from anemoi.training.losses.huber import HuberLoss
from anemoi.training.losses.kcrps import CRPS
from reference import (BLOCK, GivenNoise, data_indices, disturb, gaussian_nodes, in_double,
                       make_graph, make_model, octahedral_nodes, scattered_nodes, versions)
from safetensors.torch import save_file

NAMES = ["10u", "cp", "lsm", "q_850", "t_850", "tp", "z_500"]
FORCING = ["lsm"]
DIAGNOSTIC = ["cp", "tp"]
BASE = "anemoi.models.models.AnemoiModelEncProcDec"


def block(class_name, channels, **changes):
    return {"num_channels": channels, **BLOCK, **changes, "class": class_name}


def encoder(channels, **changes):
    return block("GraphTransformerForwardMapper", channels, **changes)


def decoder(channels, **changes):
    return block("GraphTransformerBackwardMapper", channels, **changes)


def processor(channels, layers, **changes):
    return block("GraphTransformerProcessor", channels, **changes) | {"num_layers": layers}


def squared_error(y, target, weights):
    error = (y - target) ** 2 * weights["node"][:, None] * weights["variable"]
    error = error * weights["time"][:, None, None, None]
    return error.mean(-1).sum((1, 3)).mean()


def scaled(loss):
    """The reference's `loss` with the case's weights."""
    def evaluate_loss(y, target, weights):
        scaled_loss = loss()
        for name, dim, values in (("node_weights", 3, weights["node"]),
                                  ("variable_weights", 4, weights["variable"]),
                                  ("time_weights", 1, weights["time"])):
            scaled_loss.add_scaler(dim, values, name=name)
        return scaled_loss(y, target)
    return evaluate_loss


LOSSES = {"MSELoss": squared_error, "CRPS": scaled(lambda: CRPS(alpha=0.95)),
          "HuberLoss": scaled(lambda: HuberLoss(delta=0.7))}


def evaluate(model, case, x, targets, weights, noise, forward):
    """Outputs, loss and gradients of one forward and backward pass."""
    model.zero_grad()
    x = {name: value.clone().requires_grad_(True) for name, value in x.items()}
    with GivenNoise(noise):
        y = model({n: v.clone() for n, v in x.items()}, **forward)  # a low pass writes into x
    loss = sum(LOSSES[case["loss"]["class"]](y[n], targets[n], weights[n]) for n in y)
    loss.backward()
    gradients = {n: p.grad if p.grad is not None else torch.zeros_like(p)
                 for n, p in model.named_parameters()}
    return y, loss, {n: v.grad for n, v in x.items()}, gradients


def worst(found, expected, floor):
    largest = max(float(g.abs().max()) for g in expected.values())
    return max(float((found[n] - g).abs().max()) / max(float(g.abs().max()), floor * largest)
               for n, g in expected.items())


def write(folder, case, model, graph, tensors):
    folder.mkdir(parents=True, exist_ok=True)
    state = {n: t.contiguous().clone() for n, t in model.state_dict().items()}
    save_file(state, folder / "weights.safetensors")
    stored = {}
    for name in graph.node_types:
        stored[f"nodes.{name}.latlon"] = graph[name].x
        if name != "hidden":
            stored[f"nodes.{name}.area_weight"] = graph[name].area_weight
    for source, _, destination in graph.edge_types:
        edges = graph[(source, "to", destination)]
        prefix = f"edges.{source}_to_{destination}."
        stored[prefix + "index"] = edges.edge_index
        stored[prefix + "edge_length"] = edges.edge_length
        stored[prefix + "edge_dirs"] = edges.edge_dirs
    save_file({n: t.contiguous() for n, t in stored.items()}, folder / "graph.safetensors")
    save_file({n: t.detach().contiguous() for n, t in tensors.items()},
              folder / "io.safetensors")
    (folder / "model.json").write_text(json.dumps(case, indent=1) + "\n")


def flatten(case, name):
    """A case of one dataset is written as the older ones, without `datasets`."""
    if len(case["datasets"]) > 1:
        return case
    (dataset,) = case["datasets"]
    flat = {k: v for k, v in case.items() if k not in ("datasets", "node_trainables")}
    trainables = case["node_trainables"]
    return {"name": name, **flat, **dataset,
            "trainable_parameters": {
                "node_data": trainables[dataset["dataset_name"]],
                "node_hidden": trainables["hidden"],
                "edge_enc": dataset["encoder"]["trainable_size"],
                "edge_proc": case["processor"]["trainable_size"],
                "edge_dec": dataset["decoder"]["trainable_size"]}}


def run(folder, name, case, graph, batch, members, rng, masks=None):
    torch.manual_seed(int(rng.integers(1 << 30)))
    generator = torch.Generator().manual_seed(int(rng.integers(1 << 30)))
    indices, statistics = {}, {}
    for dataset in case["datasets"]:
        variables = dataset["variables"]
        ds = data_indices(variables["dataset_order"], variables["forcing"], variables["diagnostic"])
        n = len(variables["dataset_order"])
        statistics[dataset["dataset_name"]] = {
            "mean": rng.normal(size=n), "stdev": rng.uniform(0.5, 2, n),
            "minimum": rng.uniform(-4, -3, n), "maximum": rng.uniform(3, 4, n)}
        indices[dataset["dataset_name"]] = ds
        variables["prognostic"] = ds.prognostic
        variables["input_order"] = list(ds.model.input.name_to_index)
        variables["output_order"] = list(ds.model.output.name_to_index)
    model = make_model(case, graph, indices, statistics)
    disturb(model, generator)

    draw = lambda *shape: torch.randn(*shape, generator=generator)
    prefix = (lambda d, n: n) if len(case["datasets"]) == 1 else (lambda d, n: f"{d}.{n}")
    x, targets, weights, tensors = {}, {}, {}, {}
    for dataset in case["datasets"]:
        d = dataset["dataset_name"]
        size, out = graph[d].num_nodes, len(dataset["variables"]["output_order"])
        x[d] = draw(batch, case["n_step_input"], members, size,
                    len(dataset["variables"]["input_order"]))
        targets[d] = draw(batch, case["n_step_output"], 1, size, out)
        area = graph[d].area_weight * (1 if masks is None else masks[d])
        time = torch.rand(case["n_step_output"], generator=generator) + 0.5
        weights[d] = {"node": area / area.sum(), "time": time / time.sum(),
                      "variable": torch.rand(out, generator=generator) + 0.2}
        for key, value in weights[d].items():
            tensors[prefix(d, f"loss.{key}_weights")] = value
        if masks is not None:
            tensors[prefix(d, "limited_area_mask")] = masks[d].to(torch.uint8)
    noise, forward = None, {}
    if "noise_injector" in case:
        noise = draw(batch, members, graph["hidden"].num_nodes,
                     case["noise_injector"]["noise_channels_dim"])
        tensors["noise"] = noise
        forward = {"fcstep": case["forecast_step"]}

    y, loss, grad_x, gradients = evaluate(model, case, x, targets, weights, noise, forward)
    double = lambda group: {d: {k: v.double() for k, v in w.items()} for d, w in group.items()}
    twin = in_double(model)
    y64, loss64, grad_x64, gradients64 = evaluate(
        twin, case, {n: v.double() for n, v in x.items()},
        {n: v.double() for n, v in targets.items()}, double(weights),
        None if noise is None else noise.double(), forward)
    for d in x:
        tensors |= {prefix(d, "x"): x[d], prefix(d, "y"): y[d], prefix(d, "y_fp64"): y64[d],
                    prefix(d, "target"): targets[d], prefix(d, "grad.x"): grad_x[d]}
    tensors |= {"loss.value": loss.reshape(1), "loss.value_fp64": loss64.reshape(1)}
    tensors |= {f"grad.param.{n}": g for n, g in gradients.items()}

    floor = 1e-3
    deviation = {
        "y": max(float((y[d] - y64[d]).abs().max()) for d in y),
        "loss_rel": abs(float(loss / loss64) - 1),
        "grad_x": max(float((grad_x[d] - grad_x64[d]).abs().max()) for d in x),
        "grad_param": worst({n: g.double() for n, g in gradients.items()}, gradients64, floor)}
    largest = max(float(y64[d].abs().max()) for d in y)
    state = model.state_dict()
    parameters = dict(model.named_parameters())
    case["parameters"] = {
        "count": sum(p.numel() for p in parameters.values()), "names": list(parameters),
        "aliases_in_state_dict": {n: n.replace("attention_dest", "attention") for n in state
                                  if "layer_norm_attention_dest." in n and n not in parameters}}
    case |= {"batch_size": batch, "ensemble_size": members, "layer_norm_eps": 1e-5,
             "activation": "gelu (exact, erf)", "versions": versions(),
             "num_nodes": {n: graph[n].num_nodes for n in graph.node_types},
             "processor_graph_is_symmetric": False,
             "measured": {"fp32_minus_fp64": deviation, "y_max_abs": largest},
             "tolerance": {
                 "y_max_abs": max(8 * deviation["y"], 4e-7 * largest),
                 "loss_rel": max(8 * deviation["loss_rel"], 1e-6),
                 "grad_x_max_abs": 8 * deviation["grad_x"],
                 "grad_param_rel": max(8 * deviation["grad_param"], 4e-6),
                 "grad_param_floor": floor,
                 "fp64": {"y_max_abs": 1e-12 * largest, "loss_rel": 1e-12}}}
    write(folder / name, flatten(case, name), model, graph, tensors)
    print(name, deviation)


def one_dataset(**changes):
    return {"dataset_name": "data", "encoder_key": "0", "decoder_key": "0",
            "target_node_features": ["encoded_data"],
            "residual": {"class": "SkipConnection", "step": -1}, "bounding": [],
            "variables": {"dataset_order": NAMES, "forcing": FORCING, "diagnostic": DIAGNOSTIC},
            **changes}


def ensemble(folder, rng):
    graph = make_graph({"data": scattered_nodes(83, rng)}, scattered_nodes(29, rng), rng)
    case = {
        "text": "Three members, conditional norms, forecast step, CRPS with alpha 0.95; 2 heads.",
        "peer_class": "anemoi.models.models.AnemoiEnsModelEncProcDec",
        "n_step_input": 2, "n_step_output": 1, "num_channels": 16, "latent_skip": True,
        "latent_aggregator": "SumAggregator", "forecast_step": 3,
        "noise_injector": {"class": "NoiseConditioning", "noise_std": 1.5,
                           "noise_channels_dim": 3, "noise_mlp_hidden_dim": 5},
        "processor": processor(16, 2, num_heads=2, qk_norm=True, attn_channels=8),
        "node_trainables": {"data": 2, "hidden": 3},
        "loss": {"class": "CRPS", "alpha": 0.95},
        "datasets": [one_dataset(
            encoder=encoder(16, num_heads=2), decoder=decoder(16, num_heads=2, attn_channels=24),
            bounding=[{"class": "LeakyReluBounding", "variables": ["tp"]}])]}
    run(folder, "ensemble", case, graph, 2, 3, rng)


def limited_area(folder, rng):
    nodes = scattered_nodes(97, rng, (40, 65), (-10, 30))
    graph = make_graph({"data": nodes}, scattered_nodes(31, rng, (38, 67), (-13, 33)), rng)
    inside = (nodes > np.deg2rad([44, -5])).all(1) & (nodes < np.deg2rad([61, 25])).all(1)
    case = {
        "text": "A region whose rim has no weight, scalar Ornstein residual with regressors, "
                "leaky limits, two output steps, geglu and reglu.",
        "peer_class": BASE, "n_step_input": 2, "n_step_output": 2, "num_channels": 24,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(24, 2, num_heads=3, mlp_implementation="geglu",
                               mlp_hidden_ratio=1.3),
        "node_trainables": {"data": 3, "hidden": 0},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(24, num_heads=2, edge_pre_mlp=True, mlp_implementation="reglu"),
            decoder=decoder(24, num_heads=2, mlp_implementation="glu", trainable_size=0),
            target_node_features=["forcings", "trainable_parameters", "coordinates"],
            residual={"class": "ScalarOrnsteinConnection", "theta_init": 0.3, "theta_buff": 0.05,
                      "theta_train": True, "regressors": ["lsm"]},
            bounding=[{"class": "LeakyHardtanhBounding", "variables": ["q_850"], "min_val": -0.5,
                       "max_val": 0.75},
                      {"class": "LeakyReluBounding", "variables": ["tp"]},
                      {"class": "LeakyFractionBounding", "variables": ["cp"], "min_val": 0,
                       "max_val": 1, "total_var": "tp"}])]}
    mask = torch.from_numpy(inside.astype("f4"))
    run(folder, "limited_area", case, graph, 1, 1, rng, {"data": mask})


def spectral(folder, rng):
    graph = make_graph({"data": gaussian_nodes(6)}, scattered_nodes(19, rng), rng)
    case = {
        "text": "Spectral Ornstein residual on a regular Gaussian grid; the decoder is narrower.",
        "peer_class": BASE, "n_step_input": 1, "n_step_output": 1, "num_channels": 12,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(12, 1),
        "node_trainables": {"data": 1, "hidden": 1},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(12), decoder=decoder(8),
            residual={"class": "SpectralOrnsteinConnection", "lmax": 3, "grid": "regular",
                      "theta_init": 0.3, "theta_buff": 0.05, "use_mean": True,
                      "regressors": ["lsm"]})]}
    run(folder, "spectral", case, graph, 2, 1, rng)


def two_datasets(folder, rng):
    grids = {"data": scattered_nodes(71, rng), "sea": scattered_nodes(37, rng)}
    graph = make_graph(grids, scattered_nodes(23, rng), rng)
    sea = {"dataset_name": "sea", "encoder_key": "ocean", "decoder_key": "ocean",
           "encoder": encoder(8, num_heads=2), "decoder": decoder(8, num_heads=2, qk_norm=True),
           "target_node_features": ["prognostics", "coordinates"],
           "residual": {"class": "SkipConnection", "step": 0},
           "bounding": [{"class": "ReluBounding", "variables": ["ice"]}],
           "variables": {"dataset_order": ["ice", "mask", "sst"], "forcing": ["mask"],
                         "diagnostic": []}}
    case = {
        "name": "two_datasets",
        "text": "Two grids, an encoder and a decoder each, latent states side by side (concat).",
        "peer_class": BASE, "n_step_input": 2, "n_step_output": 1, "num_channels": 16,
        "latent_skip": True, "latent_aggregator": "ConcatAggregator",
        "processor": processor(24, 2, num_heads=3),
        "node_trainables": {"data": 2, "sea": 1, "hidden": 2},
        "loss": {"class": "MSELoss", "formula": "the sum of the datasets' losses"},
        "datasets": [one_dataset(encoder_key="air", decoder_key="air", encoder=encoder(16),
                                 decoder=decoder(16)), sea]}
    run(folder, "two_datasets", case, graph, 2, 1, rng)


def low_pass(folder, rng):
    graph = make_graph({"data": gaussian_nodes(6)}, scattered_nodes(19, rng), rng)
    case = {
        "text": "Spectral Ornstein residual that smooths its input.",
        "peer_class": BASE, "n_step_input": 2, "n_step_output": 1, "num_channels": 12,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(12, 1),
        "node_trainables": {"data": 1, "hidden": 1},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(12), decoder=decoder(12),
            residual={"class": "SpectralOrnsteinConnection", "lmax": 3, "grid": "regular",
                      "theta_init": 0.3, "theta_buff": 0.05, "use_mean": False,
                      "regressors": ["lsm"], "truncate": True, "anti_aliasing": True,
                      "skip_truncate_variables": ["z_500"]})]}
    run(folder, "low_pass", case, graph, 2, 1, rng)


def mean_latent(folder, rng):
    grids = {"data": scattered_nodes(31, rng), "sea": scattered_nodes(17, rng)}
    graph = make_graph(grids, scattered_nodes(13, rng), rng, drop=0.6)
    sea = {"dataset_name": "sea", "encoder_key": "ocean", "decoder_key": "ocean",
           "encoder": encoder(10, num_heads=2), "decoder": decoder(10, num_heads=5),
           "target_node_features": ["trainable_parameters", "prognostics"],
           "residual": {"class": "ScalarOrnsteinConnection", "theta_init": 0.2,
                        "theta_train": False},
           "bounding": [],
           "variables": {"dataset_order": ["ice", "mask", "sst"], "forcing": ["mask"],
                         "diagnostic": ["ice"]}}
    case = {
        "name": "mean_latent",
        "text": "Two grids whose latent states are averaged, one residual that is not trained, "
                "few edges: some nodes have none.",
        "peer_class": BASE, "n_step_input": 3, "n_step_output": 2, "num_channels": 10,
        "latent_skip": False, "latent_aggregator": "MeanAggregator",
        "processor": processor(10, 2, num_heads=1),
        "node_trainables": {"data": 0, "sea": 2, "hidden": 1},
        "loss": {"class": "MSELoss", "formula": "the sum of the datasets' losses"},
        "datasets": [one_dataset(encoder=encoder(10, num_heads=1), decoder=decoder(10, num_heads=2),
                                 residual={"class": "SkipConnection", "step": 1}), sea]}
    run(folder, "mean_latent", case, graph, 2, 1, rng)


def single_channels(folder, rng):
    graph = make_graph({"data": scattered_nodes(50, rng)}, scattered_nodes(7, rng), rng)
    case = {
        "text": "Heads of one, three and five channels, nothing trained at nodes, more steps out than "
                "in, few hidden nodes.",
        "peer_class": BASE, "n_step_input": 1, "n_step_output": 3, "num_channels": 15,
        "latent_skip": False, "latent_aggregator": "SumAggregator",
        "processor": processor(15, 3, num_heads=5, trainable_size=0),
        "node_trainables": {"data": 0, "hidden": 0},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(15, num_heads=3, qk_norm=True, trainable_size=0),
            decoder=decoder(15, num_heads=15, mlp_hidden_ratio=2.67, mlp_implementation="swiglu",
                            trainable_size=5))]}
    run(folder, "single_channels", case, graph, 3, 1, rng)


def limits(folder, rng):
    graph = make_graph({"data": scattered_nodes(61, rng)}, scattered_nodes(19, rng), rng)
    case = {
        "text": "Four input steps, of which the first one is skipped to; limits that are listed in "
                "another order than the variables', one a share of another variable.",
        "peer_class": BASE, "n_step_input": 4, "n_step_output": 1, "num_channels": 16,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(16, 1),
        "node_trainables": {"data": 2, "hidden": 3},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(16, mlp_implementation="glu"), decoder=decoder(16),
            residual={"class": "SkipConnection", "step": 0},
            bounding=[{"class": "ReluBounding", "variables": ["z_500", "10u"]},
                      {"class": "HardtanhBounding", "variables": ["t_850", "q_850"],
                       "min_val": -0.3, "max_val": 0.4},
                      {"class": "NormalizedLeakyReluBounding", "variables": ["tp", "cp"],
                       "min_val": [0.1, -0.2], "normalizer": ["mean-std", "std"]},
                      {"class": "FractionBounding", "variables": ["tp"], "min_val": 0,
                       "max_val": 1, "total_var": "z_500"}])]}
    run(folder, "limits", case, graph, 2, 1, rng)


def octahedral(folder, rng):
    graph = make_graph({"data": octahedral_nodes(6)}, scattered_nodes(19, rng), rng)
    case = {
        "text": "Spectral Ornstein residual on a reduced octahedral grid.",
        "peer_class": BASE, "n_step_input": 2, "n_step_output": 1, "num_channels": 12,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(12, 1),
        "node_trainables": {"data": 2, "hidden": 3},
        "loss": {"class": "MSELoss"},
        "datasets": [one_dataset(
            encoder=encoder(12), decoder=decoder(12),
            residual={"class": "SpectralOrnsteinConnection", "lmax": 2, "grid": "octahedral",
                      "theta_init": 0.2, "theta_buff": 0.1, "use_mean": True,
                      "regressors": []})]}
    run(folder, "octahedral", case, graph, 1, 1, rng)


def huber(folder, rng):
    graph = make_graph({"data": scattered_nodes(57, rng)}, scattered_nodes(17, rng), rng)
    case = {
        "text": "The Huber loss; as many steps out as in, each of which the loss weighs.",
        "peer_class": BASE, "n_step_input": 2, "n_step_output": 2, "num_channels": 16,
        "latent_skip": True, "latent_aggregator": "SumAggregator",
        "processor": processor(16, 2, num_heads=2, attn_channels=24),
        "node_trainables": {"data": 2, "hidden": 3},
        "loss": {"class": "HuberLoss", "delta": 0.7},
        "datasets": [one_dataset(encoder=encoder(16, qk_norm=True), decoder=decoder(16))]}
    run(folder, "huber", case, graph, 2, 1, rng)


if __name__ == "__main__":
    torch.use_deterministic_algorithms(True)
    torch.set_num_threads(1)
    for seed, make in enumerate((ensemble, limited_area, spectral, two_datasets,
                                low_pass, mean_latent, single_channels, limits,
                                octahedral, huber)):
        make(Path(sys.argv[1]), np.random.default_rng(seed))
