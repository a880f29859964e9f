// SPDX-License-Identifier: Apache-2.0
#include "chunk_offsets.hpp"

#include "hdf5_handles.hpp"

#include <array>

namespace askos::io {
namespace {

constexpr std::int64_t kSamples = 16;

std::array<hsize_t, 4> place_of(const FieldLayout& layout, std::int64_t position) {
  return {static_cast<hsize_t>(position / layout.chunks_per_row()), 0, 0,
          static_cast<hsize_t>(position % layout.chunks_per_row() * layout.chunk_cells)};
}

/// Returns the offset of a chunk; -1 if it was never written.
std::int64_t look_up(hid_t fields, const FieldLayout& layout, std::int64_t position) {
  const auto place = place_of(layout, position);
  haddr_t offset = HADDR_UNDEF;
  hsize_t size = 0;
  check_hdf5(H5Dget_chunk_info_by_coord(fields, place.data(), nullptr, &offset, &size),
             "locating a chunk");
  if (offset == HADDR_UNDEF) {
    return -1;
  }
  if (static_cast<std::int64_t>(size) != layout.chunk_bytes()) {
    throw Error(Errc::kShapeMismatch, "chunk has another size than its shape says")
        .with("expected_bytes", layout.chunk_bytes())
        .with("found_bytes", size);
  }
  return static_cast<std::int64_t>(offset);
}

bool is_implicit(hid_t fields, const FieldLayout& layout, std::int64_t num_chunks) {
  const Hdf5Handle properties(H5Dget_create_plist(fields), "inspecting the fields");
  H5D_alloc_time_t when = H5D_ALLOC_TIME_LATE;
  check_hdf5(H5Pget_alloc_time(properties, &when), "inspecting the fields");
  if (when != H5D_ALLOC_TIME_EARLY ||
      static_cast<std::int64_t>(H5Dget_storage_size(fields)) != num_chunks * layout.chunk_bytes()) {
    return false;
  }
  const std::int64_t first = look_up(fields, layout, 0);
  for (std::int64_t i = 1; i <= kSamples + 1; ++i) {
    const std::int64_t position = (num_chunks - 1) * i / (kSamples + 1);
    if (look_up(fields, layout, position) != first + position * layout.chunk_bytes()) {
      return false;
    }
  }
  return true;
}

#if H5_VERSION_GE(1, 14, 0)
struct Harvest {
  const FieldLayout* layout;
  std::vector<std::int64_t>* offsets;
};

int note_chunk(const hsize_t* place, unsigned, haddr_t offset, hsize_t size, void* data) {
  const auto& harvest = *static_cast<Harvest*>(data);
  const FieldLayout& layout = *harvest.layout;
  const auto position = static_cast<std::int64_t>(place[0]) * layout.chunks_per_row() +
                        static_cast<std::int64_t>(place[3]) / layout.chunk_cells;
  if (static_cast<std::int64_t>(size) == layout.chunk_bytes()) {
    harvest.offsets->at(static_cast<std::size_t>(position)) = static_cast<std::int64_t>(offset);
  }
  return 0;
}
#endif

std::vector<std::int64_t> list_all(hid_t fields,
                                   const FieldLayout& layout,
                                   std::int64_t num_chunks) {
  std::vector<std::int64_t> offsets(static_cast<std::size_t>(num_chunks), -1);
#if H5_VERSION_GE(1, 14, 0)
  Harvest harvest{&layout, &offsets};
  check_hdf5(H5Dchunk_iter(fields, H5P_DEFAULT, &note_chunk, &harvest), "listing the chunks");
#else
  for (std::int64_t position = 0; position < num_chunks; ++position) {
    offsets[static_cast<std::size_t>(position)] = look_up(fields, layout, position);
  }
#endif
  return offsets;
}

}  // namespace

void find_chunk_offsets(hid_t fields, DatasetStructure& structure) {
  const FieldLayout& layout = structure.layout;
  const std::int64_t num_chunks = layout.num_rows * layout.chunks_per_row();
  structure.implicit_offsets = is_implicit(fields, layout, num_chunks);
  structure.offsets = structure.implicit_offsets
                          ? std::vector<std::int64_t>{look_up(fields, layout, 0)}
                          : list_all(fields, layout, num_chunks);
  const std::int64_t last_of_each = structure.implicit_offsets ? num_chunks : 1;
  for (const std::int64_t offset : structure.offsets) {
    if (offset + last_of_each * layout.chunk_bytes() > structure.identity.size_bytes) {
      throw Error(Errc::kCorruptData, "chunk lies beyond the end of the file")
          .with("offset", offset)
          .with("chunk_bytes", layout.chunk_bytes())
          .with("file_bytes", structure.identity.size_bytes);
    }
  }
}

}  // namespace askos::io
