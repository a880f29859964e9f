// SPDX-License-Identifier: Apache-2.0
//
// The instruction has a latency of 3 cycles and a throughput of 1, so three streams run side by
// side; their registers are put together by multiplying with x^(8n) modulo the polynomial, which
// for a fixed n is four table look-ups. Processors with carry-less products of whole vectors do
// better: 256 bytes are folded onto the next 256 until few are left (Gopal et al., "Fast CRC
// computation for generic polynomials using PCLMULQDQ instruction", Intel 2009).
#include "crc32c_paths.hpp"

#include <askos/io/crc32c.hpp>

#include <array>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace askos::io {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78;  // reflected: bit 31 is x^0

using Table = std::array<std::uint32_t, 256>;

constexpr std::array<Table, 8> make_slices() {
  std::array<Table, 8> slices{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    std::uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) {
      value = (value >> 1) ^ ((value & 1) != 0 ? kPolynomial : 0);
    }
    slices[0][byte] = value;
  }
  for (std::size_t slice = 1; slice < slices.size(); ++slice) {
    for (std::size_t byte = 0; byte < 256; ++byte) {
      const std::uint32_t former = slices[slice - 1][byte];
      slices[slice][byte] = (former >> 8) ^ slices[0][former & 0xFF];
    }
  }
  return slices;
}

constexpr std::array<Table, 8> kSlices = make_slices();

/// Multiplies two reflected polynomials modulo the CRC polynomial.
constexpr std::uint32_t multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 1U << 31; bit != 0; bit >>= 1) {
    product ^= (a & bit) != 0 ? b : 0;
    b = (b >> 1) ^ ((b & 1) != 0 ? kPolynomial : 0);
  }
  return product;
}

/// Returns x^n.
constexpr std::uint32_t power_of_x(std::uint64_t n) {
  std::uint32_t result = 1U << 31;  // x^0
  std::uint32_t square = 1U << 30;  // x^1
  for (; n != 0; n >>= 1) {
    if ((n & 1) != 0) {
      result = multiply(result, square);
    }
    square = multiply(square, square);
  }
  return result;
}

/// Multiplying by it appends n zero bytes.
constexpr std::uint32_t shift_by_bytes(std::uint64_t n) {
  return power_of_x(8 * n);
}

constexpr std::size_t kStreamBytes = 2048;  // per stream: long enough to pay for two shifts

constexpr std::array<Table, 4> make_shift_tables() {
  const std::uint32_t shift = shift_by_bytes(kStreamBytes);
  std::array<Table, 4> tables{};
  for (std::uint32_t lane = 0; lane < 4; ++lane) {
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      tables[lane][byte] = multiply(shift, byte << (8 * lane));
    }
  }
  return tables;
}

constexpr std::array<Table, 4> kShift = make_shift_tables();

std::uint32_t shift_stream(std::uint32_t value) {
  return kShift[0][value & 0xFF] ^ kShift[1][(value >> 8) & 0xFF] ^
         kShift[2][(value >> 16) & 0xFF] ^ kShift[3][value >> 24];
}

std::uint64_t load64(const std::byte* from) {
  std::uint64_t word = 0;
  std::memcpy(&word, from, sizeof(word));
  return word;
}

}  // namespace

std::uint32_t crc32c_portable(std::uint32_t register_value,
                              std::span<const std::byte> bytes) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 8; left -= 8, at += 8) {
    const std::uint64_t word = load64(at) ^ register_value;
    register_value = 0;
    for (std::size_t lane = 0; lane < 8; ++lane) {
      register_value ^= kSlices[7 - lane][(word >> (8 * lane)) & 0xFF];
    }
  }
  for (; left > 0; --left, ++at) {
    const auto index = (register_value ^ std::to_integer<std::uint32_t>(*at)) & 0xFF;
    register_value = (register_value >> 8) ^ kSlices[0][index];
  }
  return register_value;
}

#if defined(__x86_64__)

bool has_sse42() noexcept {
  return __builtin_cpu_supports("sse4.2") != 0;
}

[[gnu::target("sse4.2")]] std::uint32_t crc32c_sse42(std::uint32_t register_value,
                                                     std::span<const std::byte> bytes) noexcept {
  const std::byte* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 3 * kStreamBytes; left -= 3 * kStreamBytes, at += 3 * kStreamBytes) {
    std::uint64_t first = register_value;
    std::uint64_t second = 0;
    std::uint64_t third = 0;
    for (std::size_t i = 0; i < kStreamBytes; i += 8) {
      first = __builtin_ia32_crc32di(first, load64(at + i));
      second = __builtin_ia32_crc32di(second, load64(at + kStreamBytes + i));
      third = __builtin_ia32_crc32di(third, load64(at + 2 * kStreamBytes + i));
    }
    register_value = shift_stream(static_cast<std::uint32_t>(first));
    register_value = shift_stream(register_value ^ static_cast<std::uint32_t>(second));
    register_value ^= static_cast<std::uint32_t>(third);
  }
  std::uint64_t value = register_value;
  for (; left >= 8; left -= 8, at += 8) {
    value = __builtin_ia32_crc32di(value, load64(at));
  }
  register_value = static_cast<std::uint32_t>(value);
  for (; left > 0; --left, ++at) {
    register_value = __builtin_ia32_crc32qi(register_value, std::to_integer<unsigned char>(*at));
  }
  return register_value;
}

namespace {

/// Factors that move the two halves of a 128-bit lane by `bits`. A carry-less product of a
/// reflected 64-bit and a reflected 32-bit polynomial stands 33 places too high in its lane.
struct Fold {
  std::uint64_t first;
  std::uint64_t second;
};

constexpr Fold fold_by(std::uint64_t bits) {
  return {power_of_x(bits + 64 - 33), power_of_x(bits - 33)};
}

[[gnu::target("avx512f,vpclmulqdq")]] __m512i fold(__m512i lanes, Fold by, __m512i next) {
  const auto first = static_cast<long long>(by.first);
  const auto second = static_cast<long long>(by.second);
  const __m512i factors =
      _mm512_set_epi64(second, first, second, first, second, first, second, first);
  constexpr int kXorOfThree = 0x96;
  return _mm512_ternarylogic_epi64(_mm512_clmulepi64_epi128(lanes, factors, 0x00),
                                   _mm512_clmulepi64_epi128(lanes, factors, 0x11), next,
                                   kXorOfThree);
}

/// Loads the i-th vector behind `from`.
[[gnu::target("avx512f")]] __m512i load(const std::byte* from, std::size_t i) {
  return _mm512_loadu_si512(from + i * sizeof(__m512i));
}

}  // namespace

[[gnu::target("avx512f,vpclmulqdq,sse4.2")]] std::uint32_t crc32c_vpclmulqdq(
    std::uint32_t register_value, std::span<const std::byte> bytes) noexcept {
  constexpr std::size_t kVectorBytes = 64;
  constexpr std::size_t kBlockBytes = 4 * kVectorBytes;
  constexpr Fold kByBlock = fold_by(8 * kBlockBytes);
  constexpr Fold kByVector = fold_by(8 * kVectorBytes);
  if (bytes.size() < 2 * kBlockBytes) {
    return crc32c_sse42(register_value, bytes);
  }
  const std::byte* at = bytes.data();
  __m512i a = _mm512_xor_si512(
      load(at, 0), _mm512_zextsi128_si512(_mm_cvtsi32_si128(static_cast<int>(register_value))));
  __m512i b = load(at, 1);
  __m512i c = load(at, 2);
  __m512i d = load(at, 3);
  std::size_t left = bytes.size() - kBlockBytes;
  for (at += kBlockBytes; left >= kBlockBytes; left -= kBlockBytes, at += kBlockBytes) {
    a = fold(a, kByBlock, load(at, 0));
    b = fold(b, kByBlock, load(at, 1));
    c = fold(c, kByBlock, load(at, 2));
    d = fold(d, kByBlock, load(at, 3));
  }
  d = fold(fold(fold(a, kByVector, b), kByVector, c), kByVector, d);
  // What is left is 64 bytes with the same remainder.
  std::array<std::byte, kVectorBytes> rest{};
  _mm512_storeu_si512(rest.data(), d);
  return crc32c_sse42(crc32c_sse42(0, rest), {at, left});
}

bool has_vpclmulqdq() noexcept {
  return has_sse42() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("vpclmulqdq") != 0;
}

#else

bool has_sse42() noexcept {
  return false;
}
bool has_vpclmulqdq() noexcept {
  return false;
}

std::uint32_t crc32c_sse42(std::uint32_t register_value,
                           std::span<const std::byte> bytes) noexcept {
  return crc32c_portable(register_value, bytes);
}
std::uint32_t crc32c_vpclmulqdq(std::uint32_t register_value,
                                std::span<const std::byte> bytes) noexcept {
  return crc32c_portable(register_value, bytes);
}

#endif

std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before) noexcept {
  static const auto path = has_vpclmulqdq() ? &crc32c_vpclmulqdq
                           : has_sse42()    ? &crc32c_sse42
                                            : &crc32c_portable;
  return ~path(~before, bytes);
}

Crc32cJoin::Crc32cJoin(std::int64_t second_bytes) noexcept
    : shift_(shift_by_bytes(static_cast<std::uint64_t>(second_bytes))) {}

std::uint32_t Crc32cJoin::operator()(std::uint32_t first, std::uint32_t second) const noexcept {
  return multiply(shift_, first) ^ second;
}

}  // namespace askos::io
