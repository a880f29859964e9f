// SPDX-License-Identifier: Apache-2.0
#include "peer_verbs.hpp"

#include "hold_json.hpp"
#include "peer_hold.hpp"

#include <askos/base/error.hpp>

#include <algorithm>

namespace askos::dataflow {
namespace {

/// The request as another process understands it, where the session is not the only one perhaps.
Json passed_on(const Request& request, const InspectedSession& inspected) {
  Json json = request.json;
  json.erase("token");
  json["session"] = inspected.number;
  return json;
}

/// The other process that has the rank a request names; nothing if it is this one, or nobody.
std::optional<int> rank_elsewhere(const Request& request, const PeerSessions& peers) {
  const int rank = small_integer(request, "rank", 0);
  const auto processes = peers.processes();
  if (std::ranges::find(processes, rank, &PeerProcess::rank) == processes.end()) return {};
  return rank;
}

/// Lists of breakpoints of several processes as one; those of one number are one.
Json merged(const std::vector<Json>& lists) {
  Json all = Json::array();
  for (const auto& list : lists) {
    for (const auto& breakpoint : list) {
      const auto known = std::ranges::find_if(all, [&](const Json& other) {
        return other.at("breakpoint") == breakpoint.at("breakpoint");
      });
      if (known == all.end()) {
        all.push_back(breakpoint);
        continue;
      }
      (*known)["hits"] = known->at("hits").get<int>() + breakpoint.at("hits").get<int>();
      if (known->at("hit").is_null()) (*known)["hit"] = breakpoint.at("hit");
      if (known->at("problem") == "") (*known)["problem"] = breakpoint.at("problem");
    }
  }
  std::sort(all.begin(), all.end(), [](const Json& left, const Json& right) {
    return left.at("breakpoint").get<int>() < right.at("breakpoint").get<int>();
  });
  return all;
}

Json list_breakpoints(const InspectedSession& inspected, const InspectedSessions& sessions) {
  const Json request{{"verb", "breaks"}, {"session", inspected.number}};
  auto lists = ask_peers(*inspected.peers, request);
  lists.insert(lists.begin(), answer_here(Request{request}, sessions));
  return merged(lists);
}

/// A breakpoint has one number in all processes, so that it can be told from others by it.
Json add_breakpoint(const Verb& verb,
                    Request request,
                    const InspectedSession& inspected,
                    const InspectedSessions& sessions) {
  int newest = 0;
  for (const auto& known : list_breakpoints(inspected, sessions)) {
    newest = std::max(newest, known.at("breakpoint").get<int>());
  }
  request.json["breakpoint"] = newest + 1;
  const Json line = passed_on(request, inspected);
  if (const auto rank = rank_elsewhere(request, *inspected.peers); request.has("rank") && rank) {
    return ask_peers(*inspected.peers, line, rank).front();
  }
  Json added = verb.answer(request, sessions);
  if (!request.has("rank")) (void)ask_peers(*inspected.peers, line);
  return added;
}

/// Removes a breakpoint wherever it is; an error only if it is nowhere.
Json remove_breakpoints(const Verb& verb,
                        const Request& request,
                        const InspectedSession& inspected,
                        const InspectedSessions& sessions) {
  std::optional<Error> missing;
  bool removed = false;
  const auto try_to = [&](const auto& remove) {
    try {
      (void)remove();
      removed = true;
    } catch (const Error& error) {
      if (error.code() != Errc::kNotFound) throw;
      if (!missing) missing = error;
    }
  };
  try_to([&] { return verb.answer(request, sessions); });
  for (const auto& answer : inspected.peers->ask(passed_on(request, inspected).dump())) {
    try_to([&] { return result_of(answer); });
  }
  if (!removed) throw *missing;
  return list_breakpoints(inspected, sessions);
}

}  // namespace

Json answer_with_peers(const Verb& verb,
                       const Request& request,
                       const InspectedSessions& sessions) {
  if (verb.reach == Reach::kOwn) return verb.answer(request, sessions);
  const auto& inspected = chosen_session(request, sessions);
  const auto& peers = *inspected.peers;
  auto& held = *inspected.peer_hold;
  switch (verb.reach) {
    case Reach::kOwn: break;
    case Reach::kStep:
      if (held.hold().state == HoldState::kPausing) {
        throw Error(Errc::kUsage, "the pause is not reached yet");
      }
      [[fallthrough]];
    case Reach::kHold:
      (void)verb.answer(request, sessions);
      held.pass_on(passed_on(request, inspected));
      return hold_json(held.hold());
    case Reach::kShowHold: return hold_json(held.hold(request.text("debugger")));
    case Reach::kRank:
      if (const auto rank = rank_elsewhere(request, peers)) {
        return ask_peers(peers, passed_on(request, inspected), rank).front();
      }
      break;
    case Reach::kPaused:
      if (held.hold().state != HoldState::kPaused) {
        throw Error(Errc::kUsage, "ranks are processes of their own here: pause the graph first");
      }
      [[fallthrough]];
    case Reach::kAll: {
      Json own = verb.answer(request, sessions);
      (void)ask_peers(peers, passed_on(request, inspected));
      return own;
    }
    case Reach::kAddBreak: return add_breakpoint(verb, request, inspected, sessions);
    case Reach::kListBreaks: return list_breakpoints(inspected, sessions);
    case Reach::kRemoveBreak: return remove_breakpoints(verb, request, inspected, sessions);
  }
  return verb.answer(request, sessions);
}

}  // namespace askos::dataflow
