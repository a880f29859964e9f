// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include <ostream>

namespace askos::apps {

using Json = nlohmann::ordered_json;

/// Prints the stages of an inspector's `top`, each with its time in every state of the ledger.
void print_stages(const Json& top, std::ostream& out);

/// Prints its edges.
void print_edges(const Json& top, std::ostream& out);

}  // namespace askos::apps
