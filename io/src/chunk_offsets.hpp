// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "dataset_structure.hpp"

#include <hdf5.h>

namespace askos::io {

/// Finds where the chunks of `fields` lie and puts it into `structure`, whose layout is known.
///
/// HDF5 1.10 looks a chunk up in O(number of chunks). Early-allocated chunks without filters follow
/// each other, so for those the first, the last and 16 spread over the file are looked up and
/// checked. Otherwise all are listed: with `H5Dchunk_iter` where HDF5 has it, else one by one.
/// Throws `Errc::kCorruptData` if a chunk lies beyond the end of the file.
void find_chunk_offsets(hid_t fields, DatasetStructure& structure);

}  // namespace askos::io
