// SPDX-License-Identifier: Apache-2.0
// Three built-in stages in a row. The program prints its graph as a file (hello.toml is that file),
// runs it and tells what arrived.
#include <askos/dataflow/graph_file.hpp>
#include <askos/dataflow/session.hpp>
#include <askos/dataflow/synthetic.hpp>

#include <iostream>

using namespace askos::dataflow;
using namespace std::chrono_literals;

int main() {
  Graph graph("hello");
  auto& source = graph.add<synthetic::Source>("source", synthetic::SourceOptions{.count = 5});
  auto& work = graph.add<synthetic::Work>("work", synthetic::WorkOptions{.service = {.time = 2ms}});
  auto& sink = graph.add<synthetic::Sink>("sink", synthetic::SinkOptions{.check = true});
  graph.connect(source.out, work.in);
  graph.connect(work.out, sink.in, {.credit = 4});
  std::cout << save_graph(graph);

  const auto session = start(Plan(std::move(graph)));
  const auto outcome = session->wait(10s);
  std::cout << sink.num_packets() << " packets arrived\n";
  return outcome && outcome->ok() ? 0 : 1;
}
