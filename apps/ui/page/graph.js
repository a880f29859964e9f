// The graph: a box per stage with a bar of ledger states per rank, a pipe per edge. Laid out once by
// dagre; afterwards only what changes is touched.
const graphView = (() => {
  const kWidth = 196;
  const kHead = 40;
  let layout = null;
  let shape = "";
  let spark = {};  // by edge: packets per second of the last minute
  let select = () => {};

  const barHeight = ranks => Math.max(2, Math.min(11, 110 / ranks - 2));

  function group(rows, key) {
    const groups = new Map();
    for (const row of rows) {
      if (!groups.has(row[key])) groups.set(row[key], []);
      groups.get(row[key]).push(row);
    }
    return groups;
  }

  /// Splits `read.out>compute.in` into the stages at its ends.
  function endsOf(edge) {
    const [from, to] = edge.split(">");
    return [from.slice(0, from.lastIndexOf(".")), to.slice(0, to.lastIndexOf("."))];
  }

  function build(stages, edges) {
    const graph = new dagre.graphlib.Graph({multigraph: true})
        .setGraph({rankdir: "LR", nodesep: 38, ranksep: 138, marginx: 16, marginy: 22})
        .setDefaultEdgeLabel(() => ({}));
    for (const [name, ranks] of stages) {
      const height = kHead + ranks.length * (barHeight(ranks.length) + 2) + 10;
      graph.setNode(name, {width: kWidth, height});
    }
    for (const name of edges.keys()) graph.setEdge(...endsOf(name), {}, name);
    dagre.layout(graph);
    return graph;
  }

  function draw(stages, edges) {
    layout = build(stages, edges);
    const {width, height} = layout.graph();
    const svg = d3.select("#graph").html("").append("svg")
        .attr("viewBox", `0 0 ${width} ${height}`)
        .style("max-width", `${Math.round(width * 1.35)}px`)
        .attr("role", "group").attr("aria-label", "graph");
    addPatterns(svg);
    const line = d3.line().x(point => point.x).y(point => point.y).curve(d3.curveBasis);
    for (const name of edges.keys()) {
      const [from, to] = endsOf(name);
      const {points} = layout.edge(from, to, name);
      const pipe = svg.append("g").attr("class", "edge").attr("tabindex", 0)
          .attr("role", "button").attr("data-edge", name)
          .on("click", () => select("edge", name)).on("keydown", openByKey("edge", name));
      pipe.append("path").attr("class", "hit").attr("d", line(points));
      pipe.append("path").attr("class", "pipe").attr("d", line(points));
      pipe.append("path").attr("class", "fill").attr("d", line(points)).attr("pathLength", 100);
      pipe.append("path").attr("class", "ticks").attr("d", line(points)).attr("pathLength", 100);
      const middle = points[Math.floor(points.length / 2)];
      const label = pipe.append("g").attr("class", "label")
          .attr("transform", `translate(${middle.x},${middle.y})`);
      label.append("rect").attr("x", -52).attr("y", -34).attr("width", 104).attr("height", 26)
          .attr("rx", 5);
      label.append("text").attr("class", "load").attr("y", -23);
      label.append("text").attr("class", "flow").attr("y", -12);
      label.append("path").attr("class", "spark").attr("transform", "translate(-40,12)");
      pipe.append("title");
    }
    for (const [name, ranks] of stages) {
      const node = layout.node(name);
      const box = svg.append("g").attr("class", "stage").attr("tabindex", 0)
          .attr("role", "button").attr("data-stage", name)
          .attr("transform", `translate(${node.x - kWidth / 2},${node.y - node.height / 2})`)
          .on("click", () => select("stage", name)).on("keydown", openByKey("stage", name));
      box.append("rect").attr("class", "box").attr("width", kWidth).attr("height", node.height)
          .attr("rx", 8);
      box.append("text").attr("class", "name").attr("x", 12).attr("y", 18).text(name);
      box.append("text").attr("class", "rate").attr("x", kWidth - 12).attr("y", 18);
      box.append("text").attr("class", "says").attr("x", 12).attr("y", 33);
      ranks.forEach((rank, row) => {
        const height = barHeight(ranks.length);
        const bar = box.append("g").attr("class", "bar").attr("data-row", row)
            .attr("transform", `translate(26,${kHead + row * (height + 2)})`);
        if (height >= 7) {
          bar.append("text").attr("class", "rank").attr("x", -6).attr("y", height - 1.5)
              .text(rank.rank);
        }
        STATES.forEach(state => bar.append("rect").attr("height", height)
            .attr("data-state", state.name).attr("fill", paint(state.name)));
        bar.append("text").attr("class", "letter").attr("x", kWidth - 46).attr("y", height - 1.5)
            .style("font-size", height >= 7 ? "10px" : "0");
      });
      box.append("title");
    }
  }

  const openByKey = (kind, name) => () => {
    const {key} = d3.event;
    if (key === "Enter" || key === " ") {
      d3.event.preventDefault();
      select(kind, name);
    } else if (key.startsWith("Arrow")) {
      d3.event.preventDefault();
      const all = [...document.querySelectorAll("#graph [tabindex]")];
      const step = key === "ArrowRight" || key === "ArrowDown" ? 1 : all.length - 1;
      all[(all.indexOf(document.activeElement) + step) % all.length].focus();
    }
  };

  function updateStage(name, ranks, root) {
    const box = d3.select(`#graph [data-stage="${CSS.escape(name)}"]`);
    const isRoot = root && root.stage === name;
    const held = ranks.some(rank => rank.state === "paused");
    box.classed("root", Boolean(isRoot)).classed("held", held);
    const rate = d3.mean(ranks, rank => rank.runs_per_s);
    box.select(".rate").text(`${formatRate(rate)} runs/s`);
    const shares = {};
    for (const {name: state} of STATES) shares[state] = d3.mean(ranks, rank => rank.fraction[state]);
    const most = STATES.reduce((a, b) => shares[b.name] > shares[a.name] ? b : a);
    box.select(".says").text((isRoot ? "◆ root cause: " : held ? "▮▮ " : "") +
                             `${most.name} ${percent(shares[most.name])}`);
    const width = kWidth - 52;
    ranks.forEach((rank, row) => {
      const bar = box.select(`[data-row="${row}"]`);
      let x = 0;
      for (const {name: state} of STATES) {
        const share = (rank.fraction[state] || 0) * width;
        bar.select(`[data-state="${state}"]`).attr("x", x).attr("width", Math.max(0, share));
        x += share;
      }
      bar.select(".letter").text(STATE[rank.state].letter);
    });
    const text = ranks.map(rank => `rank ${rank.rank}: ${describeShares(rank.fraction)}`);
    box.select("title").text(`${name}\n${text.join("\n")}`);
    box.attr("aria-label", `stage ${name}${isRoot ? ", the root cause" : ""}, ${text.join("; ")}`);
  }

  function updateEdge(name, ranks) {
    const pipe = d3.select(`#graph [data-edge="${CSS.escape(name)}"]`);
    const inFlight = d3.sum(ranks, rank => rank.in_flight);
    const credit = d3.sum(ranks, rank => rank.credit);
    const bytes = d3.sum(ranks, rank => rank.host_bytes + rank.device_bytes);
    const rate = d3.mean(ranks, rank => rank.packets_per_s);
    const full = Math.min(1, inFlight / credit);
    const width = 5 + Math.min(11, Math.log2(1 + bytes / 1024));
    // NiFi's thresholds: 60 and 85 percent.
    const level = full >= 0.85 ? "full" : full >= 0.6 ? "filling" : "easy";
    const dropping = ranks.some(rank => rank.dropped > 0);
    pipe.attr("class", `edge ${level}${dropping ? " dropping" : ""}`);
    pipe.select(".pipe").style("stroke-width", width + 3);
    // Packets wait at the consumer's end, so that is where a pipe fills from.
    pipe.select(".fill").style("stroke-width", width)
        .attr("stroke-dasharray", `${100 * full} 100`).attr("stroke-dashoffset", 100 * full - 100);
    const tick = 100 / Math.min(32, Math.max(1, credit / ranks.length));
    pipe.select(".ticks").style("stroke-width", width + 3)
        .attr("stroke-dasharray", `0.7 ${tick - 0.7}`);
    const mark = {full: "■ ", filling: "▲ ", easy: ""}[level];
    const each = rank => `${rank.in_flight}/${rank.credit}`;
    pipe.select(".load").text(`${mark}${ranks.length > 1 ? ranks.slice(0, 3).map(each).join(" ")
        : each(ranks[0])}${dropping ? " drops" : ""}`);
    pipe.select(".flow").text(`${formatBytes(bytes)} · ${formatRate(rate)}/s`);
    const history = spark[name] = [...(spark[name] || []), rate].slice(-120);
    const most = d3.max(history) || 1;
    // However short the history is, it has the whole width; a few points would look like a stain.
    pipe.select(".spark").attr("d", history.length < 10 ? null : d3.line()
        .x((_, i) => i * 80 / (history.length - 1)).y(value => 12 - 12 * value / most)(history));
    const waited = d3.sum(ranks, rank => rank.waited_for_credit_s);
    const text = `${name}: ${inFlight} of ${credit} credits in flight, ${formatBytes(bytes)}, ` +
        `${formatRate(rate)} packets/s, held back for ${formatSeconds(waited)}`;
    pipe.select("title").text(text);
    pipe.attr("aria-label", `edge ${text}`);
  }

  return {
    endsOf,
    onSelect(handler) { select = handler; },
    update(top) {
      const stages = group(top.stages, "stage");
      const edges = group(top.edges, "edge");
      const now = JSON.stringify([[...stages].map(([name, ranks]) => [name, ranks.length]),
                                  [...edges.keys()]]);
      if (now !== shape) {
        shape = now;
        spark = {};
        draw(stages, edges);
      }
      for (const [name, ranks] of stages) updateStage(name, ranks, top.why.root);
      for (const [name, ranks] of edges) updateEdge(name, ranks);
    },
  };
})();
