// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "toml_tree.hpp"

#include <string>

namespace askos::dataflow {

/// Replaces or adds the value that `setting` (`key=value`) names in the tree of a graph file.
/// Throws `Errc::kUsage` if it is not of that form, `Errc::kNotFound` if it names no such stage or
/// edge.
void apply_setting(TomlValue& root, const std::string& setting);

}  // namespace askos::dataflow
