// SPDX-License-Identifier: Apache-2.0
// Times the CUDA kernels of graph attention, forward and backward with all gradients, on the meshes
// of weather models. Needs a CUDA device; without one it says so and leaves with 6.
//
//   cuda_attention_bench [--graphs NAME,NAME…] [--type bfloat16|float16|float32] [--heads 16]
//                        [--head-size 64] [--features 11] [--order hilbert|latitude] [--repeats 50]
//                        [--save FOLDER] [--json FILE]
//
// Prints milliseconds by CUDA events: median, tenth and ninetieth percentile, with the second-level
// cache flushed before each repeat and with it warm; the bytes that device memory must move (each
// row once per pass), and the time those bytes take at the speed of a copy in the same process.
// --save writes each graph for bench/peers/attention_peers.py.
#include "benchmark_graphs.hpp"
#include "cuda/attention.hpp"

#include <cuda_runtime_api.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace askos::model::cuda {
namespace {

constexpr std::size_t kFlushBytes = std::size_t{256} << 20U;

void check(cudaError_t error) {
  if (error != cudaSuccess) throw std::runtime_error(cudaGetErrorString(error));
}

struct Options {
  std::vector<std::string> graphs{std::begin(kBenchmarkGraphs), std::end(kBenchmarkGraphs)};
  std::string type = "bfloat16";
  int heads = 16;
  int head_size = 64;
  int features = 11;
  bool hilbert = true;
  int repeats = 50;
  std::string save;
  std::string json;

  [[nodiscard]] Element element() const {
    if (type == "float32") return Element::kFloat32;
    if (type == "float16") return Element::kFloat16;
    if (type == "bfloat16") return Element::kBfloat16;
    throw std::invalid_argument("--type: expected bfloat16, float16 or float32, found " + type);
  }
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int a = 1; a < argc; a += 2) {
    const std::string key = argv[a];
    if (a + 1 == argc) throw std::invalid_argument(key + ": a value is missing");
    const std::string value = argv[a + 1];
    if (key == "--graphs") {
      options.graphs.clear();
      std::istringstream names(value);
      for (std::string name; std::getline(names, name, ',');) options.graphs.push_back(name);
    } else if (key == "--type") {
      options.type = value;
    } else if (key == "--heads") {
      options.heads = std::stoi(value);
    } else if (key == "--head-size") {
      options.head_size = std::stoi(value);
    } else if (key == "--features") {
      options.features = std::stoi(value);
    } else if (key == "--order") {
      options.hilbert = value != "latitude";
    } else if (key == "--repeats") {
      options.repeats = std::stoi(value);
    } else if (key == "--save") {
      options.save = value;
    } else if (key == "--json") {
      options.json = value;
    } else {
      throw std::invalid_argument("no such option: " + key);
    }
  }
  return options;
}

/// Device memory with numbers of a normal distribution, the same again every 4 Mi, or zeros.
class DeviceArray {
 public:
  DeviceArray(std::size_t count, std::size_t size) : bytes_(count * size) {
    check(cudaMalloc(&data_, bytes_ + 256));
    check(cudaMemset(data_, 0, bytes_));
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  void fill_with(const void* block, std::size_t bytes) {
    for (std::size_t at = 0; at < bytes_; at += bytes)
      check(cudaMemcpy(static_cast<char*>(data_) + at, block, std::min(bytes, bytes_ - at),
                       cudaMemcpyHostToDevice));
  }
  template <typename T>
  [[nodiscard]] T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  std::size_t bytes_;
  void* data_ = nullptr;
};

/// 4 Mi normal numbers as `element`.
std::vector<unsigned char> random_block(Element element, float scale) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, scale);
  std::vector<unsigned char> block;
  for (int i = 0; i < 1 << 22; ++i) {
    const float x = normal(random);
    const auto* bytes = reinterpret_cast<const unsigned char*>(&x);
    if (element == Element::kFloat32) {
      block.insert(block.end(), bytes, bytes + 4);
    } else if (element == Element::kBfloat16) {
      block.insert(block.end(), bytes + 2, bytes + 4);
    } else {
      const auto half = static_cast<_Float16>(x);
      bytes = reinterpret_cast<const unsigned char*>(&half);
      block.insert(block.end(), bytes, bytes + 2);
    }
  }
  return block;
}

struct Times {
  double median = 0;
  double tenth = 0;
  double ninetieth = 0;
};

Times summary(std::vector<float> times) {
  std::sort(times.begin(), times.end());
  const auto at = [&](double part) {
    return times[static_cast<std::size_t>(part * (times.size() - 1))];
  };
  return {at(0.5), at(0.1), at(0.9)};
}

/// Runs `work` often on the default stream, each time after `before`, and returns its times in ms.
template <typename Before, typename Work>
Times time_of(int repeats, Before before, Work work) {
  cudaEvent_t start = nullptr;
  cudaEvent_t stop = nullptr;
  check(cudaEventCreate(&start));
  check(cudaEventCreate(&stop));
  std::vector<float> times;
  for (int round = -5; round < repeats; ++round) {
    before();
    check(cudaEventRecord(start));
    work();
    check(cudaEventRecord(stop));
    check(cudaEventSynchronize(stop));
    float time = 0;
    check(cudaEventElapsedTime(&time, start, stop));
    if (round >= 0) times.push_back(time);
  }
  check(cudaEventDestroy(start));
  check(cudaEventDestroy(stop));
  return summary(std::move(times));
}

double copy_bytes_per_second() {
  const std::size_t bytes = std::size_t{1} << 31U;
  const DeviceArray from(bytes, 1);
  const DeviceArray to(bytes, 1);
  const auto time = time_of(
      10, [] {},
      [&] {
        check(cudaMemcpyAsync(to.as<char>(), from.as<char>(), bytes, cudaMemcpyDeviceToDevice));
      });
  return 2 * static_cast<double>(bytes) / time.median * 1e3;
}

std::vector<int> offsets_of(const std::vector<int>& nodes, int num_nodes) {
  std::vector<int> offsets(num_nodes + 1);
  for (const int node : nodes) ++offsets[node + 1];
  std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
  return offsets;
}

std::unique_ptr<DeviceArray> to_device(const std::vector<int>& values) {
  auto array = std::make_unique<DeviceArray>(values.size(), sizeof(int));
  check(cudaMemcpy(array->as<int>(), values.data(), values.size() * sizeof(int),
                   cudaMemcpyHostToDevice));
  return array;
}

/// Edges in device memory.
class EdgesOnDevice {
 public:
  explicit EdgesOnDevice(const BenchmarkGraph& graph) {
    std::vector<int> by_source(graph.sources.size());
    std::iota(by_source.begin(), by_source.end(), 0);
    std::stable_sort(by_source.begin(), by_source.end(),
                     [&](int a, int b) { return graph.sources[a] < graph.sources[b]; });
    std::vector<int> leads_to;
    for (const int e : by_source) leads_to.push_back(graph.destinations[e]);
    for (const auto& values :
         {graph.sources, offsets_of(graph.destinations, graph.num_destinations),
          offsets_of(graph.sources, graph.num_sources), by_source, leads_to})
      arrays_.push_back(to_device(values));
    edges_ = {
        graph.num_sources,     graph.num_destinations, static_cast<std::int64_t>(by_source.size()),
        arrays_[0]->as<int>(), arrays_[1]->as<int>(),  arrays_[2]->as<int>(),
        arrays_[3]->as<int>(), arrays_[4]->as<int>()};
  }
  [[nodiscard]] const DeviceEdges& edges() const { return edges_; }

 private:
  std::vector<std::unique_ptr<DeviceArray>> arrays_;
  DeviceEdges edges_;
};

/// Bytes that a pass must move through device memory, each row, edge and result once.
struct Bytes {
  double forward = 0;
  double backward = 0;
};

Bytes bytes_of(const AttentionShape& shape, const DeviceEdges& edges) {
  const double row =
      shape.num_heads * shape.head_size * (shape.element == Element::kFloat32 ? 4.0 : 2.0);
  const double destinations = row * edges.num_destinations;
  const double sources = row * edges.num_sources;
  const auto count = static_cast<double>(edges.num_edges);
  const double features = count * 4 * shape.num_features;
  const double softmax = 8.0 * edges.num_destinations * shape.num_heads;
  const double handed = 8.0 * count * shape.num_heads;
  return {2 * destinations + 2 * sources + features + 4 * count + softmax,
          (3 * destinations + 2 * sources + 2 * features + 4 * count + softmax + handed) +
              (2 * destinations + 2 * sources + handed + 8 * count)};
}

/// Distinct sources of sixteen neighbouring destinations: how often one is read again.
double reuse(const BenchmarkGraph& graph) {
  double distinct = 0;
  std::set<int> seen;
  for (std::size_t e = 0; e < graph.sources.size(); ++e) {
    if (e > 0 && graph.destinations[e] / 16 != graph.destinations[e - 1] / 16) {
      distinct += static_cast<double>(seen.size());
      seen.clear();
    }
    seen.insert(graph.sources[e]);
  }
  return static_cast<double>(graph.sources.size()) / (distinct + static_cast<double>(seen.size()));
}

void save(const BenchmarkGraph& graph, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  const std::int64_t sizes[] = {graph.num_sources, graph.num_destinations,
                                static_cast<std::int64_t>(graph.sources.size())};
  file.write(reinterpret_cast<const char*>(sizes), sizeof(sizes));
  for (const auto* nodes : {&graph.sources, &graph.destinations})
    file.write(reinterpret_cast<const char*>(nodes->data()),
               static_cast<std::streamsize>(nodes->size() * sizeof(int)));
  if (!file) throw std::runtime_error("cannot write " + path);
}

std::string json_of(const Times& t) {
  char text[96];
  std::snprintf(text, sizeof(text), R"({"median":%.4f,"p10":%.4f,"p90":%.4f})", t.median, t.tenth,
                t.ninetieth);
  return text;
}

/// Times one graph; returns a JSON object.
std::string bench(const std::string& name, const Options& options, double copy) {
  const BenchmarkGraph graph = make_benchmark_graph(name, options.hilbert);
  if (!options.save.empty()) save(graph, options.save + "/" + name + ".graph");
  const EdgesOnDevice on_device(graph);
  const DeviceEdges& edges = on_device.edges();
  const AttentionShape shape{options.element(), 1, options.heads, options.head_size,
                             options.features};
  const std::size_t channels = static_cast<std::size_t>(shape.num_heads) * shape.head_size;
  const std::size_t size = shape.element == Element::kFloat32 ? 4 : 2;
  const std::size_t destinations = channels * edges.num_destinations;
  const std::size_t sources = channels * edges.num_sources;
  const std::size_t features = static_cast<std::size_t>(edges.num_edges) * shape.num_features;
  DeviceArray query(destinations, size);
  DeviceArray key(sources, size);
  DeviceArray value(sources, size);
  DeviceArray grad_out(destinations, size);
  DeviceArray out(destinations, size);
  DeviceArray grad_query(destinations, size);
  DeviceArray grad_key(sources, size);
  DeviceArray grad_value(sources, size);
  DeviceArray attributes(features, 4);
  DeviceArray grad_attributes(features, 4);
  DeviceArray weight(channels * shape.num_features, 4);
  DeviceArray grad_weight(channels * shape.num_features, 4);
  DeviceArray bias(channels, 4);
  DeviceArray grad_bias(channels, 4);
  DeviceArray softmax(static_cast<std::size_t>(edges.num_destinations) * shape.num_heads, 8);
  DeviceArray workspace(backward_workspace(shape, edges), 1);
  DeviceArray forward_bytes(forward_workspace(shape), 1);
  DeviceArray flush(kFlushBytes, 1);
  const auto rows = random_block(shape.element, 1);
  for (auto* array : {&query, &key, &value, &grad_out}) array->fill_with(rows.data(), rows.size());
  const auto numbers = random_block(Element::kFloat32, 0.3F);
  for (auto* array : {&attributes, &weight, &bias})
    array->fill_with(numbers.data(), numbers.size());

  const auto width = static_cast<std::int64_t>(channels);
  const auto read = [&](const DeviceArray& x) { return ConstRows{x.as<void>(), width, 0}; };
  const auto written = [&](const DeviceArray& x) { return MutableRows{x.as<void>(), width, 0}; };
  const EdgeProjection projection{attributes.as<float>(), weight.as<float>(), bias.as<float>()};
  const Forward forward{read(query), read(key),    read(value),         projection,
                        {},          written(out), softmax.as<float>(), forward_bytes.as<void>()};
  const Backward backward{read(query),
                          read(key),
                          read(value),
                          projection,
                          softmax.as<float>(),
                          read(grad_out),
                          written(grad_query),
                          written(grad_key),
                          written(grad_value),
                          grad_attributes.as<float>(),
                          grad_weight.as<float>(),
                          grad_bias.as<float>(),
                          workspace.as<void>()};
  const auto run_forward = [&] { check(attention_forward(shape, edges, forward, nullptr)); };
  const auto run_backward = [&] { check(attention_backward(shape, edges, backward, nullptr)); };
  const auto flushed = [&] { check(cudaMemsetAsync(flush.as<char>(), 1, kFlushBytes)); };
  const auto warm = [] {};
  const Times cold_forward = time_of(options.repeats, flushed, run_forward);
  const Times cold_backward = time_of(options.repeats, flushed, run_backward);
  const Times warm_forward = time_of(options.repeats, warm, run_forward);
  const Times warm_backward = time_of(options.repeats, warm, run_backward);
  const Bytes bytes = bytes_of(shape, edges);
  const double floor_forward = bytes.forward / copy * 1e3;
  const double floor_backward = bytes.backward / copy * 1e3;
  std::printf("%-11s %7d %7d %9lld %5.2f | %7.3f %7.3f | %7.3f %7.3f | %7.3f %7.3f | %5.2f\n",
              name.c_str(), edges.num_sources, edges.num_destinations,
              static_cast<long long>(edges.num_edges), reuse(graph), cold_forward.median,
              cold_backward.median, warm_forward.median, warm_backward.median, floor_forward,
              floor_backward,
              (cold_forward.median + cold_backward.median) / (floor_forward + floor_backward));
  std::fflush(stdout);
  std::ostringstream json;
  json << R"({"graph":")" << name << R"(","sources":)" << edges.num_sources << R"(,"destinations":)"
       << edges.num_destinations << R"(,"edges":)" << edges.num_edges << R"(,"type":")"
       << options.type << R"(","heads":)" << shape.num_heads << R"(,"head_size":)"
       << shape.head_size << R"(,"features":)" << shape.num_features << R"(,"order":")"
       << (options.hilbert ? "hilbert" : "latitude") << R"(","forward_ms":)"
       << json_of(cold_forward) << R"(,"backward_ms":)" << json_of(cold_backward)
       << R"(,"warm_forward_ms":)" << json_of(warm_forward) << R"(,"warm_backward_ms":)"
       << json_of(warm_backward) << R"(,"forward_bytes":)" << bytes.forward
       << R"(,"backward_bytes":)" << bytes.backward << R"(,"copy_bytes_per_s":)" << copy << "}";
  return json.str();
}

int run(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::fprintf(stderr, "cuda_attention_bench: no CUDA device\n");
    return 6;
  }
  cudaDeviceProp device{};
  check(cudaGetDeviceProperties(&device, 0));
  const double copy = copy_bytes_per_second();
  std::printf("%s, copies %.2f TB/s, %s, %d heads of %d, %d features, %s order\n", device.name,
              copy / 1e12, options.type.c_str(), options.heads, options.head_size, options.features,
              options.hilbert ? "Hilbert" : "latitude");
  std::printf("%-11s %7s %7s %9s %5s | %15s | %15s | %15s | x floor\n", "graph", "from", "to",
              "edges", "reuse", "flushed fwd bwd", "warm fwd bwd", "floor fwd bwd");
  std::string json;
  for (const auto& name : options.graphs)
    json += (json.empty() ? "[" : ",\n") + bench(name, options, copy);
  if (!options.json.empty()) std::ofstream(options.json) << json << "]\n";
  return 0;
}

}  // namespace
}  // namespace askos::model::cuda

int main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--help") == 0) {
    std::puts(
        "Times the CUDA kernels of graph attention, forward and backward, on a CUDA device.\n"
        "  --graphs NAME,…   processor5,processor6,processor7,encoder,decoder,knn12,hubs (all)\n"
        "  --type TYPE       bfloat16 (default), float16 or float32\n"
        "  --heads N         16\n"
        "  --head-size N     64\n"
        "  --features N      11, of an edge\n"
        "  --order ORDER     hilbert (default) or latitude: how nodes are numbered\n"
        "  --repeats N       50\n"
        "  --save FOLDER     also writes the graphs, for bench/peers/attention_peers.py\n"
        "  --json FILE       also writes the results\n"
        "Example: cuda_attention_bench --graphs processor6 --json times.json");
    return 0;
  }
  try {
    return askos::model::cuda::run(argc, argv);
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "cuda_attention_bench: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "cuda_attention_bench: %s\n", error.what());
    return 1;
  }
}
