// SPDX-License-Identifier: Apache-2.0
#include "cuda_attention_problem.hpp"

#include <algorithm>
#include <memory>
#include <numeric>

namespace askos::model::cuda {

namespace {

/// One destination and head of one member; `at` are its edges.
void solve_head(const Problem& p, Solution& s, int batch, int i, int head, int begin, int end) {
  const int size = p.shape.head_size;
  const int num_features = p.shape.num_features;
  const std::int64_t width = p.channels();
  const double scale = 1 / std::sqrt(static_cast<double>(size));
  const auto row = [&](int node, int num_nodes) {
    return (static_cast<std::int64_t>(batch) * num_nodes + node) * width + head * size;
  };
  const std::int64_t q = row(i, p.edges.num_destinations);
  const int degree = end - begin;
  std::vector<double> projected(static_cast<std::size_t>(degree) * size);
  std::vector<double> weight(degree);
  std::vector<double> grad(degree);
  for (int e = 0; e < degree; ++e) {
    const std::int64_t k = row(p.edges.sources[begin + e], p.edges.num_sources);
    for (int c = 0; c < size; ++c) {
      double x = p.bias[head * size + c];
      for (int f = 0; f < num_features; ++f)
        x += p.weight[(head * size + c) * num_features + f] *
             p.features[static_cast<std::int64_t>(begin + e) * num_features + f];
      projected[e * size + c] = x;
      weight[e] += scale * p.query[q + c] * (p.key[k + c] + x);
      grad[e] += p.grad_out[q + c] * (p.value[k + c] + x);
    }
  }
  const double largest = *std::max_element(weight.begin(), weight.end());
  for (double& w : weight) w = std::exp(w - largest);
  const double total = std::accumulate(weight.begin(), weight.end(), 0.0);
  for (double& w : weight) w /= total;
  const double mean = std::inner_product(weight.begin(), weight.end(), grad.begin(), 0.0);
  for (int e = 0; e < degree; ++e) {
    const double w = weight[e];
    const double ds = w * (grad[e] - mean);
    const std::int64_t edge = begin + e;
    const std::int64_t k = row(p.edges.sources[begin + e], p.edges.num_sources);
    s.logit_gradients[edge * p.shape.num_heads + head] = ds;
    for (int c = 0; c < size; ++c) {
      const double message = projected[e * size + c];
      const double grad_projected = w * p.grad_out[q + c] + scale * ds * p.query[q + c];
      s.out[q + c] += w * (p.value[k + c] + message);
      s.query[q + c] += scale * ds * (p.key[k + c] + message);
      s.key[k + c] += scale * ds * p.query[q + c];
      s.value[k + c] += w * p.grad_out[q + c];
      s.bias[head * size + c] += grad_projected;
      for (int f = 0; f < num_features; ++f) {
        const std::int64_t at = (head * size + c) * num_features + f;
        s.weight[at] += grad_projected * p.features[edge * num_features + f];
        s.features[edge * num_features + f] += grad_projected * p.weight[at];
      }
    }
  }
}

std::vector<int> offsets_of(const std::vector<int>& nodes, int num_nodes) {
  std::vector<int> offsets(num_nodes + 1);
  for (const int node : nodes) ++offsets[node + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

std::vector<unsigned char> encode_rows(const std::vector<double>& values, Element element) {
  std::vector<unsigned char> bytes(values.size() * element_size(element));
  for (std::size_t i = 0; i < values.size(); ++i)
    encode(bytes.data() + i * element_size(element), values[i], element);
  return bytes;
}

/// A table [batch, row, width] in device memory, perhaps some columns of a wider one.
class DeviceTable {
 public:
  DeviceTable(const AttentionShape& shape, int rows, std::int64_t stride)
      : batches_(shape.num_batches),
        rows_(rows),
        width_(shape.num_heads * shape.head_size),
        stride_(stride),
        element_(shape.element),
        bytes_(std::make_shared<DeviceBytes>(static_cast<std::size_t>(batches_) * rows * stride *
                                             element_size(element_))) {}

  /// The `part`-th of the columns that lie side by side.
  [[nodiscard]] DeviceTable beside(int part) const {
    DeviceTable other = *this;
    other.first_column_ = static_cast<std::int64_t>(part) * width_;
    return other;
  }
  void fill(const std::vector<double>& values) {
    const auto encoded = encode_rows(values, element_);
    const std::size_t size = element_size(element_);
    const std::size_t rows = values.size() / width_ / batches_;
    for (int batch = 0; batch < batches_; ++batch)
      check(cudaMemcpy2D(at(batch), stride_ * size, encoded.data() + batch * rows * width_ * size,
                         width_ * size, width_ * size, rows, cudaMemcpyHostToDevice));
  }
  [[nodiscard]] std::vector<double> host(int rows) const {
    const std::size_t size = element_size(element_);
    const std::size_t member = static_cast<std::size_t>(rows) * width_ * size;
    std::vector<unsigned char> encoded(batches_ * member);
    for (int batch = 0; batch < batches_; ++batch)
      check(cudaMemcpy2D(encoded.data() + batch * member, width_ * size, at(batch), stride_ * size,
                         width_ * size, rows, cudaMemcpyDeviceToHost));
    std::vector<double> values(encoded.size() / size);
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = decode(encoded.data() + i * size, element_);
    return values;
  }
  [[nodiscard]] ConstRows rows() const { return {at(0), stride_, rows_ * stride_}; }
  [[nodiscard]] MutableRows mutable_rows() { return {at(0), stride_, rows_ * stride_}; }

 private:
  [[nodiscard]] unsigned char* at(int batch) const {
    return static_cast<unsigned char*>(bytes_->data()) +
           (batch * rows_ * stride_ + first_column_) * element_size(element_);
  }

  int batches_;
  std::int64_t rows_;
  int width_;
  std::int64_t stride_;
  Element element_;
  std::shared_ptr<DeviceBytes> bytes_;
  std::int64_t first_column_ = 0;
};

/// Five tables: side by side in one where the problem asks for it, else on their own.
std::vector<DeviceTable> make_tables(const Problem& p) {
  const int rows = std::max(p.edges.num_sources, p.edges.num_destinations);
  std::vector<DeviceTable> tables;
  const std::int64_t close = p.joined ? 5 * p.channels() : p.channels();
  const bool side_by_side = p.joined || p.row_stride > 0;
  for (int part = 0; part < 5; ++part)
    tables.push_back(side_by_side && part > 0
                         ? tables.front().beside(part)
                         : DeviceTable(p.shape, rows, p.row_stride > 0 ? p.row_stride : close));
  return tables;
}

std::vector<float> floats(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}
std::vector<double> doubles(const std::vector<float>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

Solution solve(const Problem& p) {
  Solution s;
  s.out.resize(p.query.size());
  s.query.resize(p.query.size());
  s.key.resize(p.key.size());
  s.value.resize(p.value.size());
  s.features.resize(p.features.size());
  s.weight.resize(p.weight.size());
  s.bias.resize(p.bias.size());
  s.logit_gradients.resize(p.edges.size() * p.shape.num_heads);
  const auto offsets = offsets_of(p.edges.destinations, p.edges.num_destinations);
  for (int batch = 0; batch < p.shape.num_batches; ++batch)
    for (int i = 0; i < p.edges.num_destinations; ++i)
      for (int head = 0; head < p.shape.num_heads; ++head)
        if (offsets[i] < offsets[i + 1])
          solve_head(p, s, batch, i, head, offsets[i], offsets[i + 1]);
  for (std::size_t i = 0; p.adds_grad_out && i < s.out.size(); ++i) s.out[i] += p.grad_out[i];
  return s;
}

Solution run_on_device(const Problem& p) {
  std::vector<int> by_source(p.edges.size());
  std::iota(by_source.begin(), by_source.end(), 0);
  std::stable_sort(by_source.begin(), by_source.end(),
                   [&](int a, int b) { return p.edges.sources[a] < p.edges.sources[b]; });
  std::vector<int> leads_to(by_source.size());
  for (std::size_t x = 0; x < by_source.size(); ++x)
    leads_to[x] = p.edges.destinations[by_source[x]];
  const DeviceVector<int> sources(p.edges.sources);
  const DeviceVector<int> destination_offsets(
      offsets_of(p.edges.destinations, p.edges.num_destinations));
  const DeviceVector<int> source_offsets(offsets_of(p.edges.sources, p.edges.num_sources));
  const DeviceVector<int> source_edges(by_source);
  const DeviceVector<int> source_destinations(leads_to);
  const DeviceEdges edges{p.edges.num_sources, p.edges.num_destinations,   p.edges.size(),
                          sources.data(),      destination_offsets.data(), source_offsets.data(),
                          source_edges.data(), source_destinations.data()};

  auto inputs = make_tables(p);
  auto results = make_tables(p);
  inputs[0].fill(p.query);
  inputs[1].fill(p.key);
  inputs[2].fill(p.value);
  inputs[3].fill(p.grad_out);
  const DeviceVector<float> features(floats(p.features));
  const DeviceVector<float> weight(floats(p.weight));
  const DeviceVector<float> bias(floats(p.bias));
  const DeviceVector<float> softmax(static_cast<std::size_t>(2) * p.shape.num_batches *
                                    p.edges.num_destinations * p.shape.num_heads);
  const DeviceVector<float> grad_features(p.features.size());
  const DeviceVector<float> grad_weight(p.weight.size());
  const DeviceVector<float> grad_bias(p.bias.size());
  const DeviceBytes forward_bytes(forward_workspace(p.shape));
  const DeviceVector<float> workspace(backward_workspace(p.shape, edges) / sizeof(float));

  const EdgeProjection projection{features.data(), weight.data(), bias.data()};
  const Forward forward{inputs[0].rows(),
                        inputs[1].rows(),
                        inputs[2].rows(),
                        projection,
                        p.adds_grad_out ? inputs[3].rows() : ConstRows{},
                        results[0].mutable_rows(),
                        softmax.data(),
                        forward_bytes.data()};
  check(attention_forward(p.shape, edges, forward, nullptr));
  const Backward backward{inputs[0].rows(),
                          inputs[1].rows(),
                          inputs[2].rows(),
                          projection,
                          softmax.data(),
                          inputs[3].rows(),
                          results[1].mutable_rows(),
                          results[2].mutable_rows(),
                          results[3].mutable_rows(),
                          grad_features.data(),
                          grad_weight.data(),
                          grad_bias.data(),
                          workspace.data()};
  check(attention_backward(p.shape, edges, backward, nullptr));
  check(cudaDeviceSynchronize());

  Solution s{results[0].host(p.edges.num_destinations),
             results[1].host(p.edges.num_destinations),
             results[2].host(p.edges.num_sources),
             results[3].host(p.edges.num_sources),
             doubles(grad_features.host()),
             doubles(grad_weight.host()),
             doubles(grad_bias.host()),
             {}};
  const auto handed = workspace.host();
  for (std::int64_t x = 0; x < p.edges.size() * p.shape.num_heads; ++x)
    s.logit_gradients.push_back(handed[2 * x + 1]);
  return s;
}

}  // namespace askos::model::cuda
