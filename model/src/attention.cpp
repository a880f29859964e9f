// SPDX-License-Identifier: Apache-2.0
#include "attention_kernels.hpp"
#include "attention_on_device.hpp"
#include "parallel.hpp"

#include <askos/base/error.hpp>
#include <askos/model/attention.hpp>
#include <askos/model/graph_plan.hpp>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <array>

namespace askos::model {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

/// A range of nodes is worth a thread's while from about this many multiplications on.
constexpr std::int64_t kGrainWork = 1 << 16;

/// Gradients of the edge projection are summed over pieces of the destinations that do not depend
/// on the number of threads, then over the pieces.
constexpr std::int64_t kMostPieces = 32;
constexpr std::int64_t kPieceRows = 64;

/// The three tensors of nodes: query, key, value or destinations, sources, halo. What is absent has
/// no axes: an autograd function takes no undefined tensors.
using Tables = std::array<at::Tensor, 3>;

bool is_present(const at::Tensor& table) {
  return table.dim() == 3;
}

/// Where the parts of a problem lie in its tables.
template <typename T>
struct Places {
  Rows<T> query;
  Rows<T> self;
  TwoTables<T> key;
  TwoTables<T> value;
};

/// `Element` is T or const T, T the stored type.
template <typename Element>
Places<Element> places(const Tables& tables, std::int64_t width, bool joined) {
  const auto rows = [&](const at::Tensor& table, std::int64_t part) {
    auto* const data = static_cast<Element*>(table.data_ptr());
    return Rows<Element>{data + part * width, table.stride(1), table.stride(0)};
  };
  const auto all_in = [&](const at::Tensor& table, std::int64_t part) {
    return TwoTables<Element>{rows(table, part), {}, table.size(1)};
  };
  Places<Element> result;
  result.query = rows(tables[0], 0);
  if (!joined) {
    result.key = all_in(tables[1], 0);
    result.value = all_in(tables[2], 0);
    return result;
  }
  const bool own_sources = !is_present(tables[1]);
  result.self = rows(tables[0], 1);
  result.key = all_in(tables[own_sources ? 0 : 1], own_sources ? 2 : 0);
  result.value = all_in(tables[own_sources ? 0 : 1], own_sources ? 3 : 1);
  if (is_present(tables[2])) {
    result.key.second = rows(tables[2], 0);
    result.value.second = rows(tables[2], 1);
  }
  return result;
}

AttentionShape make_shape(const Tables& tables,
                          const at::Tensor& features,
                          std::int64_t width,
                          std::int64_t heads,
                          const EdgeIndex& index) {
  AttentionShape shape;
  shape.batch = tables[0].size(0);
  shape.num_sources = index.num_sources;
  shape.num_destinations = index.num_destinations;
  shape.num_edges = index.num_edges();
  shape.heads = heads;
  shape.channels = width / heads;
  shape.features = features.size(1);
  shape.src = index.src.const_data_ptr<std::int64_t>();
  shape.dst = index.dst.const_data_ptr<std::int64_t>();
  shape.destination_offsets = index.destination_offsets.const_data_ptr<std::int64_t>();
  shape.source_offsets = index.source_offsets.const_data_ptr<std::int64_t>();
  shape.source_edges = index.source_edges.const_data_ptr<std::int64_t>();
  return shape;
}

/// Checks what the loops rely on. Without `whole` the halo is yet to come.
void check(const Tables& tables,
           const at::Tensor& features,
           std::int64_t width,
           bool joined,
           bool whole,
           const EdgeIndex& index) {
  const auto is_table = [&](const at::Tensor& table, std::int64_t rows, std::int64_t parts) {
    return table.dim() == 3 && table.size(0) == tables[0].size(0) && table.size(1) == rows &&
           table.size(2) == parts * width;
  };
  ASKOS_CHECK(features.size(0) == index.num_edges());
  if (!joined) {
    ASKOS_CHECK(is_table(tables[0], index.num_destinations, 1) &&
                is_table(tables[1], index.num_sources, 1) &&
                is_table(tables[2], index.num_sources, 1));
    return;
  }
  const bool own_sources = !is_present(tables[1]);
  const std::int64_t num_halo = is_present(tables[2]) ? tables[2].size(1) : 0;
  const std::int64_t num_first = tables[own_sources ? 0 : 1].size(1);
  ASKOS_CHECK(is_table(tables[0], index.num_destinations, own_sources ? 4 : 2) &&
              (whole ? num_first + num_halo == index.num_sources
                     : index.interior_first.defined() && num_first <= index.num_sources));
  ASKOS_CHECK(own_sources || is_table(tables[1], num_first, 2));
  ASKOS_CHECK(!is_present(tables[2]) || is_table(tables[2], num_halo, 2));
}

std::int64_t grain(const AttentionShape& shape, std::int64_t num_nodes) {
  const std::int64_t edges_per_node = shape.num_edges / std::max<std::int64_t>(1, num_nodes) + 1;
  return kGrainWork / (edges_per_node * shape.heads * shape.channels * shape.batch) + 1;
}

template <typename T>
std::vector<Sum<T>> scratch_for(const AttentionShape& shape,
                                std::int64_t begin,
                                std::int64_t end,
                                const AttentionKernels<T>& kernels) {
  std::int64_t degree = 0;
  for (std::int64_t position = begin; position < end; ++position) {
    const std::int64_t* const edges = shape.destination_offsets + shape.destination(position);
    degree = std::max(degree, edges[1] - edges[0]);
  }
  return std::vector<Sum<T>>(static_cast<std::size_t>(kernels.scratch(shape, degree)));
}

/// Calls `run` with a value of the type in which `table` is stored.
template <typename Run>
void with_stored_type(const at::Tensor& table, const Run& run) {
  switch (table.scalar_type()) {
    case at::kFloat: return run(float{});
    case at::kDouble: return run(double{});
    case at::kBFloat16: return run(Bfloat16{});
    default:
      throw Error(Errc::kTypeMismatch, "attention is in float32, float64 or bfloat16")
          .with("found", c10::toString(table.scalar_type()));
  }
}

/// The tensors of one problem as the loops read them.
struct Problem {
  Tables tables;
  at::Tensor features;  // [edge, feature]
  at::Tensor weight;    // [feature, head * channel]
  at::Tensor bias;
  std::int64_t heads = 1;
  bool joined = false;
};

StartedAttention make_results(const Problem& problem, bool keeps, const EdgeIndex& index) {
  const at::Tensor& first = problem.tables[0];
  const std::int64_t batch = first.size(0);
  return {
      at::empty({batch, index.num_destinations, problem.weight.size(1)}, first.options()),
      at::empty({keeps ? batch : 0, index.num_edges(), problem.heads}, problem.features.options())};
}

/// Fills in the results of some destinations, which stand at [begin, end) of `index.interior_first`
/// if there is such a list.
void run_forward(const Problem& problem,
                 const EdgeIndex& index,
                 std::int64_t begin,
                 std::int64_t end,
                 const StartedAttention& results) {
  const std::int64_t width = problem.weight.size(1);
  AttentionShape shape = make_shape(problem.tables, problem.features, width, problem.heads, index);
  if (index.interior_first.defined()) {
    shape.order = index.interior_first.const_data_ptr<std::int64_t>();
  }
  with_stored_type(problem.tables[0], [&]<typename T>(T /*stored*/) {
    const Places<const T> in = places<const T>(problem.tables, width, problem.joined);
    const at::Tensor& out = results.out;
    const AttentionForward<T> data = {
        .q = in.query,
        .k = in.key,
        .v = in.value,
        .self = in.self,
        .a = problem.features.const_data_ptr<Sum<T>>(),
        .w = problem.weight.const_data_ptr<Sum<T>>(),
        .bias = problem.bias.const_data_ptr<Sum<T>>(),
        .out = {static_cast<T*>(out.data_ptr()), out.stride(1), out.stride(0)},
        .weights = results.weights.size(0) > 0 ? results.weights.data_ptr<Sum<T>>() : nullptr};
    const auto& kernels = attention_kernels<T>(vector_level());
    parallel_for(end - begin, grain(shape, shape.num_destinations),
                 [&](std::int64_t first, std::int64_t last) {
                   auto scratch = scratch_for(shape, begin + first, begin + last, kernels);
                   kernels.forward(shape, data, begin + first, begin + last, scratch.data());
                 });
  });
}

struct Attend : torch::autograd::Function<Attend> {
  /// `first`, `second`, `third`: see `Tables`. `weight` [feature, head * channel].
  static at::Tensor forward(AutogradContext* context,
                            const at::Tensor& first,
                            const at::Tensor& second,
                            const at::Tensor& third,
                            const at::Tensor& features,
                            const at::Tensor& weight,
                            const at::Tensor& bias,
                            std::int64_t heads,
                            bool joined,
                            bool keeps,
                            const EdgeIndex& index,
                            const StartedAttention& started) {
    const Problem problem = {{first, second, third}, features, weight, bias, heads, joined};
    const bool has_begun = started.out.defined();
    const StartedAttention results = has_begun ? started : make_results(problem, keeps, index);
    run_forward(problem, index, has_begun ? index.num_interior : 0, index.num_destinations,
                results);
    context->save_for_backward({first, second, third, features, weight, results.weights});
    context->saved_data["heads"] = heads;
    context->saved_data["joined"] = joined;
    context->saved_data["wants_features"] = features.requires_grad();
    context->saved_data["index"] = reinterpret_cast<std::int64_t>(&index);  // part of the plan
    return results.out;
  }

  static variable_list backward(AutogradContext* context, const variable_list& gradients) {
    const auto saved = context->get_saved_variables();
    const Tables tables = {saved[0], saved[1], saved[2]};
    const at::Tensor& features = saved[3];
    const at::Tensor& weight = saved[4];
    const bool joined = context->saved_data["joined"].toBool();
    const auto& index = *reinterpret_cast<const EdgeIndex*>(context->saved_data["index"].toInt());
    const std::int64_t width = weight.size(1);
    const AttentionShape shape =
        make_shape(tables, features, width, context->saved_data["heads"].toInt(), index);
    const at::Tensor g = gradients[0].stride(2) == 1 ? gradients[0] : gradients[0].contiguous();
    Tables d_tables;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (is_present(tables[i])) d_tables[i] = at::empty(tables[i].sizes(), tables[i].options());
    }
    at::Tensor d_features;
    if (context->saved_data["wants_features"].toBool()) d_features = at::empty_like(features);
    const at::Tensor d_scores = at::empty_like(saved[5]);
    const std::int64_t num_pieces =
        std::clamp<std::int64_t>(shape.num_destinations / kPieceRows, 1, kMostPieces);
    const at::Tensor d_weights =
        at::zeros({num_pieces, shape.features + 1, width}, weight.options());
    with_stored_type(tables[0], [&]<typename T>(T /*stored*/) {
      using A = Sum<T>;
      const Places<const T> in = places<const T>(tables, width, joined);
      const Places<T> out = places<T>(d_tables, width, joined);
      const AttentionBackward<T> data = {
          .q = in.query,
          .k = in.key,
          .v = in.value,
          .a = features.const_data_ptr<A>(),
          .w = weight.const_data_ptr<A>(),
          .weights = saved[5].const_data_ptr<A>(),
          .g = {static_cast<const T*>(g.const_data_ptr()), g.stride(1), g.stride(0)},
          .d_q = out.query,
          .d_k = out.key,
          .d_v = out.value,
          .d_self = out.self,
          .d_a = d_features.defined() ? d_features.data_ptr<A>() : nullptr,
          .d_scores = d_scores.data_ptr<A>()};
      const auto& kernels = attention_kernels<T>(vector_level());
      A* const d_w = d_weights.data_ptr<A>();
      parallel_for(num_pieces, 1, [&](std::int64_t first_piece, std::int64_t end_piece) {
        for (std::int64_t piece = first_piece; piece < end_piece; ++piece) {
          const std::int64_t begin = shape.num_destinations * piece / num_pieces;
          const std::int64_t end = shape.num_destinations * (piece + 1) / num_pieces;
          auto scratch = scratch_for(shape, begin, end, kernels);
          kernels.backward_destinations(shape, data, begin, end,
                                        d_w + piece * (shape.features + 1) * width, scratch.data());
        }
      });
      parallel_for(shape.num_sources, grain(shape, shape.num_sources),
                   [&](std::int64_t begin, std::int64_t end) {
                     kernels.backward_sources(shape, data, begin, end);
                   });
    });
    const at::Tensor d_weight = d_weights.sum(0);
    return {d_tables[0],
            d_tables[1],
            d_tables[2],
            d_features,
            d_weight.narrow(0, 0, shape.features),
            d_weight.select(0, shape.features),
            {},
            {},
            {},
            {},
            {}};
  }
};

at::Tensor full_precision(const at::Tensor& x) {
  return at::isReducedFloatingType(x.scalar_type()) ? x.to(at::kFloat) : x;
}

/// Brings a table into the common stored type, rows of contiguous columns.
at::Tensor readable(const at::Tensor& x, at::ScalarType type) {
  if (!x.defined()) return at::empty({0}, type);
  const at::Tensor typed = x.to(type);
  return typed.stride(2) == 1 ? typed : typed.contiguous();
}

/// Brings a problem into one stored type, edges and weights into that of sums.
Problem readable(const Tables& tables, const AttentionEdges& edges, int heads, bool joined) {
  const at::ScalarType given = tables[0].scalar_type();
  const at::ScalarType type = given == at::kHalf ? at::kFloat : given;
  const auto full = [&](const at::Tensor& x) {
    return x.to(type == at::kBFloat16 ? at::kFloat : type).contiguous();
  };
  return {{readable(tables[0], type), readable(tables[1], type), readable(tables[2], type)},
          full(edges.features),
          full(edges.weight.t()),
          full(edges.bias),
          heads,
          joined};
}

at::Tensor attend(const Problem& problem,
                  const EdgeIndex& index,
                  const StartedAttention& started = {}) {
  const auto& [tables, features, weight, bias, heads, joined] = problem;
  check(tables, features, weight.size(1), joined, /*whole=*/true, index);
  return Attend::apply(tables[0], tables[1], tables[2], features, weight, bias, heads, joined,
                       c10::GradMode::is_enabled(), index, started);
}

}  // namespace

at::Tensor attention(const AttentionInput& input, const EdgeIndex& index) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!input.query.is_cpu()) return attention_on_device(input, index);
  return attend(readable({input.query, input.key, input.value}, input.edges, input.num_heads,
                         /*joined=*/false),
                index);
}

StartedAttention start_joined_attention(const JoinedAttentionInput& input, const EdgeIndex& index) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!input.destinations.is_cpu()) return {};  // a device starts with all of them
  const bool keeps = c10::GradMode::is_enabled();
  const c10::AutoGradMode no_grad(false);
  const Problem problem = readable({input.destinations, input.sources, {}}, input.edges,
                                   input.num_heads, /*joined=*/true);
  check(problem.tables, problem.features, problem.weight.size(1), /*joined=*/true, /*whole=*/false,
        index);
  const StartedAttention results = make_results(problem, keeps, index);
  run_forward(problem, index, 0, index.num_interior, results);
  return results;
}

at::Tensor joined_attention(const JoinedAttentionInput& input,
                            const EdgeIndex& index,
                            const StartedAttention& started) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (!input.destinations.is_cpu()) return joined_attention_on_device(input, index);
  return attend(readable({input.destinations, input.sources, input.halo}, input.edges,
                         input.num_heads, /*joined=*/true),
                index, started);
}

at::Tensor composite_attention(const AttentionInput& input, const EdgeIndex& index) {
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const std::int64_t heads = input.num_heads;
  const std::int64_t channels = input.query.size(2) / heads;
  const auto split = [&](const at::Tensor& x) {  // [..., edge, head, channel]
    return full_precision(x).unflatten(-1, {heads, channels});
  };
  const at::Tensor e =
      split(at::linear(full_precision(input.edges.features), full_precision(input.edges.weight),
                       full_precision(input.edges.bias)));
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
  return at::zeros(input.query.sizes(), scores.options())
      .index_add(1, index.dst, (weights.unsqueeze(-1) * v).flatten(-2));
}

}  // namespace askos::model
