// SPDX-License-Identifier: Apache-2.0
// A program that has an actor system and message types of its own runs a plan inside it: the host
// pushes packets, takes results, and one of its actors asks how it ended.
#include <askos/dataflow/caf.hpp>
#include <askos/dataflow/host_sink.hpp>
#include <askos/dataflow/host_source.hpp>

#include <caf/all.hpp>

#include <iostream>

CAF_BEGIN_TYPE_ID_BLOCK(embed, caf::first_custom_type_id)
CAF_ADD_ATOM(embed, report_atom)
CAF_END_TYPE_ID_BLOCK(embed)

using namespace askos;
using namespace std::chrono_literals;

/// Turns kelvin into degrees Celsius.
class ToCelsius final : public dataflow::Stage {
 public:
  dataflow::In<double> kelvin{*this, "kelvin"};
  dataflow::Out<double> celsius{*this, "celsius"};

  void run(dataflow::Context& context) override {
    const auto packet = context.take(kelvin);
    context.emit(celsius, *packet - 273.15, packet.meta);
  }
};

/// The host's own actor: reports a session when it is asked to.
caf::behavior reporter(caf::event_based_actor* self, const caf::actor& session) {
  return {[self, session](report_atom) {
    self->request(session, 10s, dataflow::done_atom_v)
        .then([self, session](const dataflow::Outcome& outcome) {
          std::cout << (outcome.ok() ? "done" : outcome.failure->error.what()) << ", "
                    << outcome.num_undelivered << " packets lost\n";
          self->send_exit(session, caf::exit_reason::user_shutdown);
          self->quit();
        });
  }};
}

int main() {
  caf::init_global_meta_objects<caf::id_block::embed>();
  dataflow::init_caf_types();
  caf::actor_system_config config;
  config.set("caf.scheduler.max-throughput", 1);
  caf::actor_system system{config};

  dataflow::Graph graph{"embed"};
  auto& source = graph.add<dataflow::HostSource<double>>("source");
  auto& convert = graph.add<ToCelsius>("convert");
  auto& sink = graph.add<dataflow::HostSink<double>>("sink");
  graph.connect(source.out, convert.kelvin);
  graph.connect(convert.celsius, sink.in);

  const auto session = dataflow::spawn_session(system, dataflow::Plan(std::move(graph)));
  for (const double kelvin : {273.15, 300.0, 250.15}) {
    if (!source.push(std::make_shared<const double>(kelvin), 10s)) return 1;
    const auto packet = sink.take(10s);
    if (!packet) return 1;
    std::cout << kelvin << " K = " << **packet << " C\n";
  }
  source.close();
  caf::anon_send(system.spawn(reporter, session), report_atom_v);
  system.await_all_actors_done();
}
