// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace askos::model {

/// Says which parts of a configuration would explain that tensors of these names are missing, extra
/// or of another shape, for an error message: each part once, in the order met.
[[nodiscard]] std::vector<std::string> explain_misfit(const std::vector<std::string>& missing,
                                                      const std::vector<std::string>& unknown,
                                                      const std::vector<std::string>& misshapen);

}  // namespace askos::model
