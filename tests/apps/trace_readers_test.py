# SPDX-License-Identifier: Apache-2.0
"""Traces of the storm run, read by other people's tools: HolisticTraceAnalysis and Perfetto's schema.

usage: trace_readers_test.py ASKOS EXAMPLES      skips (77) without the packages
The tools come from PyPI: pip install HolisticTraceAnalysis perfetto; the interpreter that has them is
named by ASKOS_READERS_PYTHON when the build is configured.
"""
import collections
import json
import pathlib
import sys
import zlib

from support import running

try:
    import pandas
    from hta.trace_analysis import TraceAnalysis
    from perfetto.protos.perfetto.trace.perfetto_trace_pb2 import Trace, TrackEvent
except ImportError as error:
    running.skip(f"{error}; see the beginning of this file")

ASKOS, EXAMPLES = sys.argv[1], pathlib.Path(sys.argv[2])
TOLERANCE = 0.01  # of the overlap: Kineto's microseconds have three digits, ours are whole nanoseconds


def check_kineto(folder, figures):
    # The tool's pandas wants what newer ones refuse; a warning is not our finding.
    pandas.set_option("future.no_silent_downcasting", True)
    files = {rank: str(folder / f"t.rank{rank}.json") for rank in range(2)}
    analysis = TraceAnalysis(trace_files=files)
    overlap = analysis.get_comm_comp_overlap(visualize=False)
    for rank, percentage in zip(overlap["rank"], overlap["comp_comm_overlap_pctg"]):
        ours = 100 * figures[rank]["fraction"]
        print(f"rank {rank}: HolisticTraceAnalysis {percentage:.2f} %, askos {ours:.2f} %")
        assert abs(percentage - ours) <= 100 * TOLERANCE, (percentage, ours)
    check_operators(analysis.t)


def check_operators(trace):
    """The tool finds operators, and around each a run of its stage, but for those of a run that goes on."""
    symbols = trace.symbol_table.get_sym_table()
    for rank in range(2):
        table = trace.get_trace(rank)
        table = table.assign(end=table["ts"] + table["dur"], kind=table["cat"].map(lambda number: symbols[number]),
                             title=table["name"].map(lambda number: symbols[number]))
        num_operators, num_within = 0, 0
        for _, thread in table.groupby("tid"):
            runs = thread[(thread["kind"] == "user_annotation") & ~thread["title"].str.startswith("wait.")]
            operators = thread[(thread["kind"] == "cpu_op") & (thread["ts"] >= runs["ts"].min())
                               & (thread["end"] <= runs["end"].max())]
            num_operators += len(operators)
            num_within += sum(((runs["ts"] <= ts) & (runs["end"] >= end)).any()
                              for ts, end in zip(operators["ts"], operators["end"]))
        print(f"rank {rank}: {num_operators} operators, {num_within} of them within runs")
        assert 0 < num_operators == num_within
        assert (table["title"] == "aten::linear").any()


def packets_of(file):
    for packet in Trace.FromString(file.read_bytes()).packet:
        if packet.HasField("compressed_packets"):
            yield from Trace.FromString(zlib.decompress(packet.compressed_packets)).packet
        else:
            yield packet


def check_perfetto(file, num_events):
    now, names, tracks, depth = 0, {}, {}, collections.Counter()
    ranks_of_flow = collections.defaultdict(set)
    busiest = collections.Counter()
    for packet in packets_of(file):
        now += packet.timestamp
        for name in packet.interned_data.event_names:
            names[name.iid] = name.name
        if packet.HasField("track_descriptor"):
            tracks[packet.track_descriptor.uuid] = packet.track_descriptor
        if packet.HasField("track_event"):
            event = packet.track_event
            assert event.track_uuid in tracks
            depth[event.track_uuid] += {TrackEvent.TYPE_SLICE_BEGIN: 1, TrackEvent.TYPE_SLICE_END: -1}.get(event.type, 0)
            assert depth[event.track_uuid] >= 0
            if event.type == TrackEvent.TYPE_SLICE_BEGIN:
                busiest[names[event.name_iid]] += 1
                for flow in event.flow_ids:
                    ranks_of_flow[flow].add(tracks[event.track_uuid].parent_uuid)
    assert not any(depth.values())
    shared = sum(len(ranks) == 2 for ranks in ranks_of_flow.values())
    size = file.stat().st_size
    print(f"Perfetto: {sum(busiest.values())} slices on {len(tracks)} tracks, {shared} collectives joined "
          f"between ranks; {size} bytes, {size / num_events:.1f} per event")
    assert shared > 0 and min(busiest[name] for name in ("compute", "all_reduce", "aten::linear")) > 0
    assert size <= 12 * num_events


def main():
    with running.folder() as folder:
        data = folder / "storm.h5"
        running.run(ASKOS, "import", EXAMPLES / "storm/import.toml", "--out", data)
        with running.background(ASKOS, "train", EXAMPLES / "storm/train.toml", "--ranks", "2", "--set", f"data.file={data}",
                                "--set", f"run.folder={folder / 'run'}", "--set", "training.steps=100000"):
            running.await_graph(ASKOS, "train", packets=4)
            kineto = json.loads(running.run(ASKOS, "trace", "--operators", "2s", "--last", "10s", "-o", folder / "t.json",
                                            "--json"))
            perfetto = json.loads(running.run(ASKOS, "trace", "--operators", "1s", "--last", "10s",
                                              "-o", folder / "t.pftrace", "--json"))
        check_kineto(folder, kineto["overlap"])
        check_perfetto(folder / "t.pftrace", perfetto["events"])
    print("1 passed, 0 failed")


main()
