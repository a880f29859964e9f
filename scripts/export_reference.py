#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes a checkpoint of anemoi-models as plain tensors: weights, graph and description.

    python scripts/export_reference.py inference-last.ckpt --out exported
    askos weights import exported --out imported

Run it once, where the packages that made the checkpoint are installed: it has to unpickle, which runs
whatever the file says, so take checkpoints from people whom you trust. askos itself reads only what
this script writes. Reads an inference checkpoint (the pickled model interface, or a pickled model);
of a Lightning checkpoint, make an inference one first. Tried with anemoi-models 0.19.0.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

GATES = {"Sigmoid": "glu", "SiLU": "swiglu", "GELU": "geglu", "ReLU": "reglu"}


class Refusal(Exception):
    """The checkpoint holds something that askos does not compute."""


def kind(module):
    return type(module).__name__


def expect(module, *names):
    if kind(module) not in names:
        raise Refusal(f"found {kind(module)}, expected {' or '.join(names)}")
    return module


def mlp_implementation(mlp):
    first = mlp.mlp[0]
    if hasattr(first, "gating"):
        return GATES[kind(expect(first.gating, *GATES))], first.gate_proj.out_features
    activation = expect(mlp.mlp[1], "GELU")
    if activation.approximate != "none":
        raise Refusal("found GELU by tanh, expected the exact one")
    return "mlp", first.out_features


def describe_block(class_name, block, channels, provider, part):
    mlp, hidden = mlp_implementation(block.node_dst_mlp)
    return {
        "class": class_name,
        "num_channels": channels,
        "attn_channels": block.attn_channels,
        "num_heads": block.num_heads,
        "mlp_hidden_ratio": hidden / block.projection.out_features,
        "mlp_implementation": mlp,
        "qk_norm": bool(block.qk_norm),
        "edge_pre_mlp": kind(block.edge_pre_mlp) != "Identity",
        "trainable_size": provider.edge_dim - provider.edge_attr.shape[1],
        "sub_graph_edge_attributes": ["attributes"],
        "num_chunks": getattr(part, "num_chunks", 1),
        "shard_strategy": getattr(part, "shard_strategy", "edges"),
    }


def variable_names(indices):
    names = {}
    for side in ("input", "output"):
        positions = getattr(indices.model, side).name_to_index
        names[side + "_order"] = sorted(positions, key=positions.get)
    return names


def describe_residual(residual, names):
    name = kind(expect(residual, "SkipConnection", "TruncatedConnection",
                       "ScalarOrnsteinConnection", "SpectralOrnsteinConnection"))
    found = {"class": name}
    if name == "SkipConnection":
        found["step"] = residual.step
    if "Ornstein" in name:
        found |= {"theta_buff": residual.theta_buff,
                  "regressors": [names[i] for i in residual._regressors_input_idx]}
    if name == "ScalarOrnsteinConnection":
        found["theta_train"] = residual.weight.requires_grad
    if name == "SpectralOrnsteinConnection":
        found |= {"lmax": residual.weight.shape[2], "truncate": residual.truncate,
                  "use_mean": bool(residual.muzero[1].any()),
                  "anti_aliasing": residual.truncate and residual.lpass_filter.__name__
                  == "_truncate_with_anti_aliasing"}
    return found


def describe_bounding(bounding, names):
    found = {"class": kind(bounding), "variables": list(bounding.variables)}
    if hasattr(bounding, "norm_min_val"):
        found["min_val"] = bounding.norm_min_val.flatten().tolist()
    elif hasattr(bounding, "min_val"):
        found |= {"min_val": bounding.min_val, "max_val": bounding.max_val}
    if hasattr(bounding, "total_variable"):
        found["total_var"] = names[int(bounding.total_variable[0])]
    return found


def describe_dataset(model, name):
    names = variable_names(model.data_indices[name])
    found = {"dataset_name": name, "variables": names}
    if name in model.dataset2encoder:
        key = model.dataset2encoder[name]
        encoder = expect(model.encoder[key], "GraphTransformerForwardMapper")
        found |= {"encoder_key": key,
                  "encoder": describe_block(kind(encoder), encoder.proc, encoder.hidden_dim,
                                            model.encoder_graph_provider[name], encoder)}
    if name not in model.dataset2decoder:
        raise Refusal(f"dataset '{name}' has no decoder")
    key = model.dataset2decoder[name]
    decoder = expect(model.decoder[key], "GraphTransformerBackwardMapper")
    features = model.decoders_target_input[key]
    features = getattr(features, "features", [features])
    residual = model.residual[name]
    return found | {
        "decoder_key": key,
        "decoder": describe_block(kind(decoder), decoder.proc, decoder.hidden_dim,
                                  model.decoder_graph_provider[name], decoder),
        "target_node_features": [f.name for f in features],
        "residual": describe_residual(residual, names["input_order"]),
        "bounding": [describe_bounding(b, names["output_order"]) for b in model.boundings[name]],
    }


def describe_noise(injector):
    inner = injector._noise_conditioning if kind(injector) == "NoiseInjector" else injector
    if inner.noise_graph_provider is not None:
        raise Refusal("found noise on a graph of its own, expected noise at the hidden nodes")
    return {"class": kind(expect(injector, "NoiseConditioning", "NoiseInjector")),
            "noise_std": inner.noise_std, "noise_channels_dim": inner.noise_channels,
            "noise_mlp_hidden_dim": inner.noise_mlp.mlp[0].out_features}


def describe(model):
    expect(model, "AnemoiModelEncProcDec", "AnemoiEnsModelEncProcDec")
    processor = expect(model.processor, "GraphTransformerProcessor")
    layer = processor.proc[0]
    found = {
        "peer_class": f"anemoi.models.models.{kind(model)}",
        "hidden_name": model._graph_name_hidden,
        "n_step_input": model.n_step_input,
        "n_step_output": model.n_step_output,
        "num_channels": processor.num_channels,
        "latent_skip": bool(model.latent_skip),
        "latent_aggregator": kind(model.latent_aggregator),
        "processor": describe_block(kind(processor), layer, processor.num_channels,
                                    model.processor_graph_provider, processor)
        | {"num_layers": processor.num_layers},
        "node_trainables": dict(model.node_attributes.num_trainable_parameters),
        "datasets": [describe_dataset(model, name) for name in model.dataset_names],
    }
    injector = getattr(model, "noise_injector", None)
    if injector is not None and kind(injector) != "NoOpNoiseInjector":
        found["noise_injector"] = describe_noise(injector)
    return found


def edges(provider, name):
    index = provider.edge_index_base
    return {f"edges.{name}.index": index.long(), f"edges.{name}.attributes": provider.edge_attr}


def matrix(provider, name):
    csr = provider.projection_matrix
    return {f"{name}.crow": csr.crow_indices().long(), f"{name}.col": csr.col_indices().long(),
            f"{name}.val": csr.values()}


def graph_tensors(model, description):
    graph, hidden = model._graph_data, description["hidden_name"]
    found = edges(model.processor_graph_provider, f"{hidden}_to_{hidden}")
    for name in [hidden, *model.dataset_names]:
        found[f"nodes.{name}.latlon"] = graph[name].x
        if "area_weight" in graph[name]:
            found[f"nodes.{name}.area_weight"] = graph[name].area_weight.flatten().float()
    for dataset in description["datasets"]:
        name = dataset["dataset_name"]
        if "encoder" in dataset:
            found |= edges(model.encoder_graph_provider[name], f"{name}_to_{hidden}")
        found |= edges(model.decoder_graph_provider[name], f"{hidden}_to_{name}")
    first = model.residual[model.dataset_names[0]]
    if kind(first) == "TruncatedConnection":
        found |= matrix(first.provider_down, "truncation.down")
        found |= matrix(first.provider_up, "truncation.up")
    return found


def write(tensors, path):
    save_file({n: t.detach().cpu().contiguous().clone() for n, t in tensors.items()}, path)


def export(model, folder):
    """Writes weights.safetensors, graph.safetensors and model.json of a model into a folder."""
    description = describe(model)
    tensors = graph_tensors(model, description)
    folder.mkdir(parents=True, exist_ok=True)
    write(model.state_dict(), folder / "weights.safetensors")
    write(tensors, folder / "graph.safetensors")
    (folder / "model.json").write_text(json.dumps(description, indent=1) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    options = parser.parse_args()
    loaded = torch.load(options.checkpoint, map_location="cpu", weights_only=False)
    if isinstance(loaded, dict):
        sys.exit(f"{options.checkpoint}: found a training checkpoint, expected an inference one")
    try:
        export(getattr(loaded, "model", loaded), options.out)
    except Refusal as refusal:
        sys.exit(f"{options.checkpoint}: {refusal}")


if __name__ == "__main__":
    main()
