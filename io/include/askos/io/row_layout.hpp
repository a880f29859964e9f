// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace askos::io {

/// How the values of one row and one range of cells lie in memory.
enum class RowLayout {
  kVariableCell,  ///< `[var, ens, cell]`, as in the file
  kCellVariable,  ///< `[ens, cell, var]`, as a model wants it
};

}  // namespace askos::io
