// The last 30 seconds from the trace rings, a lane per stage and rank and one for its collectives.
// Drawn on a canvas a few times a second; a drag chooses what to download, a click follows a sample.
const timeline = (() => {
  const kSpan = 30e9;  // ns
  const kLabel = 132;
  const kLane = 13;
  const kMostEvents = 60000;
  const kKind = {run: 0, wait: 1, failure: 2, collective: 3};
  let trace = {tracks: [], edges: []};
  let events = [];
  let now = 0;
  let states = new Map();  // of each track, as the ledger tells: for what is not over yet
  let followed = null;     // sample
  let brush = null;
  let frozen = false;

  const canvas = () => document.getElementById("timeline");
  const isCollective = event => event[3] === kKind.collective;

  function lanes() {
    const order = trace.tracks.map((track, number) => ({...track, number}))
        .sort((a, b) => a.rank - b.rank || a.number - b.number);
    const withCollectives = new Set(events.filter(isCollective).map(event => event[2]));
    return order.flatMap(track => withCollectives.has(track.number)
        ? [{...track, collective: false}, {...track, collective: true}]
        : [{...track, collective: false}]);
  }

  function draw() {
    const element = canvas();
    const all = lanes();
    const scale = window.devicePixelRatio || 1;
    const width = element.clientWidth;
    const height = all.length * (kLane + 3) + 18;
    if (element.width !== Math.round(width * scale) || element.height !== Math.round(height * scale)) {
      element.style.height = `${height}px`;
      element.width = Math.round(width * scale);
      element.height = Math.round(height * scale);
    }
    const context = element.getContext("2d");
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.body);
    const ink = style.getPropertyValue("--ink");
    const faint = style.getPropertyValue("--line");
    const x = time => kLabel + (width - kLabel - 6) * (1 - (now - time) / kSpan);
    drawAxis(context, x, height, faint, style.getPropertyValue("--quiet"));
    const place = new Map();
    all.forEach((lane, row) => {
      const y = row * (kLane + 3) + 1;
      place.set(`${lane.number}${lane.collective}`, y);
      context.fillStyle = ink;
      context.font = "11px system-ui, sans-serif";
      context.fillText(lane.collective ? "   collectives" : `${lane.rank} ${lane.name}`, 2, y + 10, kLabel - 8);
      context.fillStyle = faint;
      context.fillRect(kLabel, y + kLane, width - kLabel - 6, 1);
    });
    // What lies within a run is drawn over it.
    const [runs, others] = [events.filter(event => event[3] === kKind.run),
                            events.filter(event => event[3] !== kKind.run)];
    for (const event of runs.concat(others)) {
      const y = place.get(`${event[2]}${isCollective(event)}`);
      const begin = Math.max(kLabel, x(event[0]));
      const end = x(event[0] + event[1]);
      if (y === undefined || end < kLabel) continue;
      drawEvent(context, event, begin, y, Math.max(0.7, end - begin));
    }
    for (const [track, {since, state}] of states) {
      const y = place.get(`${track}false`);
      const begin = Math.max(kLabel, x(since));
      if (y !== undefined && state !== "off") {
        fill(context, state, begin, y, Math.max(0, x(now) - begin), state === "busy.cpu" ? kLane : kLane - 6);
      }
    }
    if (followed !== null) drawArrows(context, x, place, ink);
    if (brush) {
      context.fillStyle = ink;
      context.globalAlpha = 0.12;
      context.fillRect(Math.min(brush.from, brush.to), 0, Math.abs(brush.to - brush.from), height);
      context.globalAlpha = 1;
    }
  }

  function drawAxis(context, x, height, faint, quiet) {
    context.font = "10px system-ui, sans-serif";
    for (let back = 0; back <= 30; back += 5) {
      const at = x(now - back * 1e9);
      context.fillStyle = faint;
      context.fillRect(at, 0, 1, height - 14);
      context.fillStyle = quiet;
      context.fillText(back === 0 ? "now" : `−${back} s`, at - (back === 0 ? 22 : 12), height - 3);
    }
  }

  function fill(context, state, x, y, width, height) {
    context.fillStyle = STATE[state].colour;
    context.fillRect(x, y + (kLane - height) / 2, width, height);
  }

  function drawEvent(context, event, x, y, width) {
    switch (event[3]) {
      case kKind.run: fill(context, "busy.cpu", x, y, width, kLane); break;
      case kKind.wait: fill(context, STATES[event[4]].name, x, y, width, kLane - 6); break;
      case kKind.collective: fill(context, "wait.comm", x, y, width, kLane - 4); break;
      default:
        context.fillStyle = "#c00";
        context.fillText("✖", x, y + 10);
    }
  }

  /// Joins the runs of one sample on each rank, in the order of time.
  function drawArrows(context, x, place, ink) {
    context.strokeStyle = ink;
    context.lineWidth = 1.4;
    for (const rank of new Set(trace.tracks.map(track => track.rank))) {
      const runs = events.filter(event => event[3] === kKind.run && event[6] === followed &&
                                 trace.tracks[event[2]].rank === rank);
      for (let i = 1; i < runs.length; ++i) {
        const from = [x(runs[i - 1][0] + runs[i - 1][1]), place.get(`${runs[i - 1][2]}false`) + kLane];
        const to = [x(runs[i][0]), place.get(`${runs[i][2]}false`)];
        if (to[0] < kLabel) continue;
        context.beginPath();
        context.moveTo(...from);
        context.lineTo(...to);
        context.stroke();
        context.beginPath();
        context.arc(...to, 2.5, 0, 2 * Math.PI);
        context.fillStyle = ink;
        context.fill();
      }
    }
  }

  function eventAt(x, y) {
    const lane = lanes()[Math.floor(y / (kLane + 3))];
    if (!lane) return null;
    const time = now - kSpan * (1 - (x - kLabel) / (canvas().clientWidth - kLabel - 6));
    const slack = kSpan / canvas().clientWidth;
    return events.filter(event => event[2] === lane.number && isCollective(event) === lane.collective &&
                         event[0] - slack <= time && time <= event[0] + event[1] + slack)
        .sort((a, b) => a[1] - b[1])[0] || null;
  }

  function describe(event) {
    const track = trace.tracks[event[2]];
    const what = event[3] === kKind.run ? `run${event[5] > 1 ? `s: ${event[5]}` : ""}, sample ${event[6]}`
        : event[3] === kKind.wait ? STATES[event[4]].name
        : event[3] === kKind.collective ? `collective ${event[5]}` : "failure";
    return `${track.name}, rank ${track.rank}: ${what}, ${formatSeconds(event[1] / 1e9)}`;
  }

  function showOverlap(overlap) {
    const text = overlap.filter(rank => rank.communication_s > 0).map(rank =>
        `rank ${rank.rank} ${percent(rank.fraction)} hidden, ${formatSeconds(rank.exposed_s)} exposed`);
    if (text.length > 0) d3.select("#overlap").text(`communication: ${text.join(" · ")}`);
  }

  function listenToPointer() {
    const element = canvas();
    const at = event => [event.offsetX, event.offsetY];
    element.addEventListener("pointerdown", event => {
      brush = {from: event.offsetX, to: event.offsetX};
    });
    element.addEventListener("pointermove", event => {
      if (brush && event.buttons) {
        brush.to = event.offsetX;
        draw();
      }
      const hit = eventAt(...at(event));
      element.title = hit ? describe(hit) : "";
    });
    element.addEventListener("pointerup", event => {
      const chosen = brush && Math.abs(brush.to - brush.from) > 6 ? brush : null;
      brush = null;
      if (chosen) {
        const left = Math.min(chosen.from, chosen.to);
        const back = (kSpan / 1e9) * (1 - (left - kLabel) / (element.clientWidth - kLabel - 6));
        downloadTrace(back).then(() => log(`trace of the last ${back.toFixed(1)} s downloaded`, "ask"),
                                 error => log(error.message, "error"));
        return;
      }
      const hit = eventAt(...at(event));
      followed = hit && hit[3] === kKind.run && hit[6] !== followed ? hit[6] : null;
      d3.select("#followed").text(hit ? describe(hit) : "");
      draw();
    });
  }

  return {
    start: listenToPointer,
    draw,
    freeze(on) { frozen = on; },
    update(part) {
      if (frozen) return;
      trace = {tracks: part.tracks, edges: part.edges};
      now = part.now_ns;
      events = events.concat(part.events).filter(event => event[0] + event[1] > now - kSpan)
          .slice(-kMostEvents);
      showOverlap(part.overlap);
      draw();
    },
    /// Remembers since when each stage has been in its state: the rings know only what is over.
    noteStates(stages, age) {
      const last = new Map();
      for (const event of events) {
        if (!isCollective(event)) last.set(event[2], Math.max(last.get(event[2]) || 0, event[0] + event[1]));
      }
      states = new Map();
      trace.tracks.forEach((track, number) => {
        const stage = stages.find(entry => entry.stage === track.name && entry.rank === track.rank);
        if (stage) states.set(number, {since: last.get(number) || now - Math.min(kSpan, 1e9 * age), state: stage.state});
      });
    },
  };
})();
