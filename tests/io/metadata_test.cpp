// SPDX-License-Identifier: Apache-2.0
#include "io/datasets.hpp"

#include <askos/io/metadata.hpp>

#include <cmath>
#include <limits>
#include <random>

namespace askos::io {
namespace {

class RandomMetadata {
 public:
  explicit RandomMetadata(std::uint64_t seed) : random_(seed) {}

  Metadata value(int depth) {
    switch (random_() % (depth > 0 ? 7 : 5)) {
      case 0: return {};
      case 1: return random_() % 2 == 0;
      case 2: return integer();
      case 3: return number();
      case 4: return text();
      case 5: {
        Metadata::Array array(random_() % 5);
        for (Metadata& entry : array) {
          entry = value(depth - 1);
        }
        return array;
      }
      default: {
        Metadata::Object object;
        for (std::uint64_t i = random_() % 5; i > 0; --i) {
          object[text()] = value(depth - 1);
        }
        return object;
      }
    }
  }

 private:
  std::int64_t integer() {
    constexpr std::array kEdges{std::numeric_limits<std::int64_t>::min(),
                                std::numeric_limits<std::int64_t>::max(),
                                std::int64_t{9007199254740993}, std::int64_t{0}, std::int64_t{-1}};
    return random_() % 3 == 0 ? kEdges[random_() % kEdges.size()]
                              : static_cast<std::int64_t>(random_()) >> (random_() % 64);
  }
  double number() {
    double value = 0;
    do {
      value = std::bit_cast<double>(random_());
    } while (!std::isfinite(value));
    return random_() % 4 == 0 ? std::trunc(std::fmod(value, 1e6)) : value;
  }
  std::string text() {
    static const std::vector<std::string> kPieces{"a",    "key", " ",    "\"", "\\", "\n",
                                                  "\x01", "é",   "温度", "😀", "/"};
    std::string result;
    for (std::uint64_t i = random_() % 6; i > 0; --i) {
      result += kPieces[random_() % kPieces.size()];
    }
    return result;
  }

  std::mt19937_64 random_;
};

TEST(Metadata, ComesBackExactlyFromItsJson) {
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const Metadata value = RandomMetadata(seed).value(4);
    EXPECT_EQ(parse_json(to_json(value)), value) << to_json(value);
    EXPECT_EQ(parse_json(to_json(value, true)), value) << "seed " << seed;
  }
}

TEST(Metadata, KeepsIntegersAndDoublesApart) {
  const Metadata value = parse_json(R"({"i": 9223372036854775807, "d": 1.0, "m": -0.0})");
  EXPECT_EQ(value.at("i").as_integer(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(error_of([&] { static_cast<void>(value.at("d").as_integer()); }).code(),
            Errc::kTypeMismatch);
  EXPECT_TRUE(std::signbit(value.at("m").as_double()));
  EXPECT_EQ(value.at("i").as_double(), 0x1p63);
}

TEST(Metadata, NamesTheKeysThatAreThere) {
  const Metadata value = parse_json(R"({"a": 1, "b": 2})");
  EXPECT_STREQ(error_of([&] { static_cast<void>(value.at("c")); }).what(),
               "metadata lacks an entry: key=c, found='a b'");
}

TEST(Metadata, RefusesWhatIsNotPlainJson) {
  for (const char* text :
       {"", "{", "[1,]", "{\"a\": 1, \"a\": 2}", "nan", "18446744073709551616",
        "9223372036854775808", "-9223372036854775809", "1 2", "\"\xff\"", "{'a': 1}", "1e999"}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(parse_json(text)); }).code(), Errc::kInvalidInput)
        << text;
  }
  const std::string deep(1'000'000, '[');
  EXPECT_EQ(error_of([&] { static_cast<void>(parse_json(deep)); }).code(), Errc::kInvalidInput);
}

TEST(Metadata, RefusesToWriteWhatJsonCannotHold) {
  for (const Metadata& value : {Metadata(std::nan("")), Metadata(HUGE_VAL), Metadata("\xff")}) {
    EXPECT_EQ(error_of([&] { static_cast<void>(to_json(value)); }).code(), Errc::kInvalidInput);
  }
}

}  // namespace
}  // namespace askos::io
