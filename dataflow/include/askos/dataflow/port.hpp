// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <askos/base/shape.hpp>
#include <askos/base/unit.hpp>
#include <askos/dataflow/fault_kind.hpp>
#include <askos/dataflow/payload_description.hpp>
#include <askos/dataflow/stored_arrays.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <typeindex>

namespace askos::dataflow {

class Stage;

enum class Device { kHost, kCuda };

/// What a port promises about each packet, beyond its C++ type. The plan compares both ends of an
/// edge once, before anything runs.
struct Contract {
  Shape shape{};                 ///< empty: not stated
  std::optional<DType> dtype{};  ///< nothing: not stated
  Device device = Device::kHost;
  int rate = 1;          ///< packets per firing; 0: depends on the data, at most one
  Bytes host_bytes{};    ///< largest payload on the host; 0: not stated, so not provable
  Bytes device_bytes{};  ///< largest payload on a device
};

/// One typed end of a stage; lives as long as the stage and never moves.
class Port {
 public:
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;

  [[nodiscard]] const Stage& owner() const noexcept { return *owner_; }
  [[nodiscard]] const std::string& name() const noexcept { return name_; }
  [[nodiscard]] const Contract& contract() const noexcept { return contract_; }
  [[nodiscard]] std::type_index payload_type() const noexcept { return type_; }
  /// How to look into its payloads; null if their type does not let anybody.
  [[nodiscard]] PayloadDescriber describer() const noexcept { return describer_; }
  /// How to record its payloads; null if their type does not let anybody.
  [[nodiscard]] const PayloadStorage* storage() const noexcept { return storage_; }
  /// Position among the stage's ports of the same direction, in order of declaration.
  [[nodiscard]] int index() const noexcept { return index_; }

 protected:
  Port(Stage& owner,
       std::string name,
       Contract contract,
       std::type_index type,
       PayloadDescriber describer,
       const PayloadStorage* storage);
  ~Port() = default;

  friend class Stage;
  Stage* owner_;
  std::string name_;
  Contract contract_;
  std::type_index type_;
  PayloadDescriber describer_;
  const PayloadStorage* storage_;
  int index_ = 0;
};

class InPort : public Port {
 protected:
  InPort(Stage& owner,
         std::string name,
         Contract contract,
         std::type_index type,
         PayloadDescriber describer,
         const PayloadStorage* storage);
};

class OutPort : public Port {
 public:
  /// Returns a damaged copy of a payload of this port's type, or nothing.
  using Damage = std::shared_ptr<const void> (*)(const void* payload,
                                                 FaultKind kind,
                                                 std::uint64_t seed);
  /// How injected faults damage what is emitted here; null if they cannot.
  [[nodiscard]] Damage damage() const noexcept { return damage_; }

 protected:
  OutPort(Stage& owner,
          std::string name,
          Contract contract,
          std::type_index type,
          PayloadDescriber describer,
          const PayloadStorage* storage,
          Damage damage = nullptr);

 private:
  Damage damage_;
};

/// Receives payloads of type `T`. Declare it as a member: `In<Field> field{*this, "field", {...}};`
template <typename T>
class In final : public InPort {
 public:
  In(Stage& owner, std::string name, Contract contract = {})
      : InPort(owner,
               std::move(name),
               std::move(contract),
               typeid(T),
               describer_of<T>(),
               storage_of<T>()) {}
};

/// Sends payloads of type `T`. Declare it as a member: `Out<Field> field{*this, "field", {...}};`
template <typename T>
class Out final : public OutPort {
 public:
  Out(Stage& owner, std::string name, Contract contract = {})
      : OutPort(owner,
                std::move(name),
                std::move(contract),
                typeid(T),
                describer_of<T>(),
                storage_of<T>(),
                damage_of()) {}

 private:
  static constexpr Damage damage_of() noexcept {
    if constexpr (Damageable<T>) {
      return [](const void* payload, FaultKind kind,
                std::uint64_t seed) -> std::shared_ptr<const void> {
        return damaged(*static_cast<const T*>(payload), kind, seed);
      };
    }
    return nullptr;
  }
};

}  // namespace askos::dataflow
