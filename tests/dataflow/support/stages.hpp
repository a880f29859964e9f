// SPDX-License-Identifier: Apache-2.0
// Small stages for tests: numbers in, numbers out.
#pragma once

#include <askos/dataflow/context.hpp>
#include <askos/dataflow/graph.hpp>
#include <askos/dataflow/stage.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace askos::dataflow::test {

using Number = std::int64_t;

/// Counts from 0 to `end` (excluded), `rate` numbers a run.
class Count final : public Stage {
 public:
  explicit Count(Number end, Contract contract = {}, Threading threading = Threading::kShared)
      : out(*this, "out", std::move(contract)), end_(end), threading_(threading) {}
  Out<Number> out;

  void run(Context& context) override {
    for (int i = 0; i < out.contract().rate && next_ < end_; ++i) {
      context.emit(out, Number{next_}, {.sample = SampleId{next_}});
      ++next_;
    }
    if (next_ == end_) context.end();
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  Number end_;
  Number next_ = 0;
  Threading threading_;
};

/// Keeps all numbers in a list that outlives the session.
class Keep final : public Stage {
 public:
  explicit Keep(std::shared_ptr<std::vector<Number>> kept,
                Contract contract = {},
                Threading threading = Threading::kShared)
      : in(*this, "in", std::move(contract)), kept_(std::move(kept)), threading_(threading) {}
  In<Number> in;

  void run(Context& context) override {
    for (int i = 0; i < in.contract().rate; ++i) kept_->push_back(*context.take(in));
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  std::shared_ptr<std::vector<Number>> kept_;
  Threading threading_;
};

/// Emits `function(number)` for each number.
class Apply final : public Stage {
 public:
  explicit Apply(std::function<Number(Number)> function, Threading threading = Threading::kShared)
      : function_(std::move(function)), threading_(threading) {}
  In<Number> in{*this, "in"};
  Out<Number> out{*this, "out"};

  void run(Context& context) override {
    const auto packet = context.take(in);
    context.emit(out, function_(*packet), packet.meta);
  }
  [[nodiscard]] Threading threading() const override { return threading_; }

 private:
  std::function<Number(Number)> function_;
  Threading threading_;
};

/// Emits `1000 * left + right`.
class Pair final : public Stage {
 public:
  In<Number> left{*this, "left"};
  In<Number> right{*this, "right"};
  Out<Number> out{*this, "out"};

  void run(Context& context) override {
    const auto a = context.take(left);
    const auto b = context.take(right);
    context.emit(out, 1000 * *a + *b, a.meta);
  }
};

/// Passes on whatever comes first.
class Merge final : public Stage {
 public:
  In<Number> left{*this, "left"};
  In<Number> right{*this, "right"};
  Out<Number> out{*this, "out"};

  [[nodiscard]] Firing firing() const override { return Firing::kAny; }
  void run(Context& context) override {
    const auto packet = context.take(context.num_waiting(left) > 0 ? left : right);
    context.emit(out, *packet, packet.meta);
  }
};

inline std::shared_ptr<std::vector<Number>> make_list() {
  return std::make_shared<std::vector<Number>>();
}

}  // namespace askos::dataflow::test
