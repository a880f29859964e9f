// The why strip: the root cause in a sentence, its chain, and chips that tell what a change would
// bring. A chip applies its change where it can, and then shows what was predicted and observed.
const whyStrip = (() => {
  const kAskAgainAfter = 5000;  // ms
  const kObserveAfter = 10000;
  let asked = "";
  let askedAt = 0;
  let chips = [];
  let watched = null;  // the change whose effect is awaited

  function sentence(why) {
    switch (why.verdict) {
      case "limited":
      case "paced": {
        const {stage, rank, state, share} = why.root;
        return [`${stage} on rank ${rank}`, why.verdict === "paced"
            ? ` paces the graph: it waits for the outside (${state}, ${percent(share)} of all waiting)`
            : ` holds the graph up: ${state} is behind ${percent(share)} of all waiting`];
      }
      case "stuck": return ["Stuck:", " stages wait for one another in a circle"];
      case "ended": return ["Nothing runs.", ""];
      default: return ["Balanced:", " little waiting, or no single cause"];
    }
  }

  function candidates(top) {
    const {why} = top;
    const list = [];
    if (why.root) list.push({verb: "what_if", stage: why.root.stage, times: 2,
                             label: `${why.root.stage} 2 × faster`});
    const held = [...top.edges].sort((a, b) => b.waited_for_credit_s - a.waited_for_credit_s)[0];
    if (held) list.push({verb: "what_if", edge: held.edge, credit: held.credit + 2,
                         before: held.credit, label: `${held.edge}: credit ${held.credit + 2}`});
    if (why.next_stage && (!why.root || why.next_stage !== why.root.stage)) {
      list.push({verb: "what_if", stage: why.next_stage, times: 2,
                 label: `${why.next_stage} 2 × faster`});
    }
    return list;
  }

  async function predict(top) {
    const wanted = candidates(top);
    const key = JSON.stringify(wanted);
    if (saved || (key === asked && Date.now() - askedAt < kAskAgainAfter)) return;
    asked = key;
    askedAt = Date.now();
    chips = (await Promise.all(wanted.map(async change => {
      const {label, before, ...request} = change;
      try {
        return {...change, predicted: await command(request)};
      } catch (error) {
        return {...change, refused: error.message};
      }
    })));
    drawChips();
  }

  function drawChips() {
    const all = d3.select("#chips").selectAll("button").data(chips, chip => chip.label);
    all.exit().remove();
    all.enter().append("button").attr("class", "chip").merge(all)
        .attr("title", chip => chip.refused || (chip.edge
            ? "apply this credit; undo it in the event log"
            : "a prediction of the ledger's model; only you can make a stage faster"))
        .html("").each(function fill(chip) {
          const button = d3.select(this);
          button.append("span").text(`what if ${chip.label}?`);
          button.append("b").text(chip.predicted ? ` ${gainOf(chip.predicted)}` : " not known");
        })
        .on("click", chip => chip.edge ? applyCredit(chip) : explain(chip));
  }

  function gainOf(predicted) {
    const gain = Math.round(100 * (predicted.predicted_per_s / predicted.packets_per_s - 1));
    return Number.isFinite(gain) ? `${gain >= 0 ? "+" : ""}${gain} %` : "no change";
  }

  function explain(chip) {
    const {predicted, refused, label} = chip;
    log(predicted
        ? `what if ${label}: ${formatRate(predicted.packets_per_s)} → ` +
          `${formatRate(predicted.predicted_per_s)} packets/s, then limited by ${predicted.limit}`
        : `what if ${label}: ${refused}`, predicted ? "ask" : "error");
  }

  async function applyCredit(chip) {
    explain(chip);
    const done = await act({verb: "credit", edge: chip.edge, credit: chip.credit},
                           {verb: "credit", edge: chip.edge, credit: chip.before});
    if (done && chip.predicted) {
      watched = {chip, at: Date.now()};
    }
  }

  function observe(top) {
    if (watched && Date.now() - watched.at >= kObserveAfter) {
      const {chip} = watched;
      watched = null;
      log(`${chip.label}: predicted ${formatRate(chip.predicted.predicted_per_s)} packets/s, ` +
          `observed ${formatRate(top.packets_per_s)}`, "ask");
    }
  }

  return {
    update(top) {
      const {why} = top;
      const [subject, rest] = sentence(why);
      d3.select("#cause").text(subject);
      d3.select("#cause-rest").text(rest);
      const chain = why.chain.map(step => step.edge
          ? `${step.stage}@${step.rank} waited ${formatSeconds(step.seconds)} (${step.state}) for ${step.edge}`
          : `${step.stage}@${step.rank} was ${step.state} for ${formatSeconds(step.seconds)}`);
      d3.select("#chain").text(chain.join("  →  "));
      observe(top);
      predict(top);
    },
  };
})();
