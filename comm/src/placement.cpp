// SPDX-License-Identifier: Apache-2.0
#include <askos/base/error.hpp>
#include <askos/comm/placement.hpp>

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace askos::comm {
namespace {

constexpr unsigned kVendorNvidia = 0x10de;
constexpr unsigned kDisplayClass = 0x03;  // high byte: VGA, 3D controllers

struct DestroyTopology {
  void operator()(hwloc_topology_t topology) const noexcept { ::hwloc_topology_destroy(topology); }
};
using Topology = std::unique_ptr<hwloc_topology, DestroyTopology>;

struct FreeBitmap {
  void operator()(hwloc_bitmap_t bitmap) const noexcept { ::hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, FreeBitmap>;

Topology load_topology() {
  hwloc_topology_t made = nullptr;
  bool good = ::hwloc_topology_init(&made) == 0;
  Topology topology(made);
  // GPUs are found by what the kernel lists: other parts start whole drivers for them, and leak.
  // That an installation lacks such a part is no fault.
  for (const char* const part : {"cuda", "gl", "levelzero", "nvml", "opencl", "pci", "rsmi"}) {
    (void)::hwloc_topology_set_components(made, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, part);
  }
  good = good &&
         ::hwloc_topology_set_io_types_filter(made, HWLOC_TYPE_FILTER_KEEP_IMPORTANT) == 0 &&
         ::hwloc_topology_load(made) == 0;
  if (!good) {
    throw Error(Errc::kEnvironment, "cannot read the layout of this host's cores");
  }
  return topology;
}

/// The GPUs in order of their PCI addresses, as hwloc lists them.
std::vector<hwloc_obj_t> find_gpus(hwloc_topology_t topology) {
  std::vector<hwloc_obj_t> gpus;
  for (hwloc_obj_t device = nullptr;
       (device = ::hwloc_get_next_pcidev(topology, device)) != nullptr;) {
    const auto& pci = device->attr->pcidev;
    if (pci.vendor_id == kVendorNvidia && pci.class_id >> 8U == kDisplayClass) {
      gpus.push_back(device);
    }
  }
  return gpus;
}

/// The cores that this process may use.
Bitmap allowed_cores(hwloc_topology_t topology) {
  Bitmap allowed(::hwloc_bitmap_alloc());
  if (::hwloc_get_cpubind(topology, allowed.get(), HWLOC_CPUBIND_PROCESS) != 0) {
    ::hwloc_bitmap_copy(allowed.get(), ::hwloc_topology_get_allowed_cpuset(topology));
  }
  return allowed;
}

/// The logical processors of each core that has any in `allowed`, core by core.
std::vector<std::vector<int>> cores_in(hwloc_topology_t topology, hwloc_const_bitmap_t allowed) {
  std::vector<std::vector<int>> cores;
  for (hwloc_obj_t core = nullptr;
       (core = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_CORE, core)) != nullptr;) {
    std::vector<int> processors;
    for (int p = ::hwloc_bitmap_first(core->cpuset); p >= 0;
         p = ::hwloc_bitmap_next(core->cpuset, p)) {
      if (::hwloc_bitmap_isset(allowed, static_cast<unsigned>(p)) != 0) {
        processors.push_back(p);
      }
    }
    if (!processors.empty()) {
      cores.push_back(std::move(processors));
    }
  }
  return cores;
}

std::vector<int> nodes_of(hwloc_topology_t topology, const std::vector<int>& processors) {
  std::vector<int> nodes;
  for (hwloc_obj_t node = nullptr;
       (node = ::hwloc_get_next_obj_by_type(topology, HWLOC_OBJ_NUMANODE, node)) != nullptr;) {
    if (std::ranges::any_of(processors, [&](int p) {
          return ::hwloc_bitmap_isset(node->cpuset, static_cast<unsigned>(p)) != 0;
        })) {
      nodes.push_back(static_cast<int>(node->os_index));
    }
  }
  return nodes;
}

/// Prints `0-3,8`.
std::string ranges(const std::vector<int>& numbers) {
  std::string text;
  for (std::size_t i = 0; i < numbers.size();) {
    std::size_t end = i + 1;
    while (end < numbers.size() && numbers[end] == numbers[end - 1] + 1) ++end;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    text += end - i > 1 ? "-" + std::to_string(numbers[end - 1]) : "";
    i = end;
  }
  return text;
}

}  // namespace

std::string Placement::to_text() const {
  std::string text = cores.empty() ? "any core" : "cores " + ranges(cores);
  text += numa_nodes.empty() ? "" : ", NUMA node " + ranges(numa_nodes);
  return text + (gpu < 0 ? "" : ", GPU " + std::to_string(gpu));
}

Placement place(const LocalSeat& seat) {
  const auto topology = load_topology();
  const auto gpus = find_gpus(topology.get());
  auto usable = allowed_cores(topology.get());
  Placement placement;
  int rank = seat.rank;
  int num_ranks = seat.num_ranks;
  if (seat.on_gpu && !gpus.empty()) {
    const auto near = [&](int which) {
      const auto gpu = static_cast<std::size_t>(which) % gpus.size();
      return ::hwloc_get_non_io_ancestor_obj(topology.get(), gpus[gpu]);
    };
    placement.gpu = seat.rank % static_cast<int>(gpus.size());
    auto* const own = near(seat.rank);
    ::hwloc_bitmap_and(usable.get(), usable.get(), own->cpuset);
    // Those whose GPUs are near the same cores share them.
    rank = num_ranks = 0;
    for (int other = 0; other < seat.num_ranks; ++other) {
      if (near(other) == own) {
        rank += other < seat.rank ? 1 : 0;
        ++num_ranks;
      }
    }
  }
  const auto cores = cores_in(topology.get(), usable.get());
  const auto share = cores.size() / static_cast<std::size_t>(num_ranks);
  for (std::size_t c = 0; c < share; ++c) {
    const auto& processors = cores[static_cast<std::size_t>(rank) * share + c];
    placement.cores.insert(placement.cores.end(), processors.begin(), processors.end());
  }
  std::ranges::sort(placement.cores);
  placement.numa_nodes = nodes_of(topology.get(), placement.cores);
  return placement;
}

void bind_to(const Placement& placement) {
  if (placement.cores.empty()) {
    return;
  }
  cpu_set_t set;
  CPU_ZERO(&set);
  for (const int core : placement.cores) {
    CPU_SET(static_cast<std::size_t>(core), &set);
  }
  if (::sched_setaffinity(0, sizeof set, &set) != 0) {
    throw Error(Errc::kEnvironment, "cannot place a rank on its cores")
        .with("cores", ranges(placement.cores))
        .with("reason", std::strerror(errno));
  }
}

int count_gpus() {
  return static_cast<int>(find_gpus(load_topology().get()).size());
}

}  // namespace askos::comm
