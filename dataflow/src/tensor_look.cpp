// SPDX-License-Identifier: Apache-2.0
#include "tensor_look.hpp"

#include <askos/base/error.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace askos::dataflow {
namespace {

/// Enough for statistics, and looked at in some tens of microseconds.
constexpr std::int64_t kMostSampled = std::int64_t{1} << 14;
constexpr std::int64_t kMostSliced = 1000;
constexpr int kMostBins = 1000;

std::vector<double> sample(const TensorView& tensor) {
  const auto number = tensor.num_entries();
  const auto stride = std::max<std::int64_t>(1, (number + kMostSampled - 1) / kMostSampled);
  std::vector<double> values(static_cast<std::size_t>((number + stride - 1) / stride));
  if (tensor.read && !values.empty()) tensor.read(0, stride, values);
  return values;
}

TensorStatistics statistics_of(const std::vector<double>& values) {
  TensorStatistics result{.sampled = static_cast<std::int64_t>(values.size())};
  std::int64_t num_finite = 0;
  double squares = 0;  // of deviations from the mean so far (Welford)
  for (const double value : values) {
    if (!std::isfinite(value)) {
      ++(std::isnan(value) ? result.num_nan : result.num_inf);
      continue;
    }
    result.min = num_finite == 0 ? value : std::min(result.min, value);
    result.max = num_finite == 0 ? value : std::max(result.max, value);
    ++num_finite;
    const double difference = value - result.mean;
    result.mean += difference / static_cast<double>(num_finite);
    squares += difference * (value - result.mean);
  }
  if (num_finite > 0) result.deviation = std::sqrt(squares / static_cast<double>(num_finite));
  return result;
}

void fill_histogram(const std::vector<double>& values, int bins, PeekedTensor& tensor) {
  const auto range = statistics_of(values);
  const double width = (range.max - range.min) / bins;
  for (int i = 0; i <= bins; ++i) tensor.bin_edges.push_back(range.min + i * width);
  tensor.bin_counts.assign(static_cast<std::size_t>(bins), 0);
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    const auto bin = width > 0 ? static_cast<std::int64_t>((value - range.min) / width) : 0;
    ++tensor.bin_counts[static_cast<std::size_t>(std::clamp<std::int64_t>(bin, 0, bins - 1))];
  }
}

/// Entries of one axis, the last one excluded.
struct Span {
  std::int64_t begin;
  std::int64_t end;
};

Error bad_slice(const std::string& slice, std::size_t axis, const std::string& expected) {
  return Error(Errc::kUsage, "slice does not fit the tensor")
      .with("slice", slice)
      .with("axis", axis)
      .with("expected", expected);
}

/// Reads `3`, `1:3`, `1:`, `:3` or `:`.
Span parse_span(std::string_view text, std::int64_t length, const Error& bad) {
  const auto parse = [&](std::string_view number, std::int64_t fallback) {
    if (number.empty()) return fallback;
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (error != std::errc{} || end != number.data() + number.size()) throw bad;
    return value;
  };
  const auto colon = text.find(':');
  Span span{};
  if (colon == std::string_view::npos) {
    span.begin = parse(text, -1);
    span.end = span.begin + 1;
  } else {
    span = {parse(text.substr(0, colon), 0), parse(text.substr(colon + 1), length)};
  }
  if (span.begin < 0 || span.begin >= span.end || span.end > length) throw bad;
  return span;
}

std::vector<Span> parse_slice(const std::string& slice, const TensorView& tensor) {
  std::vector<Span> spans;
  std::string_view left = slice;
  for (std::size_t axis = 0; axis < tensor.shape.size(); ++axis) {
    const auto length = tensor.shape[axis];
    const auto comma = left.find(',');
    const auto bad = bad_slice(slice, axis, "entries within 0:" + std::to_string(length));
    spans.push_back(parse_span(left.empty() ? ":" : left.substr(0, comma), length, bad));
    left = comma == std::string_view::npos ? "" : left.substr(comma + 1);
  }
  if (!left.empty()) {
    throw bad_slice(slice, tensor.shape.size(), std::to_string(tensor.shape.size()) + " axes");
  }
  return spans;
}

void fill_slice(const TensorView& view, const std::string& slice, PeekedTensor& tensor) {
  const auto spans = parse_slice(slice, view);
  std::int64_t number = 1;
  for (const auto& [begin, end] : spans) {
    tensor.slice_shape.push_back(end - begin);
    number *= end - begin;
    if (number > kMostSliced) {
      throw Error(Errc::kUsage, "slice is too large")
          .with("slice", slice)
          .with("most", kMostSliced);
    }
  }
  for (std::int64_t i = 0; i < number; ++i) {
    std::int64_t rest = i;
    std::int64_t entry = 0;
    std::int64_t stride = 1;
    for (std::size_t axis = spans.size(); axis-- > 0;) {
      entry += (spans[axis].begin + rest % tensor.slice_shape[axis]) * stride;
      rest /= tensor.slice_shape[axis];
      stride *= view.shape[axis];
    }
    double value = 0;
    if (view.read) view.read(entry, 1, {&value, 1});
    tensor.slice_values.push_back(value);
  }
}

}  // namespace

TensorStatistics statistics_of(const TensorView& tensor) {
  return statistics_of(sample(tensor));
}

PeekedTensor look_at(const TensorView& tensor, const PeekRequest& request) {
  PeekedTensor result{.view = tensor};
  if (request.histogram < 0 || request.histogram > kMostBins) {
    throw Error(Errc::kUsage, "number of bins is out of range")
        .with("histogram", request.histogram)
        .with("most", kMostBins);
  }
  if (request.statistics || request.histogram > 0) {
    const auto values = sample(tensor);
    if (request.statistics) result.statistics = statistics_of(values);
    if (request.histogram > 0) fill_histogram(values, request.histogram, result);
  }
  if (!request.slice.empty()) fill_slice(tensor, request.slice, result);
  return result;
}

}  // namespace askos::dataflow
