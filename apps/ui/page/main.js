// Puts the parts together: what comes from the server goes to them, keys and buttons to the server.
let hello = {read_only: true, pid: 0};
let hold = null;
let last = null;  // the newest `top`

const readOnly = () => Boolean(saved) || hello.read_only;

function log(text, kind = "event") {
  const time = new Date().toLocaleTimeString();
  const entry = d3.select("#log").insert("li", ":first-child").attr("class", kind);
  entry.append("time").text(time);
  entry.append("span").text(text);
  d3.selectAll("#log li").filter((_, i) => i >= 200).remove();
  return entry;
}

const spoken = ({verb, ...rest}) =>
    `${verb} ${Object.entries(rest).map(([key, value]) => `${key}=${value}`).join(" ")}`.trim();

/// Carries out a command that changes something, and logs it with a way back if there is one.
async function act(request, undo = null) {
  try {
    const result = await command(request);
    const entry = log(`${spoken(request)}: ${outcomeOf(request, result)}`, "done");
    if (undo) {
      entry.append("button").text("undo").on("click", function once() {
        d3.select(this).remove();
        act(undo);
      });
    }
    return result;
  } catch (error) {
    log(`${spoken(request)}: ${error.message}`, "error");
    return null;
  }
}

/// Asks something and logs the answer in words.
async function ask(request, inWords) {
  try {
    log(inWords(await command(request)), "ask");
  } catch (error) {
    log(`${spoken(request)}: ${error.message}`, "error");
  }
}

function outcomeOf(request, result) {
  switch (request.verb) {
    case "credit": return `${result.before} → ${result.credit}, ${result.state}` +
        (result.why ? `: ${result.why}` : "");
    case "break": return `breakpoint ${result.breakpoint}`;
    default: return result.state || "done";
  }
}

function showHold(next) {
  if (hold && next && hold.state !== next.state) {
    log(next.reason === "breakpoint" && next.state === "paused"
        ? `breakpoint hit: ${JSON.stringify(next.breakpoint)}` : `the graph is ${next.state}`);
  }
  hold = next;
  const state = hold ? hold.state : "";
  const held = ["pausing", "paused", "stepping"].includes(state);
  d3.select("#hold").text(held ? `▮▮ ${state}${hold.debugger ? ` by ${hold.debugger}` : ""}` +
      `, goes on in ${Math.round(hold.lease_left_s)} s unless renewed` : "");
  d3.select("#pause").attr("disabled", readOnly() || held ? true : null);
  d3.select("#resume").attr("disabled", readOnly() || !held ? true : null);
  d3.select("#step").attr("disabled", readOnly() || !held ? true : null);
  d3.select("#drain").attr("disabled", readOnly() ? true : null);
}

function showTop(top) {
  noteChanges(top);
  last = top;
  document.title = `${top.graph}: ${top.why.phrase}`;
  d3.select("#graph-name").text(top.graph);
  d3.select("#rate").text(`${formatRate(top.packets_per_s)} packets/s`);
  d3.select("#age").text(`${top.state}, ${formatSeconds(top.age_s)}`);
  graphView.update(top);
  whyStrip.update(top);
  drawer.update(top);
  timeline.noteStates(top.stages, top.age_s);
}

/// Logs what the user would want to have noticed.
function noteChanges(top) {
  if (!last) return;
  const root = why => why.root ? `${why.root.stage} ${why.root.state}` : why.verdict;
  if (root(last.why) !== root(top.why)) log(`root cause: ${top.why.phrase}`);
  if (last.state !== top.state) log(`the graph is ${top.state}`);
  top.stages.forEach((stage, i) => {
    const before = last.stages[i];
    if (!before) return;
    if (stage.skipped > before.skipped) log(`${stage.stage}@${stage.rank} skipped a packet`, "error");
    if (stage.restarts > before.restarts) log(`${stage.stage}@${stage.rank} was restarted`, "error");
  });
  top.edges.forEach((edge, i) => {
    const before = last.edges[i];
    if (before && before.credit !== edge.credit) {
      log(`${edge.edge}@${edge.rank}: credit ${before.credit} → ${edge.credit}`);
    }
  });
}

function receive(name, data) {
  d3.select("#link").text(saved ? "saved snapshot" : "live").attr("class", saved ? "saved" : "live");
  switch (name) {
    case "hello":
      hello = data;
      d3.select("#process").text(saved ? `saved ${data.saved_at}` : `process ${data.pid}`);
      d3.select("#read-only").text(readOnly() && !saved ? "read only" : "");
      showHold(null);
      break;
    case "top": showTop(data); break;
    case "hold": showHold(data); break;
    case "trace": timeline.update(data); break;
    case "gone": lost(data.message); break;
  }
}

function lost(message) {
  d3.select("#link").text(message).attr("class", "lost");
}

function legend() {
  const items = d3.select("#legend").selectAll("li").data(STATES).enter().append("li")
      .attr("title", state => state.means);
  const swatch = items.append("svg").attr("width", 16).attr("height", 12);
  swatch.append("rect").attr("width", 16).attr("height", 12).attr("rx", 2)
      .attr("fill", state => paint(state.name));
  items.append("b").text(state => state.letter);
  items.append("span").text(state => state.name);
}

function listenToKeys() {
  document.addEventListener("keydown", event => {
    if (event.key === "Escape") {
      drawer.close();
      document.getElementById("keys").close();
    }
    if (event.target.matches("input, textarea") || event.ctrlKey || event.metaKey || event.altKey) return;
    const press = id => document.getElementById(id).click();
    switch (event.key) {
      case "p": press(hold && hold.state === "paused" ? "resume" : "pause"); break;
      case "s": press("step"); break;
      case "g": document.querySelector("#graph [tabindex]").focus(); break;
      case "w": document.querySelector("#chips button, #cause").focus(); break;
      case "t": press("download"); break;
      case "?": document.getElementById("keys").showModal(); break;
    }
  });
}

function start() {
  legend();
  listenToKeys();
  timeline.start();
  graphView.onSelect(drawer.open);
  const on = (id, handler) => document.getElementById(id).addEventListener("click", handler);
  on("pause", () => act({verb: "pause"}));
  on("resume", () => act({verb: "resume"}));
  on("step", () => act({verb: "step", count: 1}));
  on("drain", () => confirm("Stop the sources and end the graph?") && act({verb: "drain"}));
  on("help", () => document.getElementById("keys").showModal());
  on("drawer-close", drawer.close);
  on("freeze", event => {
    const frozen = event.target.getAttribute("aria-pressed") !== "true";
    event.target.setAttribute("aria-pressed", frozen);
    timeline.freeze(frozen);
  });
  on("download", () => downloadTrace(10).then(
      () => log("trace of the last 10 s downloaded", "ask"), error => log(error.message, "error")));
  window.addEventListener("resize", timeline.draw);
  if (saved) {
    document.body.classList.add("saved");
    for (const [name, data] of Object.entries(saved)) receive(name, data);
    timeline.draw();
  } else {
    listen(receive, lost);
  }
}

start();
