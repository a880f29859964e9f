// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/atomic_file.hpp>
#include <askos/io/safetensors.hpp>

#include <cstring>
#include <random>

namespace askos::io {
namespace {

class MemorySink final : public ByteSink {
 public:
  void append(std::span<const std::byte> more) override {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  using ByteSink::append;
  std::vector<std::byte> bytes;
};

NamedArray make_array(std::string name, DType dtype, std::vector<std::int64_t> shape) {
  NamedArray array{std::move(name), dtype, std::move(shape), {}};
  std::int64_t bytes = size_of(dtype);
  for (const std::int64_t length : array.shape) {
    bytes *= length;
  }
  for (std::int64_t i = 0; i < bytes; ++i) {
    array.bytes.push_back(static_cast<std::byte>(i * 7 + 1));
  }
  return array;
}

std::vector<NamedArray> examples() {
  return {make_array("layer.weight", DType::kFloat32, {3, 4}),
          make_array("scalar", DType::kFloat64, {}),
          make_array("empty", DType::kInt64, {0, 5}),
          make_array("half", DType::kBFloat16, {2, 1, 3}),
          make_array("counts", DType::kInt64, {2}),
          make_array("mask", DType::kUInt8, {5})};
}

std::vector<std::byte> encode(const std::vector<NamedArray>& arrays,
                              const std::map<std::string, std::string>& metadata = {}) {
  MemorySink sink;
  const std::vector<NamedArrayView> views(arrays.begin(), arrays.end());
  write_safetensors(sink, views, metadata);
  return sink.bytes;
}

/// A file with this header and `data_bytes` bytes of data.
std::vector<std::byte> with_header(const std::string& header, std::size_t data_bytes) {
  MemorySink sink;
  const std::uint64_t length = header.size();
  sink.append(std::as_bytes(std::span(&length, 1)));
  sink.append(header);
  sink.bytes.resize(sink.bytes.size() + data_bytes);
  return sink.bytes;
}

TEST(Safetensors, ComeBackAsTheyWere) {
  const auto arrays = examples();
  const Safetensors found = parse_safetensors(encode(arrays, {{"format", "pt"}, {"n", "1"}}));
  EXPECT_EQ(found.metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"n", "1"}}));
  ASSERT_EQ(found.arrays.size(), arrays.size());
  for (const NamedArray& array : arrays) {
    EXPECT_EQ(found.at(array.name), array);
  }
  EXPECT_EQ(error_of([&] { static_cast<void>(found.at("layer.wieght")); }).code(), Errc::kNotFound);
  EXPECT_EQ(parse_safetensors(encode({})).arrays.size(), 0u);
}

TEST(Safetensors, AreLaidOutAsTheFormatSays) {
  const auto bytes = encode({make_array("a", DType::kFloat32, {2})});
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), 8);
  EXPECT_EQ(length % 8, 0u);
  const std::string header(reinterpret_cast<const char*>(bytes.data()) + 8, length);
  EXPECT_TRUE(header.starts_with(R"({"a":{"data_offsets":[0,8],"dtype":"F32","shape":[2]}})"));
  EXPECT_EQ(bytes.size(), 8 + length + 8);
}

TEST(Safetensors, ReadAFileWrittenByAnotherProgram) {
  // Order of keys, spaces and of arrays as other writers choose them.
  const auto bytes = with_header(
      R"({"__metadata__":{"format":"pt"}, "b":{"dtype":"I32","shape":[1],"data_offsets":[4,8]},)"
      R"( "a":{"shape":[2,2],"dtype":"U8","data_offsets":[0,4]}}   )",
      8);
  const Safetensors found = parse_safetensors(bytes);
  EXPECT_EQ(found.arrays[0].name, "a");
  EXPECT_EQ(found.arrays[1].dtype, DType::kInt32);
}

TEST(Safetensors, RefuseHeadersThatLie) {
  const auto entry = [](const std::string& shape, const std::string& offsets,
                        const std::string& dtype = "F32") {
    return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" +
           offsets + "}}";
  };
  const std::vector<std::string> headers{
      "",
      "[]",
      "{",
      entry("[2]", "[0,4]"),
      entry("[2]", "[0,16]"),
      entry("[2]", "[4,12]"),
      entry("[-2]", "[0,8]"),
      entry("[2]", "[8,0]"),
      entry("[2]", "[0]"),
      entry("[2]", "[0,8,8]"),
      entry("[4611686018427387904,4]", "[0,8]"),
      entry("[2]", "[-8,0]"),
      entry("2", "[0,8]"),
      entry("[2.0]", "[0,8]"),
      entry("[9223372036854775807,9223372036854775807]", "[0,8]"),
      entry("[2]", "[0,9223372036854775807]"),
      entry("[18446744073709551615]", "[0,8]"),
      R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"more":1}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
      R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
      R"({"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"};
  for (const std::string& header : headers) {
    EXPECT_EQ(
        error_of([&] { static_cast<void>(parse_safetensors(with_header(header, 8))); }).code(),
        Errc::kCorruptData)
        << header;
  }
  const auto unknown = with_header(entry("[2]", "[0,8]", "F8_E4M3"), 8);
  EXPECT_EQ(error_of([&] { static_cast<void>(parse_safetensors(unknown)); }).code(),
            Errc::kTypeMismatch);
  for (const std::uint64_t length : {std::uint64_t{1} << 62, ~std::uint64_t{0}, std::uint64_t{9}}) {
    std::vector<std::byte> bytes(16);
    std::memcpy(bytes.data(), &length, 8);
    EXPECT_EQ(error_of([&] { static_cast<void>(parse_safetensors(bytes)); }).code(),
              Errc::kCorruptData);
  }
}

TEST(Safetensors, SurviveTenThousandMutations) {
  const auto original = encode(examples(), {{"format", "pt"}});
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, original.data(), 8);
  std::mt19937 random(4);
  int accepted = 0;
  for (int i = 0; i < 10'000; ++i) {
    auto bytes = original;
    for (unsigned edits = random() % 4 + 1; edits > 0; --edits) {
      const std::size_t at = random() % (header_bytes + 8);
      switch (random() % 4) {
        case 0: bytes[at] = static_cast<std::byte>(random()); break;
        case 1: bytes[at] ^= static_cast<std::byte>(1U << (random() % 8)); break;
        case 2: bytes.erase(bytes.begin() + static_cast<std::ptrdiff_t>(at)); break;
        default: bytes.resize(random() % (bytes.size() + 64)); break;
      }
      bytes.resize(std::max<std::size_t>(bytes.size(), header_bytes + 8));
    }
    // An exact copy on the heap, so that AddressSanitizer sees a read past the end.
    const std::vector<std::byte> exact(bytes);
    try {
      for (const NamedArray& array : parse_safetensors(exact).arrays) {
        ASSERT_LE(array.bytes.size(), exact.size());
      }
      ++accepted;
    } catch (const Error& error) {
      ASSERT_TRUE(error.code() == Errc::kCorruptData || error.code() == Errc::kTypeMismatch);
    }
  }
  EXPECT_LT(accepted, 5'000);  // renamed arrays and changed metadata are fine
}

TEST(Safetensors, RefuseToWriteArraysThatDoNotFitTheirShape) {
  auto arrays = examples();
  arrays[0].bytes.pop_back();
  EXPECT_EQ(error_of([&] { encode(arrays); }).code(), Errc::kInvalidInput);
  arrays = examples();
  arrays[1].name = arrays[0].name;
  EXPECT_EQ(error_of([&] { encode(arrays); }).code(), Errc::kInvalidInput);
}

TEST(Safetensors, GoThroughAFile) {
  const TemporaryFolder folder;
  const auto arrays = examples();
  const std::vector<NamedArrayView> views(arrays.begin(), arrays.end());
  write_safetensors(folder / "x.safetensors", views, {{"a", "b"}});
  const Safetensors found = read_safetensors(folder / "x.safetensors");
  EXPECT_EQ(found.arrays.size(), arrays.size());
  EXPECT_EQ(found.at("layer.weight"), arrays[0]);
  EXPECT_EQ(error_of([&] { static_cast<void>(read_safetensors(folder / "none")); }).code(),
            Errc::kNotFound);
  std::filesystem::resize_file(folder / "x.safetensors", 50);
  const Error error =
      error_of([&] { static_cast<void>(read_safetensors(folder / "x.safetensors")); });
  EXPECT_EQ(error.code(), Errc::kCorruptData);
  EXPECT_NE(std::string(error.what()).find("x.safetensors"), std::string::npos);
}

}  // namespace
}  // namespace askos::io
