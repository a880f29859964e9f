// SPDX-License-Identifier: Apache-2.0

#include <askos/base/error.hpp>
#include <askos/base/nearest_name.hpp>
#include <askos/io/atomic_file.hpp>
#include <askos/io/metadata.hpp>
#include <askos/io/safetensors.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <set>
#include <utility>

namespace askos::io {
namespace {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // the format's own limit
constexpr std::array<std::pair<const char*, DType>, 7> kDTypes{{{"F32", DType::kFloat32},
                                                                {"F64", DType::kFloat64},
                                                                {"F16", DType::kFloat16},
                                                                {"BF16", DType::kBFloat16},
                                                                {"I32", DType::kInt32},
                                                                {"I64", DType::kInt64},
                                                                {"U8", DType::kUInt8}}};

Error corrupt(const char* text) {
  return {Errc::kCorruptData, text};
}

/// Returns the bytes that `shape` needs, or -1 if a length is negative or the product overflows.
std::int64_t shape_bytes(const std::vector<std::int64_t>& shape, DType dtype) {
  std::int64_t bytes = size_of(dtype);
  for (const std::int64_t length : shape) {
    if (length < 0 || __builtin_mul_overflow(bytes, length, &bytes)) {
      return -1;
    }
  }
  return bytes;
}

DType dtype_named(const std::string& name, const std::string& array) {
  const auto found = std::ranges::find(
      kDTypes, name, [](const auto& entry) { return std::string_view(entry.first); });
  if (found == kDTypes.end()) {
    throw Error(Errc::kTypeMismatch, "safetensors array has a dtype that askos does not have")
        .with("array", array)
        .with("found", name)
        .with("expected", "F32 F64 F16 BF16 I32 I64 U8");
  }
  return found->second;
}

std::string name_of(DType dtype) {
  return std::ranges::find(kDTypes, dtype, &std::pair<const char*, DType>::second)->first;
}

struct Entry {
  NamedArray array;  // without its bytes
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

Entry parse_entry(const std::string& name, const Metadata& value) {
  Entry entry;
  entry.array.name = name;
  entry.array.dtype = dtype_named(value.at("dtype").as_string(), name);
  for (const Metadata& length : value.at("shape").as_array()) {
    entry.array.shape.push_back(length.as_integer());
  }
  const auto& offsets = value.at("data_offsets").as_array();
  if (offsets.size() != 2 || value.as_object().size() != 3) {
    throw corrupt("safetensors entry is not {dtype, shape, data_offsets}").with("array", name);
  }
  entry.begin = offsets[0].as_integer();
  entry.end = offsets[1].as_integer();
  return entry;
}

/// Checks that the arrays tile the data without gap or overlap, each as large as its shape says.
void check_tiling(const std::vector<Entry>& entries, std::int64_t data_bytes) {
  std::int64_t expected = 0;
  for (const Entry& entry : entries) {
    const std::int64_t needed = shape_bytes(entry.array.shape, entry.array.dtype);
    if (entry.begin != expected || entry.end < entry.begin || entry.end > data_bytes ||
        needed != entry.end - entry.begin) {
      throw corrupt("safetensors array is not where its header says")
          .with("array", entry.array.name)
          .with("begin", entry.begin)
          .with("end", entry.end)
          .with("expected_begin", expected)
          .with("shape_bytes", needed)
          .with("data_bytes", data_bytes);
    }
    expected = entry.end;
  }
  if (expected != data_bytes) {
    throw corrupt("safetensors file has bytes that belong to no array")
        .with("used", expected)
        .with("found", data_bytes);
  }
}

Safetensors parse_header(std::string_view header, std::vector<Entry>& entries) {
  Safetensors result;
  const Metadata root = parse_json(header);
  for (const auto& [name, value] : root.as_object()) {
    if (name == "__metadata__") {
      for (const auto& [key, text] : value.as_object()) {
        result.metadata[key] = text.as_string();
      }
    } else {
      entries.push_back(parse_entry(name, value));
    }
  }
  std::ranges::sort(entries, {},
                    [](const Entry& entry) { return std::pair(entry.begin, entry.end); });
  return result;
}

}  // namespace

NamedArrayView::NamedArrayView(std::string its_name,
                               DType its_dtype,
                               std::vector<std::int64_t> its_shape,
                               std::span<const std::byte> its_bytes)
    : name(std::move(its_name)), dtype(its_dtype), shape(std::move(its_shape)), bytes(its_bytes) {}

const NamedArray& Safetensors::at(const std::string& name) const {
  const auto found = std::ranges::find(arrays, name, &NamedArray::name);
  if (found != arrays.end()) {
    return *found;
  }
  std::vector<std::string> names;
  for (const NamedArray& array : arrays) {
    names.push_back(array.name);
  }
  Error error(Errc::kNotFound, "safetensors file lacks an array");
  error.with("array", name);
  suggest(error, name, names);
  throw error;
}

void write_safetensors(ByteSink& sink,
                       std::span<const NamedArrayView> arrays,
                       const std::map<std::string, std::string>& metadata) {
  Metadata header{Metadata::Object{}};
  for (const auto& [key, text] : metadata) {
    header["__metadata__"][key] = text;
  }
  std::int64_t begin = 0;
  for (const NamedArrayView& array : arrays) {
    const auto size = static_cast<std::int64_t>(array.bytes.size());
    if (shape_bytes(array.shape, array.dtype) != size || header.has(array.name) ||
        array.name == "__metadata__") {
      throw Error(Errc::kInvalidInput, "array cannot be written as safetensors")
          .with("array", array.name)
          .with("bytes", size)
          .with("shape_bytes", shape_bytes(array.shape, array.dtype))
          .with("name_is_taken", header.has(array.name));
    }
    Metadata& entry = header[array.name];
    entry["dtype"] = name_of(array.dtype);
    entry["shape"] = Metadata::Array(array.shape.begin(), array.shape.end());
    entry["data_offsets"] = Metadata::Array{begin, begin + size};
    begin += size;
  }
  std::string text = to_json(header, /*compact=*/true);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t length = text.size();
  sink.append(std::as_bytes(std::span(&length, 1)));
  sink.append(text);
  for (const NamedArrayView& array : arrays) {
    sink.append(array.bytes);
  }
}

void write_safetensors(const std::filesystem::path& path,
                       std::span<const NamedArrayView> arrays,
                       const std::map<std::string, std::string>& metadata,
                       FileOperations& operations) {
  write_file_atomically(
      path, [&](ByteSink& sink) { write_safetensors(sink, arrays, metadata); }, operations);
}

Safetensors parse_safetensors(std::span<const std::byte> bytes) {
  std::uint64_t header_bytes = 0;
  if (bytes.size() >= sizeof(header_bytes)) {
    std::memcpy(&header_bytes, bytes.data(), sizeof(header_bytes));
  }
  if (bytes.size() < sizeof(header_bytes) || header_bytes > kMaxHeaderBytes ||
      header_bytes > bytes.size() - sizeof(header_bytes)) {
    throw corrupt("not a safetensors file, or a truncated one")
        .with("file_bytes", bytes.size())
        .with("header_bytes", header_bytes);
  }
  const auto header = bytes.subspan(sizeof(header_bytes), header_bytes);
  const auto data = bytes.subspan(sizeof(header_bytes) + header_bytes);
  std::vector<Entry> entries;
  Safetensors result;
  try {
    result = parse_header({reinterpret_cast<const char*>(header.data()), header.size()}, entries);
  } catch (const Error& fault) {
    if (fault.code() == Errc::kTypeMismatch && fault.text().starts_with("safetensors")) {
      throw;
    }
    throw corrupt("safetensors header makes no sense").with("reason", fault.what());
  }
  check_tiling(entries, static_cast<std::int64_t>(data.size()));
  for (Entry& entry : entries) {
    const auto from = data.subspan(static_cast<std::size_t>(entry.begin),
                                   static_cast<std::size_t>(entry.end - entry.begin));
    entry.array.bytes.assign(from.begin(), from.end());
    result.arrays.push_back(std::move(entry.array));
  }
  return result;
}

Safetensors read_safetensors(const std::filesystem::path& path, FileOperations& operations) {
  const File file(operations, path, OpenMode::kRead);
  std::vector<std::byte> bytes(static_cast<std::size_t>(file.identity().size_bytes));
  file.read(0, std::span(bytes));
  try {
    return parse_safetensors(bytes);
  } catch (Error& fault) {
    throw fault.with("file", path.string());
  }
}

}  // namespace askos::io
