#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Times graph attention of other packages on the graphs that cuda_attention_bench saved.

What is timed is the operator with its edge projection, as our kernels do both: forward, and the
gradients of queries, keys, values, edge features and the projection. Peers:

  reference   the Triton operator of anemoi-models (--reference: its models/triton/gt.py) after a linear
              layer over the edge features, all in --type
  pyg         torch_geometric's message passing (the same formula), eager
  pyg-compiled  the same through torch.compile

Nothing of them is part of this repository: give --reference a file of an unpacked wheel. Edges are sorted
by destination before anything is timed; the reference's own sorting in each call is left out.

Example:
  cuda_attention_bench --save graphs --json ours.json
  attention_peers.py --graphs graphs --reference anemoi/models/triton/gt.py --ours ours.json --json all.json
"""
import argparse
import importlib.util
import json
import math
import pathlib
import sys

FLUSH_BYTES = 256 << 20


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=pathlib.Path, required=True, help="folder of NAME.graph")
    parser.add_argument("--reference", type=pathlib.Path, help="anemoi/models/triton/gt.py")
    parser.add_argument("--peers", default="reference,pyg,pyg-compiled")
    parser.add_argument("--only", default="", help="names of graphs, default all")
    parser.add_argument("--type", default="bfloat16", choices=["bfloat16", "float16", "float32"])
    parser.add_argument("--heads", type=int, default=16)
    parser.add_argument("--head-size", type=int, default=64)
    parser.add_argument("--features", type=int, default=11)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--ours", type=pathlib.Path, help="JSON of cuda_attention_bench, to compare")
    parser.add_argument("--json", type=pathlib.Path, help="where to write all results")
    return parser.parse_args()


class Graph:
    """Edges sorted by destination, on the device, with both compressed forms."""

    def __init__(self, path):
        import numpy
        import torch

        raw = path.read_bytes()
        self.num_sources, self.num_destinations, self.num_edges = numpy.frombuffer(raw, "<i8", 3)
        nodes = numpy.frombuffer(raw, "<i4", offset=24).reshape(2, self.num_edges)
        self.src, self.dst = (torch.from_numpy(x.astype("i8")).cuda() for x in nodes)

        def offsets(ids, count):
            zero = torch.zeros(1, dtype=torch.int64, device="cuda")
            return torch.cat([zero, torch.bincount(ids, minlength=int(count)).cumsum(0)])

        self.destination_offsets = offsets(self.dst, self.num_destinations)
        self.source_offsets = offsets(self.src, self.num_sources)
        self.source_edges = torch.argsort(self.src, stable=True)


class Problem:
    def __init__(self, graph, options):
        import torch

        torch.manual_seed(1)
        dtype = getattr(torch, options.type)
        self.graph, self.heads, self.size = graph, options.heads, options.head_size
        width = options.heads * options.head_size

        def leaf(*shape, scale=1.0):
            return (torch.randn(*shape, device="cuda") * scale).to(dtype).requires_grad_(True)

        self.query = leaf(int(graph.num_destinations), options.heads, options.head_size)
        self.key = leaf(int(graph.num_sources), options.heads, options.head_size)
        self.value = leaf(int(graph.num_sources), options.heads, options.head_size)
        self.features = leaf(int(graph.num_edges), options.features)
        self.weight = leaf(width, options.features, scale=0.3)
        self.bias = leaf(width)
        self.grad = torch.randn_like(self.query)

    def leaves(self):
        return [self.query, self.key, self.value, self.features, self.weight, self.bias]

    def projected(self):
        from torch.nn.functional import linear

        return linear(self.features, self.weight, self.bias).view(-1, self.heads, self.size)


def reference_operator(path):
    specification = importlib.util.spec_from_file_location("reference_attention", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)

    def attend(p):
        g = p.graph
        return module.graph_transformer_attention_conv(
            p.query, p.key, p.value, p.projected(), (g.src, g.destination_offsets),
            (g.source_offsets, g.source_edges, g.dst[g.source_edges]))

    return attend


def pyg_operator(compiled):
    import torch
    from torch_geometric.nn.conv import MessagePassing
    from torch_geometric.utils import softmax

    class Attention(MessagePassing):
        def __init__(self):
            super().__init__(node_dim=0, aggr="add")

        def forward(self, p, edge_index, size):
            return self.propagate(edge_index, size=size, query=(None, p.query), key=(p.key, None),
                                  value=(p.value, None), edges=p.projected())

        def message(self, query_i, key_j, value_j, edges, index, size_i):
            score = (query_i * (key_j + edges)).sum(-1) / math.sqrt(query_i.size(-1))
            weight = softmax(score, index, num_nodes=size_i)
            return (value_j + edges) * weight.unsqueeze(-1)

    layer = Attention().cuda()
    forward = torch.compile(layer) if compiled else layer

    def attend(p):
        g = p.graph
        return forward(p, torch.stack([g.src, g.dst]),
                       (int(g.num_sources), int(g.num_destinations)))

    return attend


def times(repeats, before, work):
    """Milliseconds by events: median, tenth, ninetieth percentile."""
    import torch

    results = []
    for round_ in range(-5, repeats):
        state = before()
        start, stop = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        work(state)
        stop.record()
        stop.synchronize()
        if round_ >= 0:
            results.append(start.elapsed_time(stop))
    results.sort()
    return {name: results[int(part * (len(results) - 1))]
            for name, part in (("median", 0.5), ("p10", 0.1), ("p90", 0.9))}


def measure(attend, problem, repeats):
    import torch

    flush = torch.empty(FLUSH_BYTES, dtype=torch.uint8, device="cuda")
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()

    def flushed():
        flush.fill_(1)

    def forwarded():
        out = attend(problem)
        flush.fill_(1)
        return out

    result = {
        "forward_ms": times(repeats, flushed, lambda _: attend(problem)),
        "backward_ms": times(repeats, forwarded, lambda out: torch.autograd.grad(
            out, problem.leaves(), problem.grad)),
    }
    result["peak_bytes"] = torch.cuda.max_memory_allocated() - before
    return result


def main():
    options = arguments()
    import torch

    if not torch.cuda.is_available():
        print("attention_peers: no CUDA device", file=sys.stderr)
        return 6
    ours = {x["graph"]: x for x in json.loads(options.ours.read_text())} if options.ours else {}
    peers = {peer: reference_operator(options.reference) if peer == "reference" else
             pyg_operator(peer == "pyg-compiled") for peer in options.peers.split(",")}
    results = []
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}, {options.type}")
    print(f"{'graph':12}{'peer':14}{'forward':>9}{'backward':>9}{'ours':>9}{'ratio':>7}{'peak GB':>9}")
    for path in sorted(options.graphs.glob("*.graph")):
        if options.only and path.stem not in options.only.split(","):
            continue
        problem = Problem(Graph(path), options)
        for peer, attend in peers.items():
            try:
                result = measure(attend, problem, options.repeats)
            except Exception as error:  # a peer that fails leaves the others to be measured
                print(f"{path.stem:12}{peer:14} failed: {str(error).splitlines()[0][:80]}", flush=True)
                continue
            total = result["forward_ms"]["median"] + result["backward_ms"]["median"]
            mine = ours.get(path.stem)
            own = mine and mine["forward_ms"]["median"] + mine["backward_ms"]["median"]
            compared = f"{own:9.3f}{total / own:7.2f}" if own else " " * 16
            print(f"{path.stem:12}{peer:14}{result['forward_ms']['median']:9.3f}"
                  f"{result['backward_ms']['median']:9.3f}{compared}"
                  f"{result['peak_bytes'] / 1e9:9.2f}", flush=True)
            results.append({"graph": path.stem, "peer": peer, "ours": mine, **result})
            torch.cuda.empty_cache()
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
