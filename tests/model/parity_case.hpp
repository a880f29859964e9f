// SPDX-License-Identifier: Apache-2.0
// A case of tests/parity as the product reads it.
#pragma once

#include "parity/json_object.hpp"
#include "parity/model_case.hpp"

namespace askos::model::test {

using apps::doubles;
using apps::read_json;
using apps::read_tensors;

inline const std::filesystem::path kParityFolder = ASKOS_PARITY_FOLDER;

struct ParityCase : apps::ModelCase {
  explicit ParityCase(const std::string& name)
      : apps::ModelCase(apps::read_model_case(kParityFolder / name)) {}
};

}  // namespace askos::model::test
