// The ten states of the ledger: a colour (Okabe and Ito's palette, told apart by the colour-blind),
// a letter and a pattern, so that no reader depends on colour.
const STATES = [
  {name: "busy.cpu", letter: "C", colour: "#009e73", means: "its handler runs"},
  {name: "busy.gpu", letter: "G", colour: "#0072b2", means: "its work on the device is under way"},
  {name: "wait.input", letter: "i", colour: "#a6d3f0", means: "starved: waits for packets"},
  {name: "wait.credit", letter: "c", colour: "#d55e00", means: "held back: no credit on an edge"},
  {name: "wait.comm", letter: "n", colour: "#cc79a7", means: "waits for a collective"},
  {name: "wait.io", letter: "d", colour: "#f0e442", means: "waits for disk or a timer"},
  {name: "wait.mem", letter: "m", colour: "#e69f00", means: "waits for memory of a pool"},
  {name: "wait.sched", letter: "s", colour: "#8a8f98", means: "runnable, no thread is free"},
  {name: "paused", letter: "p", colour: "#3c4048", means: "held by a debugger"},
  {name: "off", letter: ".", colour: "#e3e6ea", means: "not started or ended"},
];
const STATE = Object.fromEntries(STATES.map((state, number) => [state.name, {...state, number}]));

/// Fills with the state's colour, hatched for those that hold a graph up.
function paint(state) {
  return ["wait.credit", "wait.comm", "wait.mem", "paused"].includes(state)
      ? `url(#hatch-${STATE[state].number})`
      : STATE[state].colour;
}

function addPatterns(svg) {
  const definitions = svg.append("defs");
  for (const [number, state] of STATES.entries()) {
    const pattern = definitions.append("pattern")
        .attr("id", `hatch-${number}`).attr("width", 6).attr("height", 6)
        .attr("patternUnits", "userSpaceOnUse")
        .attr("patternTransform", `rotate(${number % 2 ? 45 : -45})`);
    pattern.append("rect").attr("width", 6).attr("height", 6).attr("fill", state.colour);
    pattern.append("rect").attr("width", 1.6).attr("height", 6).attr("fill", "#fff")
        .attr("fill-opacity", 0.55);
  }
}

function formatBytes(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit + 1 < units.length; ++unit) bytes /= 1024;
  return `${bytes >= 100 || unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

function formatRate(rate) {
  return rate >= 1e6 ? `${(rate / 1e6).toFixed(1)} M` : rate >= 1e4 ? `${(rate / 1e3).toFixed(1)} k`
      : rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
}

function formatSeconds(seconds) {
  if (seconds < 1e-3) return `${(seconds * 1e6).toFixed(0)} µs`;
  if (seconds < 1) return `${(seconds * 1e3).toFixed(1)} ms`;
  if (seconds < 60) return `${seconds.toFixed(2)} s`;
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")} min`;
}

const percent = fraction => `${Math.round(100 * fraction)} %`;

/// Lists the states by their share, the largest first, for a screen reader and for titles.
function describeShares(fraction) {
  return Object.entries(fraction).filter(([, share]) => share >= 0.005)
      .sort((a, b) => b[1] - a[1]).map(([state, share]) => `${state} ${percent(share)}`).join(", ");
}
