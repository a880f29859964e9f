// The server, or a saved snapshot in its place. The token comes in the address's fragment, which
// browsers do not send; it goes out in a header.
const saved = JSON.parse(document.getElementById("snapshot").textContent);
const token = new URLSearchParams(location.hash.slice(1)).get("token") || "";

/// Sends one verb; resolves to its result, rejects with the server's one line.
async function command(request) {
  if (saved) throw new Error("a saved snapshot takes no commands");
  const response = await fetch("command", {
    method: "POST",
    headers: {"Authorization": `Bearer ${token}`, "Content-Type": "application/json"},
    body: JSON.stringify(request),
  });
  const answer = await response.json();
  if (!answer.ok) throw new Error(answer.error.message);
  return answer.result;
}

/// Calls `receive(name, data)` for every event of the server; connects again when it is lost.
async function listen(receive, lost) {
  for (;;) {
    try {
      const response = await fetch("events", {headers: {"Authorization": `Bearer ${token}`}});
      if (!response.ok) throw new Error((await response.json()).error.message);
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        const events = (rest + value).split("\n\n");
        rest = events.pop();
        for (const event of events) {
          const [, name] = /^event: (.*)$/m.exec(event) || [];
          const [, data] = /^data: (.*)$/m.exec(event) || [];
          if (name) receive(name, JSON.parse(data));
        }
      }
      lost("the server has closed the connection");
    } catch (error) {
      lost(error.message);
    }
    await new Promise(resolve => setTimeout(resolve, 2000));
  }
}

/// Saves the trace of the last seconds as a file.
async function downloadTrace(seconds) {
  const response = await fetch(`trace?last_ms=${Math.round(seconds * 1000)}`,
                               {headers: {"Authorization": `Bearer ${token}`}});
  if (!response.ok) throw new Error((await response.json()).error.message);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await response.blob());
  link.download = "askos.pftrace";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
