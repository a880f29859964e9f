// The drawer beside the graph: all that can be seen of, and done to, one stage or one edge.
const drawer = (() => {
  let shown = null;  // {kind, name}
  let top = null;
  let opener = null;
  let peeked = null;

  const body = () => d3.select("#drawer-body");

  function button(parent, text, handler, title = "") {
    return parent.append("button").text(text).attr("title", title)
        .attr("disabled", readOnly() ? true : null).on("click", handler);
  }

  /// A labelled input with a button; Enter presses it.
  function field(parent, {label, value, type = "text", press, title = "", min = null}, handler) {
    const form = parent.append("form").attr("class", "field").on("submit", () => {
      d3.event.preventDefault();
      handler(form.select("input").property("value"));
    });
    form.append("label").text(label).append("input").attr("type", type).attr("min", min)
        .attr("title", title).property("value", value);
    form.append("button").text(press).attr("disabled", readOnly() ? true : null);
    return form;
  }

  function table(parent, headings, rows) {
    const element = parent.append("table");
    element.append("thead").append("tr").selectAll("th").data(headings).enter().append("th").text(d => d);
    element.append("tbody").selectAll("tr").data(rows).enter().append("tr")
        .selectAll("td").data(row => row).enter().append("td").text(cell => cell);
  }

  function showStage(name) {
    const ranks = () => top.stages.filter(stage => stage.stage === name);
    body().append("section").attr("id", "stage-figures");
    const actions = body().append("section").attr("class", "actions");
    button(actions, "▮▮ pause", () => act({verb: "pause", stage: name}), "at the end of its run, on all ranks");
    button(actions, "▶ resume", () => act({verb: "resume", stage: name}));
    field(actions, {label: "runs", value: 1, type: "number", min: 1, press: "step"},
          count => act({verb: "step", stage: name, count: Number(count)}));
    field(actions, {label: "times as fast", value: 2, type: "number", min: 1, press: "what if?"},
          times => ask({verb: "what_if", stage: name, times: Number(times)}, predicted =>
              `${name} ${times} × faster: ${formatRate(predicted.packets_per_s)} → ` +
              `${formatRate(predicted.predicted_per_s)} packets/s`));
    field(actions, {label: "keep its last runs", value: 5, type: "number", min: 1, press: "record"},
          count => act({verb: "record", stage: name, last: Number(count)}));
    button(actions, "why does it wait?", () => ask({verb: "why", stage: name}, why => why.text));
    return () => {
      const section = body().select("#stage-figures").html("");
      table(section, ["rank", "now", "share of the last seconds", "runs/s", "skipped", "restarts"],
            ranks().map(rank => [rank.rank, rank.state, describeShares(rank.fraction),
                                 formatRate(rank.runs_per_s), rank.skipped, rank.restarts]));
    };
  }

  function showEdge(name) {
    const ranks = () => top.edges.filter(edge => edge.edge === name);
    body().append("section").attr("id", "edge-figures");
    const actions = body().append("section").attr("class", "actions");
    const credit = ranks()[0].credit;
    const most = Math.max(8, 4 * credit);
    const slider = field(actions, {label: "credit", value: credit, type: "range", min: 1, press: "apply"},
                         value => act({verb: "credit", edge: name, credit: Number(value)},
                                      {verb: "credit", edge: name, credit}));
    slider.attr("id", "credit");
    const output = slider.select("label").append("output").text(credit);
    slider.select("input").attr("max", most).property("value", credit)
        .on("input", function show() { output.text(this.value); });
    button(actions, "credit auto", () => act({verb: "credit", edge: name, credit: "auto"},
                                             {verb: "credit", edge: name, credit}));
    field(actions, {label: "break when", value: "nan(*) > 0", press: "set",
                    title: "such as: age > 2s, sample == 17, nan(*) > 0"},
          when => act({verb: "break", edge: name, when}));
    button(actions, "remove breakpoints", () => act({verb: "unbreak"}));
    const look = body().append("section").attr("id", "peek");
    look.append("h3").text("in flight");
    const buttons = look.append("div").attr("class", "actions");
    buttons.append("button").text("look").on("click", () => peek(name, false));
    buttons.append("button").text("with statistics").on("click", () => peek(name, true));
    look.append("div").attr("id", "packets");
    if (!saved) peek(name, false);
    return () => {
      const section = body().select("#edge-figures").html("");
      table(section, ["rank", "in flight", "waiting", "bytes", "packets/s", "held back", "dropped"],
            ranks().map(rank => [rank.rank, `${rank.in_flight}/${rank.credit}`, rank.depth,
                                 formatBytes(rank.host_bytes + rank.device_bytes),
                                 formatRate(rank.packets_per_s),
                                 formatSeconds(rank.waited_for_credit_s), rank.dropped]));
    };
  }

  async function peek(edge, statistics) {
    try {
      peeked = await command({verb: "peek", edge, statistics, ...(statistics ? {histogram: 16} : {})});
    } catch (error) {
      d3.select("#packets").text(error.message);
      return;
    }
    const target = d3.select("#packets").html("");
    table(target, ["#", "sample", "where", "age", "bytes", "path so far"], peeked.packets.map(packet =>
        [packet.index, packet.sample, packet.where, formatSeconds(packet.age_s),
         formatBytes(packet.host_bytes + packet.device_bytes),
         (packet.path || []).map(step => `${step.stage} ${formatSeconds(step.seconds)}`).join(" › ")]));
    for (const packet of peeked.packets) {
      for (const tensor of (packet.payload || {tensors: []}).tensors) drawTensor(target, packet, tensor);
    }
  }

  function drawTensor(target, packet, tensor) {
    const row = target.append("div").attr("class", "tensor");
    row.append("code").text(`#${packet.index} ${tensor.name} [${tensor.shape}] ${tensor.dtype} ${tensor.device}`);
    const figures = tensor.statistics || tensor;
    if (figures.mean === undefined || figures.mean === null) return;
    row.append("span").text(` min ${figures.min} · mean ${figures.mean} · max ${figures.max}` +
                            ` · NaN ${figures.nan} · inf ${figures.inf}`);
    const counts = (tensor.histogram || figures).counts;
    if (counts) {
      const most = Math.max(...counts, 1);
      const svg = row.append("svg").attr("class", "histogram").attr("width", counts.length * 8)
          .attr("height", 30).attr("role", "img").attr("aria-label", `histogram: ${counts}`);
      svg.selectAll("rect").data(counts).enter().append("rect").attr("x", (_, i) => i * 8)
          .attr("width", 7).attr("y", count => 30 - 30 * count / most)
          .attr("height", count => 30 * count / most);
    }
  }

  let refresh = () => {};

  return {
    open(kind, name) {
      opener = document.activeElement;
      shown = {kind, name};
      d3.select("#drawer").classed("open", true).attr("aria-hidden", null);
      d3.select("#drawer-title").text(`${kind} ${name}`);
      body().html("");
      refresh = kind === "stage" ? showStage(name) : showEdge(name);
      refresh();
      document.getElementById("drawer-close").focus();
    },
    close() {
      if (!shown) return;
      shown = null;
      d3.select("#drawer").classed("open", false).attr("aria-hidden", true);
      if (opener) opener.focus();
    },
    update(next) {
      top = next;
      if (shown) refresh();
    },
  };
})();
