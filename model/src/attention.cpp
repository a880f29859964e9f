// SPDX-License-Identifier: Apache-2.0
#include "attention_kernels.hpp"
#include "parallel.hpp"

#include <askos/base/error.hpp>
#include <askos/model/attention.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/ATen.h>
#include <ATen/Dispatch.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

#include <cmath>

namespace askos::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A node is worth a thread's while from about this many multiplications on.
constexpr std::int64_t kGrainWork = 1 << 15;

AttentionShape make_shape(const at::Tensor& q,
                          const at::Tensor& k,
                          const at::Tensor& a,
                          std::int64_t heads,
                          const EdgeIndex& index) {
  AttentionShape shape;
  shape.batch = q.size(0);
  shape.num_sources = index.num_sources;
  shape.num_destinations = index.num_destinations;
  shape.num_edges = index.num_edges();
  shape.heads = heads;
  shape.channels = q.size(2) / heads;
  shape.features = a.size(1);
  shape.src = index.src.const_data_ptr<std::int64_t>();
  shape.dst = index.dst.const_data_ptr<std::int64_t>();
  shape.destination_offsets = index.destination_offsets.const_data_ptr<std::int64_t>();
  shape.source_offsets = index.source_offsets.const_data_ptr<std::int64_t>();
  shape.source_edges = index.source_edges.const_data_ptr<std::int64_t>();
  ASKOS_CHECK(q.size(1) == shape.num_destinations && k.size(1) == shape.num_sources &&
              k.size(0) == shape.batch && a.size(0) == shape.num_edges);
  return shape;
}

std::int64_t grain(const AttentionShape& shape, std::int64_t num_nodes) {
  const std::int64_t edges_per_node = shape.num_edges / std::max<std::int64_t>(1, num_nodes) + 1;
  return kGrainWork / (edges_per_node * shape.heads * shape.channels * shape.batch) + 1;
}

/// The part of attention that gathers: see attention_kernels.hpp for what it computes.
struct Attend : torch::autograd::Function<Attend> {
  static variable_list forward(AutogradContext* context,
                               const at::Tensor& query,
                               const at::Tensor& key,
                               const at::Tensor& value,
                               const at::Tensor& projected_query,
                               const at::Tensor& edge,
                               std::int64_t heads,
                               const EdgeIndex& index) {
    const at::Tensor q = query.contiguous();
    const at::Tensor k = key.contiguous();
    const at::Tensor v = value.contiguous();
    const at::Tensor u = projected_query.contiguous();
    const at::Tensor a = edge.contiguous();
    const AttentionShape shape = make_shape(q, k, a, heads, index);
    at::Tensor out = at::empty_like(q);
    at::Tensor mean = at::empty_like(u);
    const at::Tensor weights = at::empty({shape.batch, shape.num_edges, heads}, q.options());
    AT_DISPATCH_FLOATING_TYPES(q.scalar_type(), "attend", [&] {
      const AttentionForward<scalar_t> data = {
          q.const_data_ptr<scalar_t>(), k.const_data_ptr<scalar_t>(), v.const_data_ptr<scalar_t>(),
          u.const_data_ptr<scalar_t>(), a.const_data_ptr<scalar_t>(), out.data_ptr<scalar_t>(),
          mean.data_ptr<scalar_t>(),    weights.data_ptr<scalar_t>()};
      parallel_for(shape.num_destinations, grain(shape, shape.num_destinations),
                   [&](std::int64_t begin, std::int64_t end) { attend(shape, data, begin, end); });
    });
    context->save_for_backward({q, k, v, u, a, weights});
    context->saved_data["heads"] = heads;
    context->saved_data["index"] = reinterpret_cast<std::int64_t>(&index);  // part of the plan
    return {out, mean};
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const at::Tensor& q = saved[0];
    const std::int64_t heads = context->saved_data["heads"].toInt();
    const auto& index = *reinterpret_cast<const EdgeIndex*>(context->saved_data["index"].toInt());
    const AttentionShape shape = make_shape(q, saved[1], saved[4], heads, index);
    const at::Tensor g_out = gradients[0].contiguous();
    const at::Tensor g_mean = gradients[1].contiguous();
    variable_list d;  // of q, k, v, u, a
    for (std::size_t i = 0; i < 5; ++i) d.push_back(at::empty_like(saved[i]));
    const at::Tensor d_scores = at::empty_like(saved[5]);
    AT_DISPATCH_FLOATING_TYPES(q.scalar_type(), "attend_backward", [&] {
      const auto in = [](const at::Tensor& x) { return x.const_data_ptr<scalar_t>(); };
      const auto out = [](const at::Tensor& x) { return x.data_ptr<scalar_t>(); };
      const AttentionBackward<scalar_t> data = {
          in(q),        in(saved[1]), in(saved[2]), in(saved[3]), in(saved[4]),
          in(saved[5]), in(g_out),    in(g_mean),   out(d[0]),    out(d[1]),
          out(d[2]),    out(d[3]),    out(d[4]),    out(d_scores)};
      parallel_for(shape.num_destinations, grain(shape, shape.num_destinations),
                   [&](std::int64_t begin, std::int64_t end) {
                     attend_backward_destinations(shape, data, begin, end);
                   });
      parallel_for(shape.num_sources, grain(shape, shape.num_sources),
                   [&](std::int64_t begin, std::int64_t end) {
                     attend_backward_sources(shape, data, begin, end);
                   });
    });
    return {d[0], d[1], d[2], d[3], d[4], at::Tensor(), at::Tensor()};
  }
};

/// [batch, node, head * n] to [head, batch * node, n], the shape of a product per head.
at::Tensor heads_first(const at::Tensor& x, std::int64_t heads) {
  return x.reshape({-1, heads, x.size(2) / heads}).transpose(0, 1);
}

/// The way back.
at::Tensor heads_last(const at::Tensor& x, std::int64_t batch, std::int64_t nodes) {
  return x.transpose(0, 1).reshape({batch, nodes, x.size(0) * x.size(2)});
}

/// 1 where a destination has an edge, else 0: [destination, 1].
at::Tensor has_edges(const EdgeIndex& index, const at::TensorOptions& options) {
  return index.destination_offsets.diff().gt(0).unsqueeze(1).to(options.dtype());
}

/// Attention sums over many edges: under autocast it computes in float32 all the same.
AttentionInput at_full_precision(const AttentionInput& input) {
  const auto full = [](const at::Tensor& x) {
    return at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
  };
  return {.query = full(input.query),
          .key = full(input.key),
          .value = full(input.value),
          .edge = full(input.edge),
          .edge_weight = full(input.edge_weight),
          .edge_bias = full(input.edge_bias),
          .num_heads = input.num_heads};
}

}  // namespace

at::Tensor attention(const AttentionInput& any_precision, const EdgeIndex& index) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  const AttentionInput input = at_full_precision(any_precision);
  const std::int64_t heads = input.num_heads;
  const std::int64_t batch = input.query.size(0);
  const std::int64_t nodes = input.query.size(1);
  const std::int64_t channels = input.query.size(2) / heads;
  // u = weight^T q / sqrt(c); the bias shifts all logits of a
  // destination alike and drops out of the softmax.
  const at::Tensor weight = input.edge_weight.view({heads, channels, input.edge_weight.size(1)});
  const at::Tensor u = at::bmm(heads_first(input.query, heads),
                               weight * (1 / std::sqrt(static_cast<double>(channels))));
  const auto results = Attend::apply(input.query, input.key, input.value,
                                     heads_last(u, batch, nodes), input.edge, heads, index);
  const at::Tensor from_edges = at::bmm(heads_first(results[1], heads), weight.transpose(1, 2));
  return results[0] + heads_last(from_edges, batch, nodes) +
         has_edges(index, input.query.options()) * input.edge_bias;
}

at::Tensor composite_attention(const AttentionInput& any_precision, const EdgeIndex& index) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::DispatchKey::AutocastCPU);
  const AttentionInput input = at_full_precision(any_precision);
  const std::int64_t heads = input.num_heads;
  const std::int64_t channels = input.query.size(2) / heads;
  const auto split = [&](const at::Tensor& x) {  // [..., edge, head, channel]
    return x.unflatten(-1, {heads, channels});
  };
  const at::Tensor e = split(at::linear(input.edge, input.edge_weight, input.edge_bias));
  const at::Tensor q = split(input.query.index_select(1, index.dst));
  const at::Tensor k = split(input.key.index_select(1, index.src)) + e;
  const at::Tensor v = split(input.value.index_select(1, index.src)) + e;
  const at::Tensor scores = (q * k).sum(-1) / std::sqrt(static_cast<double>(channels));

  // Softmax over the edges of a destination; its largest score is subtracted as a constant.
  const std::vector<std::int64_t> shape = {input.query.size(0), index.num_destinations, heads};
  const at::Tensor at_dst = index.dst.view({1, -1, 1}).expand_as(scores);
  const at::Tensor largest =
      at::zeros(shape, scores.options())
          .scatter_reduce(1, at_dst, scores.detach(), "amax", /*include_self=*/false);
  const at::Tensor exponent = (scores - largest.gather(1, at_dst)).exp();
  const at::Tensor sum = at::zeros(shape, scores.options()).index_add(1, index.dst, exponent);
  const at::Tensor weights = exponent / sum.gather(1, at_dst);
  return at::zeros(input.query.sizes(), input.query.options())
      .index_add(1, index.dst, (weights.unsqueeze(-1) * v).flatten(-2));
}

}  // namespace askos::model
