// SPDX-License-Identifier: Apache-2.0
#include "../attention_on_device.hpp"

#include "attention.hpp"
#include "fallback_note.hpp"

#include <askos/base/error.hpp>

#include <ATen/ATen.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

namespace askos::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

void check(cudaError_t error) {
  if (error == cudaSuccess) return;
  const auto code = error == cudaErrorMemoryAllocation ? Errc::kEnvironment : Errc::kInternal;
  throw Error(code, "attention on the device failed").with("reason", cudaGetErrorString(error));
}

std::optional<cuda::Element> element_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat: return cuda::Element::kFloat32;
    case at::kBFloat16: return cuda::Element::kBfloat16;
    case at::kHalf: return cuda::Element::kFloat16;
    default: return std::nullopt;
  }
}

/// Rows of `x` [batch, node, column] from column `first` on.
template <typename Rows>
Rows rows(const at::Tensor& x, std::int64_t first) {
  auto* const data = static_cast<char*>(x.data_ptr()) + first * x.element_size();
  return {data, x.stride(1), x.stride(0)};
}

cuda::DeviceEdges edges_of(const EdgeIndex& index) {
  const auto ids = [](const at::Tensor& x) { return x.const_data_ptr<int>(); };
  const DeviceEdgeIndex& on_device = index.on_device;
  return {.num_sources = static_cast<int>(index.num_sources),
          .num_destinations = static_cast<int>(index.num_destinations),
          .num_edges = index.num_edges(),
          .sources = ids(on_device.src),
          .destination_offsets = ids(on_device.destination_offsets),
          .source_offsets = ids(on_device.source_offsets),
          .source_edges = ids(on_device.source_edges),
          .source_destinations = ids(on_device.source_destinations)};
}

cuda::AttentionShape shape_of(const at::Tensor& table,
                              const at::Tensor& features,
                              std::int64_t width,
                              std::int64_t heads) {
  return {.element = *element_of(table.scalar_type()),
          .num_batches = static_cast<int>(table.size(0)),
          .num_heads = static_cast<int>(heads),
          .head_size = static_cast<int>(width / heads),
          .num_features = static_cast<int>(features.size(1))};
}

/// Where query, self, key and value lie in the two tables, in columns.
struct Columns {
  std::int64_t key = 0;
  std::int64_t value = 0;
  bool has_self = false;
};

Columns columns(std::int64_t width, bool joined, bool own_sources) {
  if (!joined) return {.key = 0, .value = width};
  return own_sources ? Columns{2 * width, 3 * width, true} : Columns{0, width, true};
}

/// `destinations` and `sources` as `JoinedAttentionInput` has them, without a halo; or, not
/// `joined`, queries alone and key | value. No second table: the first one holds all.
struct Attend : torch::autograd::Function<Attend> {
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& destinations,
                            const at::Tensor& sources,
                            const at::Tensor& features,
                            const at::Tensor& weight,
                            const at::Tensor& bias,
                            std::int64_t heads,
                            bool joined,
                            const EdgeIndex& index) {
    const std::int64_t width = weight.size(0);
    const bool own_sources = sources.dim() != 3;
    const Columns at_columns = columns(width, joined, own_sources);
    const at::Tensor& table = own_sources ? destinations : sources;
    const cuda::AttentionShape shape = shape_of(destinations, features, width, heads);
    at::Tensor out =
        at::empty({destinations.size(0), index.num_destinations, width}, destinations.options());
    const at::Tensor softmax =
        at::empty({destinations.size(0), index.num_destinations, heads, 2}, weight.options());
    const c10::cuda::CUDAGuard guard(destinations.device());
    const at::Tensor workspace =
        at::empty({static_cast<std::int64_t>(cuda::forward_workspace(shape))},
                  destinations.options().dtype(at::kByte));
    check(cuda::attention_forward(
        shape, edges_of(index),
        {.query = rows<cuda::ConstRows>(destinations, 0),
         .key = rows<cuda::ConstRows>(table, at_columns.key),
         .value = rows<cuda::ConstRows>(table, at_columns.value),
         .edges = {features.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                   bias.const_data_ptr<float>()},
         .added =
             at_columns.has_self ? rows<cuda::ConstRows>(destinations, width) : cuda::ConstRows{},
         .out = rows<cuda::MutableRows>(out, 0),
         .softmax = softmax.data_ptr<float>(),
         .workspace = workspace.data_ptr()},
        c10::cuda::getCurrentCUDAStream()));
    context->save_for_backward({destinations, sources, features, weight, bias, softmax});
    context->saved_data["heads"] = heads;
    context->saved_data["joined"] = joined;
    context->saved_data["wants_features"] = features.requires_grad();
    context->saved_data["index"] = reinterpret_cast<std::int64_t>(&index);  // part of the plan
    return out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& destinations = saved[0];
    const at::Tensor& sources = saved[1];
    const at::Tensor& features = saved[2];
    const at::Tensor& weight = saved[3];
    const auto& index = *reinterpret_cast<const EdgeIndex*>(context->saved_data["index"].toInt());
    const std::int64_t width = weight.size(0);
    const bool own_sources = sources.dim() != 3;
    const Columns at_columns = columns(width, context->saved_data["joined"].toBool(), own_sources);
    const cuda::AttentionShape shape =
        shape_of(destinations, features, width, context->saved_data["heads"].toInt());
    const at::Tensor g = gradients[0].stride(2) == 1 ? gradients[0] : gradients[0].contiguous();
    const at::Tensor d_destinations = at::empty(destinations.sizes(), destinations.options());
    const at::Tensor d_sources =
        own_sources ? at::Tensor() : at::empty(sources.sizes(), sources.options());
    const at::Tensor d_features =
        context->saved_data["wants_features"].toBool() ? at::empty_like(features) : at::Tensor();
    const at::Tensor d_weight = at::empty_like(weight);
    const at::Tensor d_bias = at::empty_like(saved[4]);
    const at::Tensor& table = own_sources ? destinations : sources;
    const at::Tensor& d_table = own_sources ? d_destinations : d_sources;
    const cuda::DeviceEdges edges = edges_of(index);
    const c10::cuda::CUDAGuard guard(destinations.device());
    const at::Tensor workspace =
        at::empty({static_cast<std::int64_t>(cuda::backward_workspace(shape, edges))},
                  weight.options().dtype(at::kByte));
    check(cuda::attention_backward(
        shape, edges,
        {.query = rows<cuda::ConstRows>(destinations, 0),
         .key = rows<cuda::ConstRows>(table, at_columns.key),
         .value = rows<cuda::ConstRows>(table, at_columns.value),
         .edges = {features.const_data_ptr<float>(), weight.const_data_ptr<float>(),
                   saved[4].const_data_ptr<float>()},
         .softmax = saved[5].const_data_ptr<float>(),
         .grad_out = rows<cuda::ConstRows>(g, 0),
         .grad_query = rows<cuda::MutableRows>(d_destinations, 0),
         .grad_key = rows<cuda::MutableRows>(d_table, at_columns.key),
         .grad_value = rows<cuda::MutableRows>(d_table, at_columns.value),
         .grad_features = d_features.defined() ? d_features.data_ptr<float>() : nullptr,
         .grad_weight = d_weight.data_ptr<float>(),
         .grad_bias = d_bias.data_ptr<float>(),
         .workspace = workspace.data_ptr()},
        c10::cuda::getCurrentCUDAStream()));
    if (at_columns.has_self) d_destinations.narrow(2, width, width).copy_(g);
    return {d_destinations, d_sources, d_features, d_weight, d_bias, {}, {}, {}};
  }
};

/// Whether the kernels take this problem; the first time that they do not, the log says so.
bool kernels_take(const at::Tensor& query, const AttentionEdges& edges, int heads) {
  const auto element = element_of(query.scalar_type());
  const cuda::AttentionShape shape = {.element = element.value_or(cuda::Element::kFloat32),
                                      .num_batches = static_cast<int>(query.size(0)),
                                      .num_heads = heads,
                                      .head_size = static_cast<int>(edges.weight.size(0) / heads),
                                      .num_features = static_cast<int>(edges.features.size(1))};
  if (element && cuda::takes(shape)) return true;
  note_attention_without_kernels(c10::toString(query.scalar_type()), shape.head_size,
                                 shape.num_features);
  return false;
}

at::Tensor run(const at::Tensor& destinations,
               const at::Tensor& sources,
               const AttentionEdges& edges,
               int heads,
               bool joined,
               const EdgeIndex& index) {
  ASKOS_CHECK(index.on_device.src.defined());
  const auto readable = [](const at::Tensor& x) { return x.stride(2) == 1 ? x : x.contiguous(); };
  const auto full = [](const at::Tensor& x) { return x.to(at::kFloat).contiguous(); };
  return Attend::apply(
      readable(destinations),
      sources.defined() ? readable(sources) : at::empty({0}, destinations.options()),
      full(edges.features), full(edges.weight), full(edges.bias), std::int64_t{heads}, joined,
      index);
}

}  // namespace

at::Tensor attention_on_device(const AttentionInput& input, const EdgeIndex& index) {
  if (!kernels_take(input.query, input.edges, input.num_heads)) {
    return composite_attention(input, index);
  }
  const auto type = input.query.scalar_type();
  return run(input.query, at::cat({input.key.to(type), input.value.to(type)}, 2), input.edges,
             input.num_heads, /*joined=*/false, index);
}

at::Tensor joined_attention_on_device(const JoinedAttentionInput& input, const EdgeIndex& index) {
  const std::int64_t width = input.edges.weight.size(0);
  const at::Tensor& all = input.destinations;
  const bool own_sources = !input.sources.defined();
  at::Tensor sources = input.sources;
  if (input.halo.defined()) {
    sources = at::cat({own_sources ? all.narrow(2, 2 * width, 2 * width) : sources, input.halo}, 1);
  }
  if (kernels_take(all, input.edges, input.num_heads)) {
    const at::Tensor destinations =
        own_sources && sources.defined() ? all.narrow(2, 0, 2 * width) : all;
    return run(destinations, sources, input.edges, input.num_heads, /*joined=*/true, index);
  }
  const at::Tensor both = sources.defined() ? sources : all.narrow(2, 2 * width, 2 * width);
  const AttentionInput parts = {.query = all.narrow(2, 0, width),
                                .key = both.narrow(2, 0, width),
                                .value = both.narrow(2, width, width),
                                .edges = input.edges,
                                .num_heads = input.num_heads};
  return all.narrow(2, width, width) + composite_attention(parts, index);
}

}  // namespace askos::model
