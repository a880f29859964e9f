// SPDX-License-Identifier: Apache-2.0
// Three stages of our own: one counts, one squares, one prints.
#include <askos/dataflow/context.hpp>
#include <askos/dataflow/session.hpp>

#include <iostream>

using namespace askos::dataflow;

struct Count final : Stage {
  Out<int> out{*this, "out"};
  int last = 0;
  void run(Context& context) override {
    context.emit(out, ++last);
    if (last == 5) context.end();
  }
};

struct Square final : Stage {
  In<int> in{*this, "in"};
  Out<int> out{*this, "out"};
  void run(Context& context) override {
    const auto number = context.take(in);  // its credit goes back when the packet dies
    context.emit(out, *number * *number);
  }
};

struct Print final : Stage {
  In<int> in{*this, "in"};
  void run(Context& context) override { std::cout << *context.take(in) << "\n"; }
};

int main() {
  Graph graph("squares");
  auto& count = graph.add<Count>("count");
  auto& square = graph.add<Square>("square");
  auto& print = graph.add<Print>("print");
  graph.connect(count.out, square.in);
  graph.connect(square.out, print.in);
  const auto outcome = start(Plan(std::move(graph)))->wait(std::chrono::seconds(10));
  return outcome && outcome->ok() ? 0 : 1;
}
